package simipvs

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// bastion is a kernel with defences.
type bastion struct {
	*testing.T
	*Kernel
}

func newBastion(t *testing.T) *bastion {
	return &bastion{t, New(Options{Release: oldRelease, Seed: 1})}
}

func (b *bastion) set(name string, value int) {
	b.Helper()
	if err := b.WriteFile(vsFolder+name, fmt.Append(nil, value)); err != nil {
		b.Fatal(err)
	}
}

func (b *bastion) get(name string) string {
	text, err := b.ReadFile(vsFolder + name)
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func (b *bastion) wait(d time.Duration) {
	if err := b.Advance(d); err != nil {
		b.Fatal(err)
	}
}

// A defence that waits acts while memory is short. That shows at the next look, which is
// each second and when a mode is changed.
func TestDefenceModes(t *testing.T) {
	const little, threshold = 100, 1024
	for _, name := range []string{"drop_entry", "drop_packet", "secure_tcp"} {
		b := newBastion(t)
		b.set("amemthresh", threshold)
		expect := func(want, when string) {
			t.Helper()
			if got := b.get(name); got != want {
				t.Errorf("%s is %s %s, want %s", name, got, when, want)
			}
		}
		b.set(name, 2)
		expect("1", "while memory is plenty")
		b.SetFreePages(little)
		b.wait(999 * time.Millisecond)
		expect("1", "before the look")
		b.set(name, 1)
		expect("1", "when what it is was written")
		b.wait(time.Millisecond)
		expect("2", "after the look")
		b.SetFreePages(threshold)
		expect("2", "before the next look")
		b.wait(time.Second)
		expect("1", "when memory is free again")
		b.SetFreePages(threshold - 1)
		other := map[string]string{"drop_entry": "drop_packet", "drop_packet": "secure_tcp", "secure_tcp": "drop_entry"}[name]
		b.set(other, 3)
		expect("2", "when another defence was set")
		b.set("amemthresh", -5)
		b.wait(time.Hour)
		expect("1", "when the threshold is negative")
		for _, always := range []int{0, 3} {
			b.set(name, always)
			b.SetFreePages(1)
			b.wait(time.Second)
			expect(fmt.Sprint(always), "whatever memory there is")
		}
	}
}

// drop_packet drops more the less memory is free, and counts again from each look on.
func TestDropRates(t *testing.T) {
	b := newBastion(t)
	dropped := func(n int) (text string) {
		for range n {
			var d decision
			if text += "f"; b.drops(&d, nil) {
				text = text[:len(text)-1] + "d"
			}
			if d.sampled {
				b.sample()
			}
		}
		return text
	}
	expect := func(about, want string) {
		t.Helper()
		if got := dropped(len(want)); got != want {
			t.Errorf("%s: %s, want %s", about, got, want)
		}
	}
	b.set("am_droprate", 5)
	b.set("drop_packet", 3)
	expect("1 in 5", "dffffdffff")
	b.set("am_droprate", 3)
	expect("the rate before the look", "dffff")
	b.wait(time.Second)
	expect("the new rate", "dffdff")
	b.set("am_droprate", 0)
	b.wait(time.Second)
	expect("no rate", "ffff")
	b.set("am_droprate", -3)
	b.wait(time.Second)
	expect("a negative rate", "dddd")
	b.set("drop_packet", 0)
	expect("off", "ffff")
	b.set("amemthresh", 1000)
	b.set("drop_packet", 1)
	for pages, want := range map[int]string{999: "fffffffff", 800: "ffffdffffd", 500: "fdfdfd", 499: "ddd", 1: "ddd"} {
		b.SetFreePages(pages)
		b.wait(time.Second)
		expect(fmt.Sprint(pages, " pages"), want)
	}
	b.SetFreePages(800)
	b.wait(time.Second)
	expect("before a look", "ffff")
	b.wait(time.Second)
	expect("after a look", "ffffd")
}

// Time without anything to defend costs nothing.
func TestDefenceOfNothing(t *testing.T) {
	b := newBastion(t)
	b.set("drop_entry", 3)
	b.set("drop_packet", 3)
	b.wait(200 * 365 * 24 * time.Hour)
	if b.now != ticks(b.virtual) || b.defences.due <= b.now || b.defences.due > b.now+lookInterval {
		b.Errorf("at %d the next look is at %d", b.now, b.defences.due)
	}
}

// What drop_entry ends leaves no trace in tables, timers and counters.
func TestDropEntries(t *testing.T) {
	b := newBastion(t)
	p := dialTest(t, b.Kernel)
	p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
	p.must(cmdNewDest, destAttrs(testVIP, testRIP(0)))
	server := b.dests[1]
	const templates, each = 300, 3
	for i := range templates {
		template := conn{family: inet4, flags: connTemplate, clientPort: uint16(i), timeout: 1000 * second, dest: server.ID}
		control, _ := b.bind(&template, server)
		for j := range each {
			c := conn{
				family: inet4, protocol: protoTCP, client: [16]byte{byte(j)}, clientPort: uint16(i), control: control,
				dest: server.ID, state: uint8(tcpSynRecv), timeout: 900 * second, flags: connInactive,
			}
			b.bind(&c, server)
			b.conns.at(control).controls++
		}
	}
	b.set("drop_entry", 3)
	for n := templates * (each + 1); b.conns.live > 0; {
		b.wait(time.Second)
		check(t, b.Kernel)
		if b.conns.live > n {
			t.Fatalf("%d connections, and there were %d", b.conns.live, n)
		}
		n = b.conns.live
		if b.now > 900*second {
			t.Fatalf("%d connections are left", n)
		}
	}
	if server.refs != 0 || server.Inactive != 0 || server.persistent != 0 {
		t.Errorf("the server has %d connections", server.refs)
	}
}
