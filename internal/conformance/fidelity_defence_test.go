package conformance

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
)

// While memory is short, a kernel defends itself. How much of it is free is the machine's
// business, so histories set the threshold: to one below, or to one far above what any
// machine has. A simulator has freePages.
const (
	freePages  = 1 << 19
	neverShort = 1024
	shortage   = 1_000_000_000
)

// defenceNames are the parameters by which the kernel shows whether it defends itself.
var defenceNames = []string{"drop_entry", "drop_packet", "secure_tcp"}

// modes returns the modes of the defences, which the kernel changes, in lines.
func (p *player) modes() (lines string) {
	p.t.Helper()
	for _, name := range defenceNames {
		lines += name + " " + p.file("/proc/sys/net/ipv4/vs/"+name)
	}
	return lines
}

// nextLook is longer than the kernel takes until it looks at its memory again.
const nextLook = wait(1200 * time.Millisecond)

// defend changes what the kernel defends itself with. Which connections drop_entry ends is
// random, so it does nothing here: see [TestFidelityDropEntry].
func (p *picker) defend() {
	for _, s := range []requirement{
		{"am_droprate", p.IntN(6) - 1},
		{"amemthresh", one(p.Rand, -1, 0, neverShort, shortage)},
		{"drop_packet", p.IntN(4)},
		{"secure_tcp", p.IntN(4)},
	} {
		if p.IntN(3) > 0 {
			p.do(s)
		}
	}
	p.do(nextLook)
}

// Packets and connections fare alike while defences are on, and come and go with memory.
func TestFidelityDefences(t *testing.T) {
	const few, players = 400, 12 // they mostly wait
	fidelity{"defences", makeDefences, cmp.Or(*fidelityPackets, few), players}.run(t, openFidelity(t))
}

func makeDefences(t testing.TB, r release.Release, seed uint64) (history, int) {
	s := &scope{TB: t}
	defer s.end()
	random := rand.New(rand.NewPCG(seed, 3))
	p := &picker{
		Rand: random, scheduler: one(random, pickSchedulers...), port: 1023, mood: moodDefence,
		sim: newPlayer(s, openSimulatorSide(s, r)),
	}
	if !long() {
		p.actions = 20
	}
	p.make()
	return p.h, p.h.packets()
}

// Short of memory, drop_packet drops one in so many packets as the threshold and the free
// memory say. It begins to count with each look, and so the kernel gets a look right
// before, and when it looked in between, the same again.
func TestFidelityDropRate(t *testing.T) {
	d := openFidelity(t)(t)
	for _, p := range []*player{d.real, d.sim} {
		p.expect(t, serviceCall(cNewService, serviceOf("tcp 10.1.254.1:80")))
		p.expect(t, serviceCall(cNewDest, serviceOf("tcp 10.1.254.1:80"), destOf("10.2.0.10:80").set(dMethod, u32(direct))))
	}
	free := freeMemory(t, d.real)
	d.sim.side.(*simulatorSide).kernel.SetFreePages(free)
	both := func(name string, value int) {
		for _, p := range []*player{d.real, d.sim} {
			p.set(requirement{name, value})
		}
	}
	client := at("10.1.16.1:1024")
	for rate := 1; rate <= 12; rate++ {
		// With a threshold of t, one in t/(t-free) is dropped: half a packet more than rate.
		both("amemthresh", int(float64(free)*(float64(rate)+0.5)/(float64(rate)-0.5)))
		var real, sim string
		for range 3 {
			both("drop_packet", 0)
			both("drop_packet", 1)
			var packets []packet
			for range 2*rate + 3 {
				client = netip.AddrPortFrom(client.Addr(), client.Port()+1)
				packets = append(packets, packet{protocol: protocolTCP, tcp: flagSYN, from: client, to: at("10.1.254.1:80")})
			}
			real, sim = stops(d.real.Send(packets)), stops(d.sim.Send(packets))
			if real == sim {
				break
			}
		}
		if want := strings.Repeat(strings.Repeat("f", rate-1)+"d", 5)[:2*rate+3]; real != want || sim != want {
			t.Errorf("1 in %d: %s by the kernel, %s by the simulator, want %s", rate, real, sim, want)
		}
	}
}

// stops shows which packets were stopped.
func stops(fates []string) (text string) {
	for _, fate := range fates {
		if fate == fateStopped {
			text += "d"
		} else {
			text += "f"
		}
	}
	return text
}

// freeMemory returns how many pages are free on the machine of a side.
func freeMemory(t *testing.T, p *player) (pages int) {
	t.Helper()
	text, err := p.ReadFile("/proc/meminfo")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		var name string
		var kilobytes int
		if _, err := fmt.Sscan(line, &name, &kilobytes); err == nil && (name == "MemFree:" || name == "Buffers:") {
			pages += kilobytes / (os.Getpagesize() / 1024)
		}
	}
	return pages
}
