package lvs

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ConnState is the state of a connection, by the kernel's name for it.
type ConnState string

// States of TCP connections, the state of all UDP flows, and the two of
// persistence templates. See [Timeouts] for how long some of them last; the
// others last, in seconds: SYN_SENT 120, SYN_RECV 60, TIME_WAIT 120, CLOSE 10,
// CLOSE_WAIT 60, LAST_ACK 30.
const (
	StateNone        ConnState = "NONE" // also a template of which no connection was established
	StateEstablished ConnState = "ESTABLISHED"
	StateSynSent     ConnState = "SYN_SENT"
	StateSynRecv     ConnState = "SYN_RECV"
	StateFinWait     ConnState = "FIN_WAIT"
	StateTimeWait    ConnState = "TIME_WAIT"
	StateClose       ConnState = "CLOSE"
	StateCloseWait   ConnState = "CLOSE_WAIT"
	StateLastAck     ConnState = "LAST_ACK"
	StateListen      ConnState = "LISTEN"
	StateSynAck      ConnState = "SYNACK"
	StateUDP         ConnState = "UDP"
	StateAssured     ConnState = "ASSURED" // a template of which a connection was established
)

// Connection is an entry of the kernel's connection table: a connection, or a
// template, which persistence keeps to send a client to the same real server
// again.
type Connection struct {
	Protocol Protocol       `json:"protocol"`         // 0 for the template of a firewall mark
	Client   netip.AddrPort `json:"client"`           // of a template: the client's network, port 0
	VIP      netip.AddrPort `json:"vip"`              // of a template: port 0 stands for all; a mark stands in the place of the address
	Server   netip.AddrPort `json:"server"`           // the zero address for a connection that cache_bypass let pass
	State    ConnState      `json:"state"`            // after its last packet
	Expires  time.Duration  `json:"expires"`          // until it is forgotten, in whole seconds; JSON has nanoseconds
	Engine   string         `json:"engine,omitempty"` // persistence engine
	Data     string         `json:"data,omitempty"`   // the engine's
}

// Equal tells whether both are the same entry in the same state, as == does.
func (c Connection) Equal(other Connection) bool { return c == other }

// IsTemplate tells whether the entry is a persistence template.
func (c Connection) IsTemplate() bool { return c.Client.Port() == 0 }

// Connections returns the kernel's connection table, in no order. The kernel
// lets a reader miss entries, or see them twice, while others come and go. Cost
// grows with the table. An error of the kind [ErrUnavailable] means that there
// is no IPVS.
func (h *Host) Connections(ctx context.Context) ([]Connection, error) {
	const path = "/proc/net/ip_vs_conn"
	text, err := h.readFile(ctx, path)
	if err != nil {
		return nil, err
	}
	var all []Connection
	for i, line := range strings.Split(string(text), "\n") {
		if i == 0 || line == "" {
			continue
		}
		c, err := parseConnection(line)
		if err != nil {
			return nil, (&Error{cause: err}).about("read", fmt.Sprintf("%s, line %d", path, i+1))
		}
		all = append(all, c)
	}
	return all, nil
}

func parseConnection(line string) (c Connection, err error) {
	f := strings.Fields(line)
	if len(f) < 9 {
		return c, fmt.Errorf("%q has %d fields, want 9 or more", line, len(f))
	}
	if c.Protocol, err = parseListedProtocol(f[0]); err != nil {
		return c, err
	}
	for i, to := range []*netip.AddrPort{&c.Client, &c.VIP, &c.Server} {
		if *to, err = parseHexAddrPort(f[1+2*i], f[2+2*i]); err != nil {
			return c, err
		}
	}
	c.State = ConnState(f[7])
	seconds, err := strconv.ParseUint(f[8], 10, 32)
	if err != nil {
		return c, fmt.Errorf("%q is no number of seconds", f[8])
	}
	c.Expires = time.Duration(seconds) * time.Second
	if len(f) > 9 {
		c.Engine = f[9]
		c.Data = strings.Join(f[10:], " ")
	}
	return c, nil
}

// parseListedProtocol reads a protocol as /proc has it.
func parseListedProtocol(s string) (Protocol, error) {
	if p, ok := parseProtocol(strings.ToLower(s)); ok {
		return p, nil
	}
	if s == "IP" {
		return 0, nil
	}
	number, ok := strings.CutPrefix(s, "IP_")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is no protocol", s)
	}
	return Protocol(n), nil
}

// parseHexAddrPort reads an address as /proc has it: IPv4 in eight hexadecimal
// digits, IPv6 written out.
func parseHexAddrPort(addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		raw, _ := hex.DecodeString(addr)
		if len(raw) != 4 {
			return netip.AddrPort{}, fmt.Errorf("%q is no address", addr)
		}
		a = netip.AddrFrom4([4]byte(raw))
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no port", port)
	}
	return netip.AddrPortFrom(a, uint16(p)), nil
}

// owns tells whether a connection is the flow's.
func (f Flow) owns(c Connection) bool {
	return c.Protocol == f.Protocol && c.Client == f.Client && c.VIP == f.VIP
}
