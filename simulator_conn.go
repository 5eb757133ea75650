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
	closed bool // an SCTP association
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

// Connect opens a connection, with TCP and SCTP by a handshake and with other protocols by
// a packet that has only the flow's Data, as each datagram of the connection has. The error
// is a [*NotForwardedError] if a packet was not forwarded, matches [ErrInvalid] if f is not
// a flow, and is that of [Simulator.Deliver] otherwise.
func (s *Simulator) Connect(f Flow) (*SimConn, error) {
	if bad := f.validate(); bad != nil {
		return nil, bad.about(OpConnect, f.String())
	}
	c := &SimConn{sim: s, flow: f}
	steps := handshakes[f.protocol()]
	if steps == nil {
		steps = []turn{{}}
	}
	for i, step := range steps {
		if err := c.send(step, 0); err != nil {
			return nil, err
		}
		if i == 0 {
			c.opened = c.last
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
func (c *SimConn) Send(bytes int) error { return c.send(turn{tcp: SimACK, sctp: SimSCTPData}, bytes) }

// Reply sends data from the real server, in one packet. With any mode but [NAT], replies
// do not pass through the director, and IPVS does not see them.
func (c *SimConn) Reply(bytes int) error {
	return c.send(turn{server: true, tcp: SimACK, sctp: SimSCTPData}, bytes)
}

// CloseClient closes the client's side; the other side stays open. With SCTP both sides
// close, upon the client's SHUTDOWN. With other protocols it does nothing.
func (c *SimConn) CloseClient() error { return c.close(false) }

// CloseServer closes the real server's side; the other side stays open. With SCTP both
// sides close, upon the server's SHUTDOWN. With other protocols it does nothing.
func (c *SimConn) CloseServer() error { return c.close(true) }

// close sends the last packets of one side, and what acknowledges them.
func (c *SimConn) close(server bool) (err error) {
	switch c.flow.protocol() {
	case ProtocolTCP:
		return c.sendAll(turn{server, SimFIN | SimACK, ""}, turn{!server, SimACK, ""})
	case ProtocolSCTP:
		if c.closed {
			return nil
		}
		c.closed = true
		return c.sendAll(turn{server, 0, SimSCTPShutdown}, turn{!server, 0, SimSCTPShutdownAck}, turn{server, 0, SimSCTPShutdownComplete})
	}
	return nil
}

// Close closes both sides, the client's first.
func (c *SimConn) Close() error { return errors.Join(c.CloseClient(), c.CloseServer()) }

// Reset resets the connection from the client's side; with SCTP it aborts the
// association. With other protocols it does nothing.
func (c *SimConn) Reset() error {
	if p := c.flow.protocol(); p != ProtocolTCP && p != ProtocolSCTP {
		return nil
	}
	c.closed = true
	return c.send(turn{tcp: SimRST, sctp: SimSCTPAbort}, 0)
}

// turn is a packet of a connection.
type turn struct {
	server bool // sends it
	tcp    SimTCPFlags
	sctp   SimSCTPChunks
}

// handshakes are what is sent to open a connection.
var handshakes = map[Protocol][]turn{
	ProtocolTCP:  {{false, SimSYN, ""}, {true, SimSYN | SimACK, ""}, {false, SimACK, ""}},
	ProtocolSCTP: {{false, 0, SimSCTPInit}, {true, 0, SimSCTPInitAck}, {false, 0, SimSCTPCookieEcho}, {true, 0, SimSCTPCookieAck}},
}

// sendAll sends packets, even if one before is not forwarded.
func (c *SimConn) sendAll(all ...turn) (err error) {
	for _, one := range all {
		err = errors.Join(err, c.send(one, 0))
	}
	return err
}

// send sends a packet with data, unless it is of the server's and does not pass through
// the director.
func (c *SimConn) send(s turn, data int) error {
	p := SimPacket{Protocol: c.flow.protocol(), Source: c.flow.Client, Destination: c.flow.VIP, FWMark: c.flow.FWMark}
	want := ActionForwarded
	if s.server {
		if c.opened.Mode.method() != NAT().method() {
			return nil
		}
		p.Source, p.Destination, p.FWMark = c.last.Target(), c.flow.Client, 0
		want = ActionReplied
	}
	switch p.Protocol {
	case ProtocolTCP:
		p.TCP = s.tcp
	case ProtocolSCTP:
		p.SCTP = s.sctp
	}
	if data < 0 {
		return invalid("bytes", "%d is negative", data).about(OpDeliver, "packet")
	}
	if p.Protocol == ProtocolUDP {
		p.Data = c.flow.Data
	}
	p.Length = p.headers() + max(data, len(p.Data))
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
