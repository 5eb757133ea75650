package health

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"

	"github.com/golvs/lvs"
)

// TablePath is the path [ThroughIPVS]. Probes travel as the packets of clients do,
// although each real server has probes of its own: the table gets a service by firewall
// mark for each, with that real server alone, and the sockets of probes have the mark.
// The service that is checked is not involved: neither its scheduler nor its counters
// see the probes.
//
// With [lvs.NAT], where the real server gets the packets at its own address, a probe
// connects to that address; marks are not needed.
//
// A director that has the VIP drops IPv4 answers to its own probes, because they come
// from the VIP, unless [lvs.DRDirector] or [lvs.TunnelDirector] has Checks set. One
// without the VIP, such as a backup, needs nothing.
//
// Marked packets need CAP_NET_ADMIN. Only Linux has them: elsewhere probes fail with
// [errors.ErrUnsupported].
type TablePath struct {
	client  *lvs.Client
	options TablePathOptions

	setting sync.Mutex // held while the table is read and changed

	mu    sync.Mutex // guards what follows
	marks map[markedServer]uint32
	vips  map[netip.Addr]bool // which no probe may come from
	ports *probePorts         // of the marks; nil before they are dealt
}

// TablePathOptions are the options of [NewTablePath]. The zero value is useful.
type TablePathOptions struct {
	// Marks are the firewall marks of the services; the zero value is from
	// [lvs.FirstProbeMark] to [lvs.LastProbeMark]. All services with these marks belong
	// to the path: it removes those that it does not need. Two programs that check from
	// one network namespace need ranges of their own. Services outside of the reserved
	// range are listed like others.
	Marks Marks

	// Sources are addresses of this host from which probes come, at most one of each
	// family. Without one, it is the address from which this host reaches the real
	// server, or one of its others if that is a VIP or of the other family.
	Sources []netip.Addr

	// VIPs are where probes connect to for services that are firewall marks themselves:
	// an address and a port whose packets get the mark. Each checked one needs an entry.
	VIPs map[lvs.ServiceID]netip.AddrPort

	// Network returns what opens connections whose packets have a mark and come from a
	// source; nil is the sockets of this host. In tests it can be that of package
	// healthtest, whose packets go through a simulator; Sources must be set then.
	Network func(mark uint32, source netip.Addr) Network
}

// Marks is a range of firewall marks, both ends included. The zero value stands for the
// reserved range.
type Marks struct {
	First uint32 // the smallest; 0 only if Last is 0 as well
	Last  uint32 // the largest
}

func (m Marks) contains(mark uint32) bool { return m.First <= mark && mark <= m.Last }

// markedServer is what has a mark of its own: the services that share a real server and
// reach it in the same mode share its mark.
type markedServer struct {
	is6  bool // the family of the packets; that of a tunnel may be another
	addr netip.Addr
	mode lvs.Mode
}

// NewTablePath returns a path through the table of a client, which must be that of the
// network namespace in which probes open their sockets. It changes nothing yet: see
// [TablePath.Set]. Errors match [lvs.ErrInvalid].
func NewTablePath(client *lvs.Client, o TablePathOptions) (*TablePath, error) {
	if o.Marks == (Marks{}) {
		o.Marks = Marks{lvs.FirstProbeMark, lvs.LastProbeMark}
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.Sources, o.VIPs = slices.Clone(o.Sources), maps.Clone(o.VIPs)
	return &TablePath{client: client, options: o, marks: make(map[markedServer]uint32)}, nil
}

func (o TablePathOptions) validate() error {
	if o.Marks.First == 0 || o.Marks.First > o.Marks.Last {
		return invalid("Marks", "%d to %d is not a range of firewall marks, which begin with 1", o.Marks.First, o.Marks.Last)
	}
	for i, s := range o.Sources {
		if !s.IsValid() || s.IsUnspecified() || s.IsMulticast() {
			return invalid(fmt.Sprintf("Sources[%d]", i), "%s is not the address of a host", s)
		}
		if slices.ContainsFunc(o.Sources[:i], func(other netip.Addr) bool { return other.Is6() == s.Is6() }) {
			return invalid(fmt.Sprintf("Sources[%d]", i), "%s is the second address of its family", s)
		}
	}
	for id, vip := range o.VIPs {
		switch {
		case id.FWMark() == 0:
			return invalid(fmt.Sprintf("VIPs[%s]", id), "the service has a VIP of its own")
		case !vip.IsValid() || vip.Addr().Is6() != id.Is6():
			return invalid(fmt.Sprintf("VIPs[%s]", id), "%s is not an address of the service's family and a port", vip)
		}
	}
	return nil
}

// Set makes the services that checks through IPVS need, and removes those of the range
// that are not needed any more. Real servers keep their marks, also those that an
// earlier process gave them. Set must be called again when the table or the policies
// change, and after another program changed the table: without its service, a marked
// packet is one of the service that is checked.
//
// Errors are those of [lvs.Client.Snapshot] and [lvs.Client.Do], or match
// [lvs.ErrInvalid] if there are not enough marks. After one, call Set again.
func (p *TablePath) Set(ctx context.Context, table lvs.Table, policies map[lvs.ServiceID]Policy) error {
	return p.set(ctx, table, throughIPVS(table, policies))
}

// Close removes the services of the range from the table. Without it they stay, for the
// next process. Stop probing before: a probe that still runs would become a client of
// the service that is checked.
func (p *TablePath) Close(ctx context.Context) error { return p.set(ctx, lvs.Table{}, nil) }

func (p *TablePath) set(ctx context.Context, table lvs.Table, wanted []markedServer) error {
	p.setting.Lock()
	defer p.setting.Unlock()
	have, err := p.client.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("health: find the services of probes: %w", err)
	}
	a := allot(p.options.Marks, have)
	if err := a.meet(wanted); err != nil {
		return err
	}
	vips := vipsOf(have.Table(), table)
	p.use(a.kept, vips)
	if err := p.client.Do(ctx, a.changes...); err != nil {
		return fmt.Errorf("health: change the services of probes: %w", err)
	}
	p.use(a.marks, vips)
	return nil
}

// use lets probes use marks, and forbids them to come from VIPs.
func (p *TablePath) use(marks map[markedServer]uint32, vips map[netip.Addr]bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.marks, p.vips, p.ports = marks, vips, nil
}

func vipsOf(tables ...lvs.Table) map[netip.Addr]bool {
	vips := make(map[netip.Addr]bool)
	for _, t := range tables {
		for _, s := range t.Services {
			vips[s.ID.AddrPort().Addr()] = true
		}
	}
	return vips
}

// Prepare lets a probe of the target go through IPVS. It is a [PathFunc]. It fails for a
// real server that [TablePath.Set] has not met with a check through IPVS, and for a
// service by firewall mark that is not in [TablePathOptions.VIPs].
func (p *TablePath) Prepare(t Target) (Target, error) {
	if t.Mode == lvs.NAT() {
		t.Addr = t.Server
		return t, nil
	}
	vip := t.Service.AddrPort()
	if t.Service.FWMark() != 0 {
		vip = p.options.VIPs[t.Service]
	}
	if !vip.IsValid() {
		return t, fmt.Errorf("health: probe %s through IPVS: no VIP is known whose packets get the mark of the service: add it to TablePathOptions.VIPs", t.Service)
	}
	if vip.Port() == 0 {
		vip = netip.AddrPortFrom(vip.Addr(), t.Server.Port())
	}
	server := markedServer{t.Service.Is6(), t.Server.Addr().Unmap(), t.Mode}
	if _, ok := p.markOf(server); !ok {
		return t, fmt.Errorf("health: probe %s through IPVS: it has no mark yet: call TablePath.Set with its service and policy", server)
	}
	n := &markedNetwork{path: p, server: server}
	n.turn.Store(rand.Uint32()) // an earlier process may have begun with the first port
	t.Addr, t.Network, t.Via = vip, n, "through IPVS to "+server.String()
	return t, nil
}

// explain adds to the error of a probe on which path it failed, and what only that path
// can have noticed.
func (t Target) explain(err error) error {
	if err == nil || t.Via == "" {
		return err
	}
	err = fmt.Errorf("%s: %w", t.Via, err)
	var network net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: if a direct check succeeds, the server has no VIP or does not listen on it", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Errorf("%w: if a direct check succeeds, the server has no VIP or no end of the tunnel, or this host drops its answers (see Checks of lvs.DRDirector)", err)
	}
	return err
}

// markOf returns the mark of a real server, if it has one.
func (p *TablePath) markOf(s markedServer) (uint32, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	mark, ok := p.marks[s]
	return mark, ok
}

// portsOf returns the ports of all marks. They are dealt when the first probe needs them,
// in the namespace in which it opens its socket.
func (p *TablePath) portsOf() probePorts {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ports == nil {
		first, last, ok := localPorts()
		if !ok {
			first, last = 32768, 60999 // of most hosts
		}
		farthest := uint32(0)
		for _, mark := range p.marks {
			farthest = max(farthest, mark-p.options.Marks.First)
		}
		dealt := deal(first, last, farthest)
		dealt.reserved = reservedPorts()
		p.ports = &dealt
	}
	return *p.ports
}

// isVIP reports whether clients connect to an address.
func (p *TablePath) isVIP(a netip.Addr) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.vips[a]
}
