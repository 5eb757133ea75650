package lvs

import (
	"fmt"
	"net/netip"
	"testing"
)

// changed returns the operations of what clients have changed.
func (l *simLab) changed() (ops []Op) {
	for _, ch := range l.Changes() {
		ops = append(ops, ch.Op())
	}
	return ops
}

// A simulator knows what clients changed, in order, and nothing else.
func TestSimulatorChanges(t *testing.T) {
	ctx := t.Context()
	l := newSimLab(t, SimOptions{})
	l.id = simWeb
	wants := func(what string, want ...Op) {
		t.Helper()
		if got := l.changed(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	web := Service{ID: simWeb, Scheduler: RR}
	server := NewRealServer(netip.MustParseAddrPort("10.2.0.1:80"), DR())
	must(t, l.client.Do(ctx, AddService(web), AddRealServer(simWeb, server)))
	must(t, l.Host().Client().SetWeight(ctx, simWeb, server.Addr, 3))
	wants("two clients", OpAddService, OpAddRealServer, OpUpdateRealServer)

	_, err := l.client.Snapshot(ctx)
	must(t, err)
	_, err = l.Connect(l.flow())
	must(t, err)
	wants("reading and packets")

	err = l.client.Do(ctx, AddService(web), PutRealServer(simWeb, server), RemoveService(UDP(simWeb.AddrPort())))
	if err == nil {
		t.Error("a batch of which two fail is done")
	}
	wants("what of a batch was made", OpPutRealServer)
	if l.client.Do(ctx, Flush(), AddService(Service{})) == nil {
		t.Error("an invalid batch is done")
	}
	wants("an invalid batch")
	must(t, l.Inject(SimFault{Op: OpFlush, Errno: EPERM}))
	ofKind(t, "a refused change", l.client.Flush(ctx), ErrPermission)
	wants("a refused change")

	opened, err := Open(WithSimulators(ctx, map[string]*Simulator{"": l.Simulator}))
	must(t, err)
	must(t, opened.RemoveRealServer(ctx, simWeb, server.Addr))
	wants("a client that a program opened", OpRemoveRealServer)

	copied, _, err := SimulatorFrom(ctx, l.Host(), SimOptions{})
	must(t, err)
	if got := copied.Changes(); len(got) != 0 {
		t.Errorf("a copy has changes: %v", got)
	}
	must(t, opened.Close())
	ofKind(t, "a closed client", opened.Flush(ctx), ErrClosed)
	wants("a closed client")
}

// Of many changes the last ones are kept.
func TestSimulatorChangesAreBounded(t *testing.T) {
	var c simulatedChanges
	for mark := range uint32(5 * mostChanges / 2) {
		c.note([]Change{RemoveService(FWMark(mark + 1))}, nil)
	}
	all := c.take()
	if len(all) != mostChanges || all[mostChanges-1].ServiceID() != FWMark(5*mostChanges/2) || len(c.blocks) > 0 {
		t.Errorf("%d changes are kept, and the last one is %v", len(all), all[len(all)-1])
	}
}

func TestVerdictTarget(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	id := TCP(netip.MustParseAddrPort("10.1.0.1:0"))
	l.serve(Service{ID: id, Scheduler: RR, Persistence: Persistence{Timeout: 60e9}}, NAT(), 1)
	server := l.status(0).Addr
	if server.Port() != 0 {
		must(t, l.client.RemoveRealServer(t.Context(), id, server))
		server = netip.AddrPortFrom(server.Addr(), 0)
		must(t, l.client.AddRealServer(t.Context(), id, NewRealServer(server, NAT())))
	}
	v, err := l.Deliver(SimPacket{Protocol: ProtocolTCP, Source: netip.MustParseAddrPort("10.9.0.1:999"), Destination: netip.MustParseAddrPort("10.1.0.1:8080"), TCP: SimSYN})
	must(t, err)
	if want := netip.AddrPortFrom(server.Addr(), 8080); v.Server != server || v.Target() != want {
		t.Errorf("%s: the target is %s, want %s", v, v.Target(), want)
	}
	if got := (Verdict{Action: ActionDropped}).Target(); got.IsValid() {
		t.Errorf("a packet without a server has the target %s", got)
	}
}
