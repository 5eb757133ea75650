package lvs

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
)

// RealServer is one of the servers behind a service, which knows it by its
// address and port.
type RealServer struct {
	// Addr is the server's address and port (RIP). Only [NAT] can use a port
	// other than the service's; port 0 means the port that the client asked
	// for, and is what servers of a firewall mark and of port 0 have.
	Addr netip.AddrPort `json:"addr" yaml:"addr"`

	// Mode is how packets get to the server; zero is [DR].
	Mode Mode `json:"mode" yaml:"mode"`

	// Weight is the server's capacity in relation to the others', 0 to
	// 2147483647. 0 takes no new connections and keeps those that there are.
	// In JSON and YAML an absent weight is 1.
	Weight int `json:"weight" yaml:"weight"`

	// UpperThreshold is the number of connections at which the server takes no
	// more, at most 2147483647; 0 is no limit.
	UpperThreshold uint32 `json:"upperThreshold,omitempty" yaml:"upperThreshold,omitempty"`

	// LowerThreshold is the number of connections below which a server that
	// was full takes new ones again, at most UpperThreshold; 0 is three
	// quarters of it.
	LowerThreshold uint32 `json:"lowerThreshold,omitempty" yaml:"lowerThreshold,omitempty"`
}

// NewRealServer returns a server of weight 1.
func NewRealServer(addr netip.AddrPort, mode Mode) RealServer {
	return RealServer{Addr: addr, Mode: mode, Weight: 1}
}

// Equal tells whether the kernel would see the same server: an IPv4 address
// that is mapped into IPv6 is that IPv4 address.
func (s RealServer) Equal(other RealServer) bool { return s.normal() == other.normal() }

func (s RealServer) normal() RealServer {
	s.Addr = unmap(s.Addr)
	return s
}

// String shows the server in one line, such as "10.168.0.94:80 nat weight 1".
func (s RealServer) String() string {
	text := fmt.Sprintf("%s %s weight %d", s.Addr, s.Mode, s.Weight)
	if s.UpperThreshold != 0 || s.LowerThreshold != 0 {
		text += fmt.Sprintf(" thresholds %d %d", s.UpperThreshold, s.LowerThreshold)
	}
	return text
}

// UnmarshalJSON takes an absent weight as 1.
func (s *RealServer) UnmarshalJSON(text []byte) error {
	return s.unmarshal(func(v any) error { return json.Unmarshal(text, v) })
}

// UnmarshalYAML takes an absent weight as 1. It is the method that the usual
// YAML packages look for.
func (s *RealServer) UnmarshalYAML(unmarshal func(any) error) error {
	return s.unmarshal(unmarshal)
}

func (s *RealServer) unmarshal(into func(any) error) error {
	type plain RealServer // without these methods
	p := plain{Weight: 1}
	if err := into(&p); err != nil {
		return err
	}
	*s = RealServer(p)
	return nil
}

// validate refuses what can never work, as [Service.validate] does.
func (s RealServer) validate(id ServiceID, was *RealServer) *Error {
	fresh := was == nil
	if fresh {
		if err := validateServerAddr(s.Addr); err != nil {
			return err
		}
		was = &RealServer{}
	}
	if fresh || s.Mode != was.Mode {
		if err := s.Mode.validate(); err != nil {
			return err
		}
		if err := s.fits(id); err != nil {
			return err
		}
	}
	if s.Weight < 0 || s.Weight > math.MaxInt32 {
		return invalid("Weight", "%d is not within 0 and %d", s.Weight, math.MaxInt32)
	}
	if s.UpperThreshold > math.MaxInt32 && (fresh || s.UpperThreshold != was.UpperThreshold) {
		return invalid("UpperThreshold", "%d is above %d", s.UpperThreshold, math.MaxInt32)
	}
	changed := s.UpperThreshold != was.UpperThreshold || s.LowerThreshold != was.LowerThreshold
	if s.LowerThreshold > s.UpperThreshold && (fresh || changed) {
		return invalid("LowerThreshold", "%d is above the upper threshold, %d", s.LowerThreshold, s.UpperThreshold)
	}
	return nil
}

func validateServerAddr(a netip.AddrPort) *Error {
	switch {
	case !a.Addr().IsValid():
		return invalid("Addr", "is no address")
	case a.Addr().Zone() != "":
		return invalid("Addr", "IPVS has no zones, and %s has one", a.Addr())
	case a.Addr().IsUnspecified() || a.Addr().IsMulticast():
		return invalid("Addr", "%s is no address of a server", a.Addr())
	}
	return nil
}

// fits tells whether the server can serve the service in its mode.
func (s RealServer) fits(id ServiceID) *Error {
	if is6 := unmap(s.Addr).Addr().Is6(); is6 != id.Is6() && !s.Mode.IsTunnel() {
		return invalid("Mode", "an %s server of an %s service must be reached through a tunnel, not by %s",
			familyName(is6), familyName(id.Is6()), s.Mode)
	}
	if s.Mode == NAT() || s.Addr.Port() == id.vip.Port() {
		return nil
	}
	if id.mark != 0 {
		return invalid("Addr", "%s does not rewrite ports, so a server of a firewall mark must have port 0, not %d",
			s.Mode, s.Addr.Port())
	}
	return invalid("Addr", "%s does not rewrite ports, so the server's must be the service's, %d, not %d",
		s.Mode, id.vip.Port(), s.Addr.Port())
}

// RealServerStatus is a real server as the kernel reports it.
type RealServerStatus struct {
	RealServer

	// ActiveConns counts the established connections, TCP ones from their
	// first SYN on.
	ActiveConns uint32 `json:"activeConns" yaml:"activeConns"`

	// InactiveConns counts all others: ending ones, and every UDP flow.
	InactiveConns uint32 `json:"inactiveConns" yaml:"inactiveConns"`

	// PersistentConns counts the clients that persistence ties to the server.
	PersistentConns uint32 `json:"persistentConns" yaml:"persistentConns"`

	Stats Stats `json:"stats" yaml:"stats"` // its counters
}

// UnmarshalJSON keeps the counts, which RealServer's own would drop.
func (s *RealServerStatus) UnmarshalJSON(text []byte) error {
	return s.unmarshal(func(v any) error { return json.Unmarshal(text, v) })
}

// UnmarshalYAML keeps the counts, which RealServer's own would drop.
func (s *RealServerStatus) UnmarshalYAML(unmarshal func(any) error) error {
	return s.unmarshal(unmarshal)
}

func (s *RealServerStatus) unmarshal(into func(any) error) error {
	if err := s.RealServer.unmarshal(into); err != nil {
		return err
	}
	var counts struct {
		ActiveConns     uint32 `json:"activeConns" yaml:"activeConns"`
		InactiveConns   uint32 `json:"inactiveConns" yaml:"inactiveConns"`
		PersistentConns uint32 `json:"persistentConns" yaml:"persistentConns"`
		Stats           Stats  `json:"stats" yaml:"stats"`
	}
	if err := into(&counts); err != nil {
		return err
	}
	s.ActiveConns, s.InactiveConns = counts.ActiveConns, counts.InactiveConns
	s.PersistentConns, s.Stats = counts.PersistentConns, counts.Stats
	return nil
}
