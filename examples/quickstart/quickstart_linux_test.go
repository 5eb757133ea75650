package main

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/lab"
)

// kernelEnv is set by cmd/lvs-kernel. Inside, nothing is skipped.
const kernelEnv = "LVS_KERNEL"

// labStory is a story in a lab of network namespaces.
type labStory struct {
	*story
	lab *lab.Lab
}

func startInKernel(t *testing.T) labStory {
	t.Helper()
	if os.Getenv(kernelEnv) == "" {
		t.Skip("needs a kernel with IPVS: go test -exec 'go run github.com/golvs/lvs/cmd/lvs-kernel 6.12 --' ./examples/quickstart")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	g, l, err := inLab(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	return labStory{&story{ground: g, out: io.Discard}, l}
}

// round is what one round of requests came to.
type round struct {
	site     lvs.ServiceID
	by1, by2 int
}

// TestDistribution holds every round's answers against what the schedulers
// promise, and the table after each part against ipvsadm.
func TestDistribution(t *testing.T) {
	q := startInKernel(t)
	var rounds []round
	q.visited = func(site lvs.ServiceID, a answers) {
		t := a.tally()
		rounds = append(rounds, round{site, t[rs1.Addr().String()], t[rs2.Addr().String()]})
	}
	for _, part := range []struct {
		name string
		do   func(context.Context) error
		want []round
	}{
		{"balance", q.balance, []round{{drSite, 20, 20}, {natSite, 10, 10}}},
		{"drain", q.drain, []round{{drSite, 0, 40}, {natSite, 10, 10}, {natSite, 0, 20}}},
		{"raise", q.raise, []round{{drSite, 30, 10}}},
	} {
		rounds = nil
		if err := part.do(t.Context()); err != nil {
			t.Fatalf("%s: %v", part.name, err)
		}
		if len(rounds) != len(part.want) {
			t.Fatalf("%s: %d rounds, want %d", part.name, len(rounds), len(part.want))
		}
		for i, got := range rounds {
			if got != part.want[i] {
				t.Errorf("%s: got %v, want %v", part.name, got, part.want[i])
			}
		}
		compareWithIpvsadm(t, q)
	}
}

func TestTableIsIpvsadms(t *testing.T) {
	q := startInKernel(t)
	compareWithIpvsadm(t, q)
	if err := q.director.Do(t.Context(), append(richTable(), sites...)...); err != nil {
		t.Fatal(err)
	}
	compareWithIpvsadm(t, q)
}

// richTable has all that the listing writes in a form of its own.
func richTable() []lvs.Change {
	var (
		catchAll = lvs.TCP(netip.MustParseAddrPort("[2001:db8::1]:80"))
		dns      = lvs.UDP(netip.MustParseAddrPort("192.168.0.11:53"))
		network  = lvs.TCP(netip.MustParseAddrPort("192.168.0.12:80"))
		marked   = lvs.FWMark6(7)
	)
	return []lvs.Change{
		lvs.AddService(lvs.Service{ID: catchAll, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(64)}}),
		lvs.AddRealServer(catchAll, lvs.NewRealServer(netip.MustParseAddrPort("[2001:db8::1234:5678:9abc:def0]:80"), lvs.DR())),
		lvs.AddRealServer(catchAll, lvs.NewRealServer(netip.MustParseAddrPort("10.1.1.1:80"), lvs.IPIP())),
		lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.MH, SchedulerFlags: lvs.HashFallback | lvs.HashPort, OnePacket: true}),
		lvs.AddService(lvs.Service{ID: network, Scheduler: lvs.WLC, Persistence: lvs.Persistence{Timeout: time.Hour, Mask: lvs.PrefixMask(24)}}),
		lvs.AddRealServer(network, lvs.RealServer{Addr: netip.MustParseAddrPort("200.1.1.1:8080"), Mode: lvs.NAT(), Weight: 1234567}),
		lvs.AddRealServer(network, lvs.NewRealServer(netip.MustParseAddrPort("100.1.1.1:8080"), lvs.NAT())),
		lvs.AddService(lvs.Service{ID: marked, Scheduler: lvs.SH}),
		lvs.AddRealServer(marked, lvs.NewRealServer(netip.MustParseAddrPort("[2001:db8::2]:0"), lvs.GUE(6080))),
	}
}

// compareWithIpvsadm compares ipvsadm's listing with two of ours that are equal, one
// before it and one after it, because connections may end in between.
func compareWithIpvsadm(t *testing.T, q labStory) {
	t.Helper()
	before := ourTable(t, q)
	for range 10 {
		theirs := ipvsadmTable(t, q)
		after := ourTable(t, q)
		if before == after {
			if ours := after; ours != theirs {
				t.Errorf("ours:\n%s\nipvsadm's:\n%s", ours, theirs)
			}
			return
		}
		before = after
	}
	t.Fatal("the table does not come to rest")
}

func ourTable(t *testing.T, q labStory) string {
	t.Helper()
	var b bytes.Buffer
	said := *q.story
	said.out = &b
	if err := said.showTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(b.String(), "shows it:\n\n")
	if !found {
		t.Fatalf("no table in %q", b.String())
	}
	return table
}

func ipvsadmTable(t *testing.T, q labStory) string {
	t.Helper()
	var out []byte
	err := q.lab.Director.Run(func() (err error) {
		out, err = exec.Command("ipvsadm", "-Ln").CombinedOutput()
		return err
	})
	if err != nil {
		t.Fatalf("ipvsadm: %v\n%s", err, out)
	}
	return string(out)
}

// A stop ends requests at once, and the program says so.
func TestStop(t *testing.T) {
	q := startInKernel(t)
	ctx, stop := context.WithCancel(t.Context())
	q.visited = func(lvs.ServiceID, answers) { stop() }
	if got := advice(q.balance(ctx)); !strings.HasPrefix(got, "quickstart: stopped") {
		t.Errorf("got %q", got)
	}
}
