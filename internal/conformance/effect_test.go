package conformance

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// What Effect says of a plan before it is applied happens afterwards to living
// connections and to clients, on simulators and in a kernel.
func TestConformanceEffect(t *testing.T) {
	cases := slices.Concat(noteRemovals, noteDrains, noteHashes, noteServices)
	cases = slices.DeleteFunc(cases, func(c noteCase) bool { return c.clients == 0 || c.before != nil || c.want != nil })
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			for name, open := range noteSides() {
				t.Run(name, func(t *testing.T) { c.playEffect(t, open(t)) })
			}
		})
	}
}

// effectTrial compares an effect with what happens.
type effectTrial struct {
	*noteTrial
	effect lvs.TableEffect
	fixed  bool // each client has a server of its own
}

func (c *noteCase) playEffect(t *testing.T, s side) {
	n, plan := c.begin(t, s)
	before, err := n.host.Client().Snapshot(groundContext(t))
	must(t, err)
	listed := n.settled()
	e := effectTrial{noteTrial: n, fixed: c.service.Persistence.Timeout != 0}
	switch c.service.Scheduler {
	case lvs.SH, lvs.MH, lvs.DH:
		e.fixed = c.service.SchedulerFlags&lvs.HashPort == 0
	}
	e.effect, err = plan.Effect(groundContext(t), n.host)
	must(t, err)
	if after, err := n.host.Client().Snapshot(groundContext(t)); err != nil || !after.Table().Equal(before.Table()) || n.list() != listed {
		t.Errorf("asking for the effect changed the host to\n%s\n%s\nfrom\n%s\n%s", after, n.list(), before, listed)
	}
	if got := e.effect.Connections; got != c.clients {
		t.Errorf("it is about %d connections, want %d", got, c.clients)
	}
	n.make(plan)
	e.compare("at once", &e.effect.AtOnce)
	if e.effect.AtDeadline != nil {
		n.endDrains()
		e.compare("at the deadline", e.effect.AtDeadline)
	}
	if t.Failed() {
		t.Logf("the effect was\n%s", e.effect)
	}
}

// settled waits until the connection table stays as it is, and returns it. A kernel since
// 7.1 lists some entries twice, and others not at all, while it makes the table larger.
func (n *noteTrial) settled() string {
	n.Helper()
	is := n.list()
	for same := 0; same < 3; same++ {
		time.Sleep(10 * time.Millisecond)
		if now := n.list(); now != is {
			is, same = now, -1
		}
	}
	return is
}

// list returns the connection table, without what time changes.
func (n *noteTrial) list() string {
	n.Helper()
	all, err := lvs.CollectConnections(n.host.Connections(groundContext(n), lvs.ConnectionFilter{}))
	must(n, err)
	var rows []string
	for _, c := range all {
		rows = append(rows, strings.Join([]string{c.Client.String(), c.VIP.String(), c.Server.String(), string(c.State)}, " "))
	}
	slices.Sort(rows)
	return strings.Join(rows, "\n")
}

// compare holds that each connection and each client fares as the effect says.
func (e *effectTrial) compare(when string, impact *lvs.TableImpact) {
	e.Helper()
	broken := make(map[netip.AddrPort]bool)
	for _, b := range impact.Broken {
		broken[b.Connection.Client] = true
	}
	on := e.goOn()
	if strings.Contains(strings.Join(e.effect.Unseen, "\n"), "before it is added again") {
		broken, on = nil, e.first // the kernel may end them or not
	}
	for i, p := range e.conns {
		if broken[p.from] == (on[i] == e.first[i]) {
			e.Errorf("%s: the connection of %s, on %c, reaches %c; broken: %t", when, p.from, e.first[i], on[i], broken[p.from])
		}
	}
	moved, refused := byClient(impact.Moved), byClient(impact.Refused)
	next := e.each(len(e.first))
	for i := range next {
		client := e.client(i)
		if !e.fares(next[i], e.first[i], moved[client], refused[client]) {
			e.Errorf("%s: the next connection of %s, which was on %c, reaches %c; moved %v, refused %v",
				when, client, e.first[i], next[i], moved[client], refused[client])
		}
	}
}

func byClient(all []lvs.ClientEffect) map[netip.Addr]*lvs.ClientEffect {
	m := make(map[netip.Addr]*lvs.ClientEffect)
	for i := range all {
		m[all[i].Client] = &all[i]
	}
	return m
}

// fares reports whether a client's next connection reaches what it is said to reach.
func (e *effectTrial) fares(next, was byte, moved, refused *lvs.ClientEffect) bool {
	isRefused := next == '-' || next == '.'
	switch {
	case refused != nil:
		return isRefused && (refused.Action == lvs.ActionPassed) == (next == '.')
	case isRefused:
		return false
	case moved == nil:
		return !e.fixed || next == was || len(e.effect.Unseen) > 0
	case !moved.Now.IsValid():
		return next != was
	}
	return next != was && noteServer(e.service.ID, int(next-'A'), 0).Addr.Addr() == moved.Now.Addr()
}
