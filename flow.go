package lvs

import (
	"errors"
	"fmt"
	"net/netip"
)

// Flow is who talks to whom: a client to a virtual address.
type Flow struct {
	Protocol Protocol       `json:"protocol"`         // [ProtocolTCP] or [ProtocolUDP]; 0 is TCP
	Client   netip.AddrPort `json:"client"`           // its address and port
	VIP      netip.AddrPort `json:"vip"`              // the virtual address and port
	FWMark   uint32         `json:"fwmark,omitempty"` // the firewall's mark on the client's packets; 0 is none
}

// Equal tells whether both are the same flow, as == does.
func (f Flow) Equal(other Flow) bool { return f == other }

// String shows the flow in one line.
func (f Flow) String() string { return fmt.Sprintf("%s %s -> %s", f.protocol(), f.Client, f.VIP) }

func (f Flow) validate() *Error {
	if p := f.protocol(); p > 255 {
		return invalid("Protocol", "%s is not a protocol of a packet", p)
	}
	return validateEnds(f.protocol(), "Client", f.Client, "VIP", f.VIP)
}

// owns tells whether a connection is the flow's.
func (f Flow) owns(c Connection) bool {
	return c.Protocol == f.Protocol && c.Client == f.Client && c.VIP == f.VIP
}

func (f Flow) protocol() Protocol {
	if f.Protocol == 0 {
		return ProtocolTCP
	}
	return f.Protocol
}

// Conn drives one connection through a [Simulator], playing the client and the
// real server. It sends what a correct peer would send; for anything else there
// is [Simulator.Deliver]. Leaving it alone is silence: it expires. A Conn is for
// one goroutine at a time.
type Conn struct {
	sim    *Simulator
	flow   Flow
	opened Verdict
	last   Verdict
}

// NotForwardedError says that a packet of a [Conn] did not reach a real server
// or the client. It is what a client sees as a refused connection or as silence.
type NotForwardedError struct {
	Flow    Flow    // the connection
	Verdict Verdict // what became of the packet, and why
}

func (e *NotForwardedError) Error() string {
	return "lvs: " + e.Flow.String() + ": " + e.Verdict.String()
}

// Connect opens a connection: with TCP by the handshake, with UDP by a datagram
// of no data. The error is a [*NotForwardedError], of the kind [ErrInvalid] for what
// is not a flow, or [Simulator.Deliver]'s.
func (s *Simulator) Connect(f Flow) (*Conn, error) {
	if bad := f.validate(); bad != nil {
		return nil, bad.about("open", "connection "+f.String())
	}
	c := &Conn{sim: s, flow: f}
	if err := c.toServer(SYN, 0); err != nil {
		return nil, err
	}
	c.opened = c.last
	if c.isTCP() {
		if err := c.toClient(SYN|ACK, 0); err != nil {
			return nil, err
		}
		if err := c.toServer(ACK, 0); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Server returns the real server that has the connection.
func (c *Conn) Server() netip.AddrPort { return c.opened.Server }

// Opened returns what became of the first packet: why this server was picked.
func (c *Conn) Opened() Verdict { return c.opened }

// State returns the state of the connection after the last packet.
func (c *Conn) State() ConnState { return c.last.State }

// Send sends data from the client, in one packet.
func (c *Conn) Send(bytes int) error { return c.toServer(ACK, bytes) }

// Reply sends data from the real server, in one packet. With any mode but [NAT]
// replies do not pass the director, and IPVS sees nothing of them.
func (c *Conn) Reply(bytes int) error { return c.toClient(ACK, bytes) }

// CloseClient closes the client's side; the other stays open. It does nothing
// with UDP.
func (c *Conn) CloseClient() error { return c.close(c.toServer, c.toClient) }

// CloseServer closes the real server's side; the other stays open. It does
// nothing with UDP.
func (c *Conn) CloseServer() error { return c.close(c.toClient, c.toServer) }

// close sends the last packet of one side, and its acknowledgement.
func (c *Conn) close(from, to func(TCPFlags, int) error) error {
	if !c.isTCP() {
		return nil
	}
	return errors.Join(from(FIN|ACK, 0), to(ACK, 0))
}

// Close closes both sides, the client's first.
func (c *Conn) Close() error { return errors.Join(c.CloseClient(), c.CloseServer()) }

// Reset ends the connection from the client's side, at once. It does nothing
// with UDP.
func (c *Conn) Reset() error {
	if !c.isTCP() {
		return nil
	}
	return c.toServer(RST, 0)
}

func (c *Conn) isTCP() bool { return c.flow.protocol() == ProtocolTCP }

func (c *Conn) toServer(flags TCPFlags, data int) error {
	return c.deliver(Forwarded, data, Packet{
		Protocol: c.flow.protocol(), Source: c.flow.Client, Destination: c.flow.VIP,
		TCP: flags, FWMark: c.flow.FWMark,
	})
}

// toClient shows IPVS a reply, if it passes the director.
func (c *Conn) toClient(flags TCPFlags, data int) error {
	if c.opened.Mode.method() != NAT.method() {
		return nil
	}
	return c.deliver(Replied, data, Packet{
		Protocol: c.flow.protocol(), Source: netip.AddrPortFrom(c.last.Server.Addr(), c.last.Port), Destination: c.flow.Client,
		TCP: flags,
	})
}

func (c *Conn) deliver(want Action, data int, p Packet) error {
	if data < 0 {
		return invalid("bytes", "%d is negative", data).about("send", "packet")
	}
	if !c.isTCP() {
		p.TCP = 0
	}
	p.Length = headersOf(p.Protocol, unmap(p.Destination)) + data
	v, err := c.sim.Deliver(p)
	if err != nil {
		return err
	}
	if v.Action != want {
		return &NotForwardedError{c.flow, v}
	}
	c.last = v
	return nil
}
