package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Each setting is taken back in turn, on the director and on a real server. Then
// requests fail, unless dispensable says why they do not, and Check names the
// setting.
func TestLabSettingRemoved(t *testing.T) {
	testbed.InKernel(t)
	// The newest kernel is quick, and goes through those that have settings of their own;
	// the others through those that have most.
	all := []Options{{Mode: "dr"}, {Mode: "gue", Family: "mixed"}}
	if testbed.IsNewest() {
		all = []Options{{Mode: "nat"}, {Mode: "ipip"}, {Mode: "gue"}, {Mode: "gre"}, {Mode: "ipip", Encrypt: true},
			{Mode: "dr", Family: "6"}, {Mode: "nat", Family: "6"}, {Mode: "ipip", Family: "6"}}
	}
	if testbed.HasNFT() {
		all = append(all, Options{Mode: "fullnat"})
	}
	for _, o := range all {
		t.Run(o.Mode+" "+o.Family, func(t *testing.T) {
			l := newLab(t, o)
			if err := l.SetUp(context.Background()); err != nil {
				t.Fatal(err)
			}
			for _, h := range []*Host{l.Director, l.Servers[0]} {
				for i, step := range h.applied.Steps {
					if step.HasChanges() && !isModule(step) {
						l.without(t, h, i)
					}
				}
			}
			l.renew(t)
			l.mustBalance(t, 4)
		})
	}
}

func isModule(s lvs.SetupStep) bool { _, ok := s.Requirement.Want.(lvs.Module); return ok }

// without takes one setting back, and makes it again.
func (l *Lab) without(t *testing.T, h *Host, i int) {
	ctx := context.Background()
	step := h.applied.Steps[i]
	h.takeBack(t, step)
	report, err := h.Check(ctx, lvs.CheckOptions{Setup: h.Setup})
	reason := dispensable(l.plan.options, step.Requirement.Want)
	if err != nil || reason == "" && !names(report.Findings, step.Requirement.Want) {
		t.Errorf("%s without %s: Check says %v, %v", h.Name, step.Requirement, report.Findings, err)
	}
	l.renew(t)
	if reason != "" {
		if err := l.carries(patience); err != nil {
			t.Errorf("%s without %s: requests fail (%v), and should not: %s", h.Name, step.Requirement, err, reason)
		}
	} else if bad := l.carries(impatience); bad == nil {
		t.Errorf("%s without %s: requests do not fail", h.Name, step.Requirement)
	} else {
		t.Logf("%s without %s: %v", h.Name, step.Requirement, bad)
	}
	again, err := h.Plan(ctx, h.Setup)
	if err == nil {
		err = h.Apply(ctx, again)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// impatience is how long a request has that is to fail. One that is only slow
// counts as failed.
const impatience = 400 * time.Millisecond

// takeBack breaks what one step of a setup made.
func (h *Host) takeBack(t *testing.T, step lvs.SetupStep) {
	t.Helper()
	if link, ok := step.Requirement.Want.(lvs.Link); ok {
		if err := h.space.Do(func() error { return exec.Command("ip", "link", "set", "dev", link.Name, "down").Run() }); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := h.Undo(context.Background(), lvs.SetupPlan{Steps: []lvs.SetupStep{step}})
	if err != nil || len(kept) > 0 {
		t.Fatalf("taking %s back: %v, kept %v", step.Requirement, err, kept)
	}
}

// names reports whether the fix of a finding has the resource.
func names(all []lvs.Finding, want lvs.Resource) bool {
	for _, f := range all {
		for _, fix := range f.Fix {
			if fix.Want == want {
				return true
			}
		}
	}
	return false
}

// carries sends requests until one fails.
func (l *Lab) carries(patience time.Duration) (bad error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := l.Visit(ctx, 2*len(l.Servers), patience, func(a Answer) {
		if !a.Good() {
			bad = fmt.Errorf("%q answered in place of %s: %v", a.Server, a.Want, a.Err)
			cancel()
		}
	})
	if bad == nil && !errors.Is(err, context.Canceled) {
		bad = err
	}
	return bad
}

// renew lets the hosts forget what they know of each other, and the scheduler where
// it was.
func (l *Lab) renew(t *testing.T) {
	t.Helper()
	for _, h := range append([]*Host{l.Client, l.router}, l.balancing()...) {
		if h != nil {
			flushNeighbours(t, h)
		}
	}
	ctx := context.Background()
	changes := []lvs.Change{lvs.RemoveService(l.Service.ID), lvs.AddService(l.Service)}
	for _, s := range l.table {
		changes = append(changes, lvs.AddRealServer(l.Service.ID, s))
	}
	if err := l.Director.Client().Do(ctx, changes...); err != nil {
		t.Fatal(err)
	}
}

func flushNeighbours(t *testing.T, h *Host) {
	t.Helper()
	handle, err := netlink.NewHandleAt(netns.NsHandle(h.space.File.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
		all, err := handle.NeighList(0, family)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			if n.State&netlink.NUD_NOARP == 0 {
				_ = handle.NeighDel(&n) // it may be gone already
			}
		}
	}
}

// dispensable says why requests are answered without a setting, "" when they are
// not.
func dispensable(o Options, f lvs.Resource) string {
	text := f.String()
	for part, why := range map[string]string{
		".lo.arp_":                     "what counts is the larger value of all and of the interface that is asked, which lo never is",
		".default.":                    "it is for interfaces to come",
		"ip route replace " + vipRoute: "packets find the VIP by the local route that comes with the address",
		" dir in tmpl":                 "encrypted packets are accepted without it; it keeps others out",
		"send_redirects":               "clients and servers are on different interfaces of the director",
	} {
		if strings.Contains(text, part) {
			return why
		}
	}
	if o.tunnels() && strings.Contains(text, ".arp_") {
		return "the real servers are not on the VIP's network, where they could be asked for it"
	}
	return ""
}

var vipRoute = inner.addr(false, vipHost).String() + "/32"
