package simipvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// Explanation is what would happen to a packet, and why.
type Explanation struct {
	Verdict    Verdict
	Connection *Entry // that the packet belongs to; nil: none
	Outdated   Reason // why the packet does not follow it; 0: it does
	Template   *Entry // that ties the client to a server; nil: none
	Invalid    bool   // the template no longer ties the client to its server

	// What drop_entry may end before the packet comes, however many packets came before.
	ConnectionExposed, TemplateExposed bool

	Scheduler string            // that was asked; "" if none was
	Flags     uint32            // of its service
	Pick      sched.Explanation // how it picks
	Hidden    bool              // it cannot be asked without consequences: Verdict says nothing

	Unread string   // the persistence engine that would read the packet, which has no data; "": none
	Keys   []string // that are tied to servers, one for each server: it may find one of them, another one, or none
}

// Suppose is what an explanation assumes about things that are not known, to see what
// follows. The zero value assumes nothing.
type Suppose struct {
	Sampled *bool            // whether drop_packet drops the packet
	Gone    bool             // the packet's connection has expired
	Owner   *Owner           // of the packet's connection; the zero value: a server that was removed
	Method  *uint8           // by which a server that was removed got its packets; nil: it does not matter
	Unbound bool             // another director told of the connection, whose server no service had then
	Ended   *bool            // whether the packet's connection has ended, so that a new one may be opened
	Tracked *bool            // whether netfilter knows that connection; either way, no other one is in the way
	Tied    *Owner           // of the template; the zero value: a server that was removed
	Closed  []netip.AddrPort // servers of the service that are overloaded
	Server  *netip.AddrPort  // that the scheduler picks; not valid: it picks none
	Local   bool             // the packet's destination is an address of the director
	Key     *string          // that persistence engines find in the packet; "": none
	Brief   bool             // only the verdict and the template are wanted, of many packets
}

// Explain returns what Deliver would do with a packet, and changes nothing.
func (k *Kernel) Explain(p *Packet, supposed Suppose) (x Explanation, err error) {
	var e ends
	if p.ICMP == nil {
		if err := p.ends(&e); err != nil {
			return x, err
		}
	}
	k.lock()
	defer k.mu.Unlock()
	d, w := decision{}, world{Suppose: supposed}
	switch {
	case p.ICMP != nil && p.ICMP.Flow != nil:
		err = k.decideAbout(&d, p, &w)
	case p.ICMP != nil:
		err = k.decideError(&d, p, &e, &w)
	default:
		err = k.decide(&d, p, &e, &w)
	}
	if err != nil {
		return x, err
	}
	if d.effect != effectNone && p.ICMP == nil {
		after := *d.conn
		after.state = uint8(k.stateAfter(&after, p, d.effect.direction()))
		d.conn = &after
	}
	d.tell(p, &x.Verdict)
	if d.met != 0 && !supposed.Brief {
		x.Connection, x.Outdated = k.entry(d.met), d.outdated
		x.ConnectionExposed = k.exposed(d.met, k.conns.at(d.met), k.now+lookInterval) != spared
	}
	if d.template != 0 {
		t := *k.conns.at(d.template)
		t.controls = 0 // its connections may be ended first
		x.Template, x.Invalid = k.entry(d.template), d.invalid
		x.TemplateExposed = k.exposed(d.template, &t, k.now+lookInterval) != spared
	}
	x.Scheduler, x.Flags, x.Pick, x.Hidden = w.scheduler, w.flags, w.pick, w.hidden
	x.Unread, x.Keys = w.unread, w.keys
	return x, nil
}

// owned returns a connection, or a template, as it would be if it were of an owner.
func (k *Kernel) owned(id connID, c *conn, by *Owner) (*conn, *dest) {
	if by == nil {
		return c, k.dests[c.dest]
	}
	supposed, server := *c, k.named(by.Service, by.Server)
	if server == nil {
		server = removedServer(k.listedServer(id, c))
		supposed.flags |= connTracked
	}
	supposed.dest, supposed.method = server.ID, uint8(server.method)
	supposed.flags |= connNoOutput
	if server.method == methodMasq {
		supposed.flags &^= connNoOutput
	}
	return &supposed, server
}

// removedServer returns a server that no service has.
func removedServer(addr netip.AddrPort) *dest {
	d := &dest{method: methodDirect}
	d.Addr, d.Weight = addr, 1
	return d
}

// supposedPick returns the server that the scheduler is supposed to pick, or would pick.
func (k *Kernel) supposedPick(s *service, w *world) *dest {
	w.scheduler, w.flags = s.scheduler, s.flags
	if w.Server != nil {
		return s.dests[*w.Server]
	}
	for _, server := range w.Closed {
		if d := s.dests[server]; d != nil && !d.Overloaded {
			k.setOverloaded(d, true)
			defer k.setOverloaded(d, false)
		}
	}
	var known bool
	if w.Brief {
		w.pick.Server, known = s.group.Peek(&k.flow)
	} else {
		w.pick, known = s.group.Explain(&k.flow)
	}
	if w.hidden = !known; w.pick.Server == nil {
		return nil
	}
	return k.dests[w.pick.Server.ID]
}

func (k *Kernel) setOverloaded(d *dest, overloaded bool) {
	d.Overloaded = overloaded
	k.counted(d)
}
