package lvs

import (
	"errors"
	"net/netip"
)

// SimConn is a connection through a [Simulator]. It plays both the client and the real
// server, and sends what correct peers would send; use [Simulator.Deliver] for anything
// else. A connection on which nothing is sent expires. Only one goroutine at a time may
// use a SimConn.
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
	Verdict Verdict // what happened to the packet, and why
}

// Error describes the connection and the verdict.
func (e *NotForwardedError) Error() string {
	return "lvs: " + e.Flow.String() + ": " + e.Verdict.String()
}

// Connect opens a connection, with TCP by a handshake and with UDP by an empty datagram.
// The error is a [*NotForwardedError] if a packet was not forwarded, matches
// [ErrInvalid] if f is not a flow, and is that of [Simulator.Deliver] otherwise.
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

// Verdict returns what happened to the first packet, and so why the server was picked.
func (c *SimConn) Verdict() Verdict { return c.opened }

// State returns the state of the connection after the last packet.
func (c *SimConn) State() ConnState { return c.last.State }

// Send sends data from the client, in one packet.
func (c *SimConn) Send(bytes int) error { return c.toServer(SimACK, bytes) }

// Reply sends data from the real server, in one packet. With any mode but [NAT], replies
// do not pass through the director, and IPVS does not see them.
func (c *SimConn) Reply(bytes int) error { return c.toClient(SimACK, bytes) }

// CloseClient closes the client's side; the other side stays open. With UDP it does
// nothing.
func (c *SimConn) CloseClient() error { return c.close(c.toServer, c.toClient) }

// CloseServer closes the real server's side; the other side stays open. With UDP it does
// nothing.
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

// Reset resets the connection from the client's side. With UDP it does nothing.
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

// toClient delivers a reply, if replies pass through the director.
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
