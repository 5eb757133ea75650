package lvs

import (
	"cmp"
	"context"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/simipvs"
)

// asked is a client or a connection of which the copy is asked what its next packet
// meets.
type asked struct {
	service ServiceID
	flow    Flow           // of the packet
	conn    *Connection    // that the packet belongs to; nil: it opens one
	was     netip.AddrPort // the server that it reaches without the plan; not valid: none
	fixed   bool           // the client has a server of its own
	key     *string        // that a persistence engine finds in the packet; nil: not known
}

// find finds the connections and clients that the plan can affect, and asks about them.
func (e *effector) find(ctx context.Context) error {
	f := finder{effector: e, clients: make(map[clientKey]bool), ports: make(map[netip.AddrPort]bool), unused: make(map[netip.Addr]netip.AddrPort)}
	for i, owners := range e.copier.to.kernel.Owners(toEntries(e.listed, nil)) {
		if len(owners) > 0 {
			f.add(&e.listed[i], owners)
		}
	}
	for i := range e.asked {
		if a := &e.asked[i]; a.conn == nil {
			a.flow.Client = f.unusedPort(a.flow.Client.Addr())
		}
	}
	if err := e.askAll(ctx, 0); err != nil {
		return err
	}
	clients := len(e.asked)
	for _, t := range f.templates {
		if !e.templates[templateOf(t.conn)] {
			e.asked = append(e.asked, f.ofTemplate(t))
		}
	}
	if err := e.askAll(ctx, clients); err != nil {
		return err
	}
	slices.SortStableFunc(e.asked, func(a, b asked) int {
		return cmp.Or(a.service.Compare(b.service), a.flow.Client.Compare(b.flow.Client), a.flow.VIP.Compare(b.flow.VIP))
	})
	return nil
}

// askAll asks about what was found, from one on, as long as the plan has not been made.
func (e *effector) askAll(ctx context.Context, from int) error {
	for i := from; i < len(e.asked); i++ {
		if err := checkNow(ctx, i); err != nil {
			return err
		}
		a := &e.asked[i]
		v, template := e.ask(a)
		if v.Action == ActionForwarded {
			a.was, a.fixed = v.Server, e.isFixed(&v)
		}
		if template != nil {
			e.templates[templateOf(connectionOf(template))] = true
		}
		if a.conn == nil {
			e.effect.Clients++
		} else {
			e.effect.Connections++
		}
	}
	return nil
}

// checkNow returns the end of the context, now and then.
func checkNow(ctx context.Context, i int) error {
	const often = 1024
	if i%often != 0 {
		return nil
	}
	return context.Cause(ctx)
}

// ask asks the copy about a packet.
func (e *effector) ask(a *asked) (v Verdict, template *simipvs.Entry) {
	p := simipvs.Packet{
		Protocol: uint8(a.flow.Protocol), Mark: a.flow.FWMark, Source: &a.flow.Client, Destination: &a.flow.VIP,
		Length: headersOf(a.flow.Protocol, a.flow.VIP),
	}
	switch isNew := a.conn == nil; {
	case a.flow.Protocol == ProtocolTCP && isNew:
		p.TCP = uint8(SimSYN)
	case a.flow.Protocol == ProtocolTCP:
		p.TCP = uint8(SimACK)
	case a.flow.Protocol == ProtocolSCTP && isNew:
		p.Chunks = string(SimSCTPInit)
	case a.flow.Protocol == ProtocolSCTP:
		p.Chunks = string(SimSCTPData)
	}
	found, err := e.copier.to.kernel.Explain(&p, simipvs.Suppose{Brief: true, Key: a.key})
	if err != nil || found.Unread != "" {
		e.unsimulated[a.service] = true
		return Verdict{}, nil
	}
	v.take(&found.Verdict)
	return v, found.Template
}

// templateKey distinguishes templates that count.
type templateKey struct {
	protocol    Protocol
	client, vip netip.AddrPort
	data        string // of the persistence engine
}

func templateOf(c *Connection) templateKey {
	return templateKey{c.Protocol, c.Client, c.VIP, c.Data}
}

// finder finds what to ask about in the connection table.
type finder struct {
	*effector
	clients   map[clientKey]bool
	ports     map[netip.AddrPort]bool // of clients, that connections have
	unused    map[netip.Addr]netip.AddrPort
	templates []foundTemplate
}

type clientKey struct {
	service ServiceID
	client  netip.Addr
	vip     netip.AddrPort
}

type foundTemplate struct {
	service ServiceID
	conn    *Connection
}

// add notes an entry of the connection table, by the real servers that it may be of.
func (f *finder) add(c *Connection, owners []simipvs.Owner) {
	id := serviceIDOf(&owners[0].Service)
	if !f.touched[id] && !f.isAdopted(c) {
		return
	}
	if slices.ContainsFunc(owners, func(o simipvs.Owner) bool { return serviceIDOf(&o.Service) != id }) {
		f.unseen("%s: which of its connections are those of another service with the same real server", id)
	}
	if c.IsTemplate() {
		f.templates = append(f.templates, foundTemplate{id, c})
		return
	}
	f.ports[c.Client] = true
	flow := Flow{Protocol: c.Protocol, Client: c.Client, VIP: c.VIP, FWMark: id.FWMark()}
	f.asked = append(f.asked, asked{service: id, flow: flow, conn: c})
	if key := (clientKey{id, c.Client.Addr(), c.VIP}); !f.clients[key] {
		f.clients[key] = true
		f.asked = append(f.asked, asked{service: id, flow: flow})
	}
}

// isAdopted reports whether a service that the plan adds gets new connections to the VIP
// of an old one.
func (f *finder) isAdopted(c *Connection) bool {
	return !c.IsTemplate() && (f.touched[NewServiceID(c.Protocol, c.VIP)] || f.touched[allPorts(c.Protocol, c.VIP.Addr())])
}

// allPorts returns the ID of the service of all ports of an address.
func allPorts(p Protocol, vip netip.Addr) ServiceID {
	return NewServiceID(p, netip.AddrPortFrom(vip, 0))
}

// unusedPort returns a port of a client that no connection has.
func (f *finder) unusedPort(client netip.Addr) netip.AddrPort {
	const first = 1024
	if at, known := f.unused[client]; known {
		return at
	}
	for port := uint16(first); port != 0; port++ {
		if at := netip.AddrPortFrom(client, port); !f.ports[at] {
			f.unused[client] = at
			return at
		}
	}
	return netip.AddrPortFrom(client, first)
}

// ofTemplate returns the clients that a template ties, which have no connection now.
func (f *finder) ofTemplate(t foundTemplate) asked {
	const anyPort = 1024
	c := t.conn
	flow := Flow{Protocol: cmp.Or(c.Protocol, ProtocolTCP), Client: netip.AddrPortFrom(c.Client.Addr(), anyPort), VIP: c.VIP, FWMark: t.service.FWMark()}
	switch {
	case flow.FWMark != 0: // its VIP is the mark
		flow.VIP = netip.AddrPortFrom(c.Client.Addr(), anyPort)
	case flow.VIP.Port() == 0:
		flow.VIP = netip.AddrPortFrom(c.VIP.Addr(), cmp.Or(t.service.AddrPort().Port(), anyPort))
	}
	a := asked{service: t.service, flow: flow}
	if c.Engine != "" { // the client may have connections, of this key or another
		a.key, a.flow.Client = &c.Data, f.unusedPort(c.Client.Addr())
	}
	return a
}
