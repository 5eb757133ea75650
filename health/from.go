package health

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

// From asks with a probe from an address, a port or an interface of this host, or with a
// firewall mark, where the routes would choose others. One of these must be set.
//
// It works where [Options.Network] is nil. Interface and Mark need Linux, and Mark needs
// CAP_NET_ADMIN: elsewhere probes fail with [errors.ErrUnsupported].
type From struct {
	Addr      netip.Addr `json:"addr"`      // source address; the zero value lets the routes choose
	Port      uint16     `json:"port"`      // source port; 0 is any free one
	Interface string     `json:"interface"` // interface by which packets leave, such as "eth1"; "" lets the routes choose
	Mark      uint32     `json:"mark"`      // firewall mark of packets, for routing rules; 0 is none
	Ask       Probe      `json:"ask"`       // probe that asks; must be set
}

// String returns the probe in words, with what is chosen.
func (p From) String() string {
	source := ""
	if p.Addr.IsValid() {
		source = p.Addr.String()
	}
	if p.Port != 0 {
		source = strings.TrimSpace(fmt.Sprintf("%s port %d", source, p.Port))
	}
	if p.Interface != "" {
		source = strings.TrimSpace(source + " " + p.Interface)
	}
	if p.Mark != 0 {
		source = strings.TrimSpace(fmt.Sprintf("%s mark %d", source, p.Mark))
	}
	return words(describe(p.Ask), "from", source)
}

func (p From) validate() error {
	switch {
	case !p.Addr.IsValid() && p.Port == 0 && p.Interface == "" && p.Mark == 0:
		return invalid("Addr", "must be set, or Port, Interface or Mark")
	case p.Addr.IsValid() && (p.Addr.IsUnspecified() || p.Addr.IsMulticast()):
		return invalid("Addr", "%s is not the address of a host", p.Addr)
	case len(p.Interface) > 15 || strings.ContainsAny(p.Interface, "/: \t\n\x00"):
		return invalid("Interface", "%q is not the name of an interface", clip(p.Interface))
	}
	return within("Ask", validateProbe(p.Ask))
}

func (p From) silence() time.Duration { return silenceOf(p.Ask) }

// Probe asks from there.
func (p From) Probe(ctx context.Context, t Target) (Answer, error) {
	if t.Network != nil {
		return Answer{}, fmt.Errorf("a probe can choose where it comes from only in the network of this host, not in a %T", t.Network)
	}
	t.Network = fromNetwork(p)
	return p.Ask.Probe(ctx, t)
}

func (p From) directOnly() bool { return true }

// identity differs by what is asked, and not only by its fields.
func (p From) identity() string {
	return fmt.Sprintf("%s %d %q %d %s", p.Addr, p.Port, p.Interface, p.Mark, identify(p.Ask))
}

// MarshalJSON returns the fields in JSON, with what is asked as [MarshalProbe] returns it.
func (p From) MarshalJSON() ([]byte, error) { return encode(&p) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (p *From) UnmarshalJSON(text []byte) error { return decode(text, p) }

// fromNetwork opens connections as a From says.
type fromNetwork From

// DialContext implements [Network].
func (n fromNetwork) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Control: n.control, LocalAddr: n.local(network), KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, explainMarked(err, n.Addr)
	}
	return conn, nil
}

// local returns where connections come from; nil lets the kernel choose.
func (n fromNetwork) local(network string) net.Addr {
	from := netip.AddrPortFrom(n.Addr, n.Port)
	switch {
	case from == netip.AddrPort{}:
		return nil
	case strings.HasPrefix(network, "tcp"):
		return net.TCPAddrFromAddrPort(from)
	case strings.HasPrefix(network, "udp"):
		return net.UDPAddrFromAddrPort(from)
	case !n.Addr.IsValid():
		return nil
	}
	return &net.IPAddr{IP: n.Addr.AsSlice(), Zone: n.Addr.Zone()}
}
