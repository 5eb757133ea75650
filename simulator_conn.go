package lvs

import (
	"errors"
	"net/netip"
)

// SimConn drives one connection through a [Simulator], playing the client and the
// real server. It sends what a correct peer would send; for anything else there
// is [Simulator.Deliver]. Leaving it alone is silence: it expires. A Conn is for
// one goroutine at a time.
type SimConn struct {
	sim    *Simulator
	flow   Flow
	opened Verdict
	last   Verdict
}

// NotForwardedError says that a packet of a [SimConn] did not reach a real server
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
func (s *Simulator) Connect(f Flow) (*SimConn, error) {
	if bad := f.validate(); bad != nil {
		return nil, bad.about(OpConnect, f.String())
	}
	c := &SimConn{sim: s, flow: f}
	if err := c.toServer(SimSYN, 0); err != nil {
		return nil, err
	}
	c.opened = c.last
	if c.isTCP() {
		if err := c.toClient(SimSYN|SimACK, 0); err != nil {
			return nil, err
		}
		if err := c.toServer(SimACK, 0); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Server returns the real server that has the connection.
func (c *SimConn) Server() netip.AddrPort { return c.opened.Server }

// Verdict returns what became of the first packet: why this server was picked.
func (c *SimConn) Verdict() Verdict { return c.opened }

// State returns the state of the connection after the last packet.
func (c *SimConn) State() ConnState { return c.last.State }

// Send sends data from the client, in one packet.
func (c *SimConn) Send(bytes int) error { return c.toServer(SimACK, bytes) }

// Reply sends data from the real server, in one packet. With any mode but [NAT]
// replies do not pass the director, and IPVS sees nothing of them.
func (c *SimConn) Reply(bytes int) error { return c.toClient(SimACK, bytes) }

// CloseClient closes the client's side; the other stays open. It does nothing
// with UDP.
func (c *SimConn) CloseClient() error { return c.close(c.toServer, c.toClient) }

// CloseServer closes the real server's side; the other stays open. It does
// nothing with UDP.
func (c *SimConn) CloseServer() error { return c.close(c.toClient, c.toServer) }

// close sends the last packet of one side, and its acknowledgement.
func (c *SimConn) close(from, to func(SimTCPFlags, int) error) error {
	if !c.isTCP() {
		return nil
	}
	return errors.Join(from(SimFIN|SimACK, 0), to(SimACK, 0))
}

// Close closes both sides, the client's first.
func (c *SimConn) Close() error { return errors.Join(c.CloseClient(), c.CloseServer()) }

// Reset ends the connection from the client's side, at once. It does nothing
// with UDP.
func (c *SimConn) Reset() error {
	if !c.isTCP() {
		return nil
	}
	return c.toServer(SimRST, 0)
}

func (c *SimConn) isTCP() bool { return c.flow.protocol() == ProtocolTCP }

func (c *SimConn) toServer(flags SimTCPFlags, data int) error {
	return c.deliver(ActionForwarded, data, SimPacket{
		Protocol: c.flow.protocol(), Source: c.flow.Client, Destination: c.flow.VIP,
		TCP: flags, FWMark: c.flow.FWMark,
	})
}

// toClient shows IPVS a reply, if it passes the director.
func (c *SimConn) toClient(flags SimTCPFlags, data int) error {
	if c.opened.Mode.method() != NAT().method() {
		return nil
	}
	return c.deliver(ActionReplied, data, SimPacket{
		Protocol: c.flow.protocol(), Source: c.last.Target(), Destination: c.flow.Client,
		TCP: flags,
	})
}

func (c *SimConn) deliver(want Action, data int, p SimPacket) error {
	if data < 0 {
		return invalid("bytes", "%d is negative", data).about(OpDeliver, "packet")
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
