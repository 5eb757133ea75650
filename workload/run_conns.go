package workload

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// conn is an open connection.
type conn struct {
	client, address  int32
	server           int32
	port, serverPort uint16
	nat              bool // its replies pass the director
	open             bool
	served           bool // it does not wait for its server
	number           uint32
	timer            uint32 // number of the timer that counts
	dest             netip.AddrPort
	arrived, ends    time.Duration
	work             time.Duration // for a server of speed 1
}

// connections holds connections by numbers that are used again.
type connections struct {
	all    []conn
	unused []int32
}

func (t *connections) at(id int32) *conn { return &t.all[id] }

// add adds a connection.
func (t *connections) add(c conn) int32 {
	c.open = true
	if n := len(t.unused); n > 0 {
		id := t.unused[n-1]
		t.unused = t.unused[:n-1]
		c.number, c.timer = t.all[id].number+1, t.all[id].timer
		t.all[id] = c
		return id
	}
	t.all = append(t.all, c)
	return int32(len(t.all) - 1)
}

// remove forgets a connection, with its tickets and timers.
func (t *connections) remove(id int32) {
	c := &t.all[id]
	c.open = false
	c.number++
	c.timer++
	t.unused = append(t.unused, id)
}

// portsOf calls yield for each port that an address uses.
func (t *connections) portsOf(address int, yield func(uint16)) {
	for i := range t.all {
		if c := &t.all[i]; c.open && int(c.address) == address {
			yield(c.port)
		}
	}
}

// packet returns a packet of the client's.
func (r *run) packet(c *conn, s signal) lvs.SimPacket {
	p := lvs.SimPacket{
		Protocol: protocolOf(r.Service), FWMark: r.Service.FWMark(),
		Source: netip.AddrPortFrom(r.crowd.addr(int(c.address)), c.port), Destination: c.dest,
	}
	s.put(&p)
	call(&p, r.served.Persistence.Engine)
	return p
}

// send sends a packet from the client to the server.
func (r *run) send(c *conn, s signal) error {
	_, err := r.sim.Deliver(r.packet(c, s))
	return err
}

// reply sends a packet from the server to the client, which the director sees
// with NAT only.
func (r *run) reply(c *conn, s signal) error {
	if !c.nat {
		return nil
	}
	p := r.packet(c, s)
	server := r.backends[c.server].Addr.Addr()
	p.Source, p.Destination, p.FWMark = netip.AddrPortFrom(server, c.serverPort), p.Source, 0
	_, err := r.sim.Deliver(p)
	return err
}

// handshake is what follows the first packet of a connection.
func (r *run) handshake(c *conn) error {
	switch protocolOf(r.Service) {
	case lvs.ProtocolTCP:
		return r.exchange(c, accepts, confirms)
	case lvs.ProtocolSCTP:
		return r.exchange(c, accepts, confirms, confirmed)
	}
	return nil
}

// farewell ends a connection: the client first, as with HTTP.
func (r *run) farewell(c *conn) error {
	if !hasConnections(protocolOf(r.Service)) {
		return nil
	}
	if err := r.send(c, closes); err != nil {
		return err
	}
	return r.exchange(c, answers, ends)
}

// exchange sends packets from the server and from the client by turns.
func (r *run) exchange(c *conn, all ...signal) (err error) {
	for i, s := range all {
		if i%2 == 0 {
			err = r.reply(c, s)
		} else {
			err = r.send(c, s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
