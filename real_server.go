package lvs

import (
	"fmt"
	"math"
	"net/netip"
)

// RealServer is one of the servers behind a service. Its address and port
// identify it within the service.
//
// In JSON and YAML an absent weight is 1, while the zero value of Weight is 0,
// which gets no connections: use [NewRealServer] in Go. Unknown fields match
// [ErrInvalid]. So a struct that embeds RealServer cannot be decoded, because it
// inherits the methods that refuse its other fields: use a field with a name.
type RealServer struct {
	// Addr is the server's address and port (RIP). Only [NAT] can use a port
	// other than the service's. Port 0 means the port that the client used; the
	// servers of a firewall mark, and of a service of port 0, have it. The
	// unspecified address, multicast and 255.255.255.255 are refused. The kernel
	// also refuses broadcast addresses of its networks, and link-local ones of
	// others.
	Addr netip.AddrPort `json:"addr" yaml:"addr"`

	// Mode is how packets reach the server; the zero value is [DR].
	Mode Mode `json:"mode" yaml:"mode"`

	// Weight is the server's capacity relative to the others, 0 to 2147483647.
	// With 0, it gets no new connections; existing ones continue.
	Weight int `json:"weight" yaml:"weight"`

	// UpperThreshold is the number of connections at which the server gets no
	// more, at most 2147483647; 0 means unlimited.
	UpperThreshold int `json:"upperThreshold,omitempty" yaml:"upperThreshold,omitempty"`

	// LowerThreshold is the number of connections below which a server that
	// was full gets new ones again, at most UpperThreshold; 0 is three quarters
	// of it.
	LowerThreshold int `json:"lowerThreshold,omitempty" yaml:"lowerThreshold,omitempty"`
}

// NewRealServer returns a server of weight 1.
func NewRealServer(addr netip.AddrPort, mode Mode) RealServer {
	return RealServer{Addr: addr, Mode: mode, Weight: 1}
}

// Equal reports whether the kernel would see the same server: an IPv4 address
// that is mapped into IPv6 is that IPv4 address.
func (s RealServer) Equal(other RealServer) bool { return s.normal() == other.normal() }

func (s RealServer) normal() RealServer {
	s.Addr = unmap(s.Addr)
	return s
}

// String returns the server in one line, such as "10.168.0.94:80 nat weight 1".
func (s RealServer) String() string {
	text := fmt.Sprintf("%s %s weight %d", s.Addr, s.Mode, s.Weight)
	if s.UpperThreshold != 0 || s.LowerThreshold != 0 {
		text += fmt.Sprintf(" thresholds %d %d", s.UpperThreshold, s.LowerThreshold)
	}
	return text
}

// UnmarshalJSON decodes a server, whose weight is 1 if absent. Errors match
// [ErrInvalid].
func (s *RealServer) UnmarshalJSON(text []byte) error {
	return unmarshalStrict("lvs.RealServer", text, s)
}

// UnmarshalYAML decodes a server as UnmarshalJSON does. It is the method that
// YAML packages look for.
func (s *RealServer) UnmarshalYAML(unmarshal func(any) error) error {
	return unmarshalStrictYAML("lvs.RealServer", unmarshal, s)
}

func (s *RealServer) setDefaults() { *s = RealServer{Weight: 1} }

// Validate returns the error with which [Client.Do] would refuse to add the
// server to the service, or nil. The error is an [*Error] that matches
// [ErrInvalid] and names the field. The kernel may refuse a valid server.
func (s RealServer) Validate(id ServiceID) error {
	err := requireID(id)
	if err == nil {
		err = s.validate(id, nil)
	}
	if err != nil {
		return err.about(OpAddRealServer, id.String()+" -> "+s.Addr.String())
	}
	return nil
}

// validate returns the first of the problems, or nil.
func (s RealServer) validate(id ServiceID, was *RealServer) *Error {
	return s.problems(id, was).first()
}

// problems returns what can never work, as [Service.problems] does.
func (s RealServer) problems(id ServiceID, was *RealServer) (all problems) {
	fresh := was == nil
	if fresh {
		all.add(validateServerAddr(s.Addr))
		was = &RealServer{}
	}
	if fresh || s.Mode != was.Mode {
		bad := s.Mode.validate()
		if bad == nil && len(all) == 0 && id.IsValid() {
			bad = s.fits(id)
		}
		all.add(bad)
	}
	return append(all, s.numberProblems(was)...)
}

// numberProblems returns the numbers that changed and that the kernel cannot use.
func (s RealServer) numberProblems(was *RealServer) (all problems) {
	for _, n := range []struct {
		field    string
		now, was int
	}{
		{"Weight", s.Weight, was.Weight},
		{"UpperThreshold", s.UpperThreshold, was.UpperThreshold},
		{"LowerThreshold", s.LowerThreshold, was.LowerThreshold},
	} {
		if n.now != n.was {
			all.add(validateRange(n.field, n.now, 0, math.MaxInt32))
		}
	}
	changed := s.UpperThreshold != was.UpperThreshold || s.LowerThreshold != was.LowerThreshold
	if s.LowerThreshold > s.UpperThreshold && s.UpperThreshold >= 0 && changed {
		all.add(invalid("LowerThreshold", "%d is above the upper threshold, %d", s.LowerThreshold, s.UpperThreshold))
	}
	return all
}

func validateRange(field string, n, least, most int) *Error {
	if n < least || n > most {
		return invalid(field, "%d is out of range [%d, %d]", n, least, most)
	}
	return nil
}

func validateServerAddr(a netip.AddrPort) *Error {
	switch {
	case !a.Addr().IsValid():
		return invalid("Addr", "must be set")
	case a.Addr().Zone() != "":
		return invalid("Addr", "IPVS has no zones, and %s has one", a.Addr())
	case !canBeHost(a.Addr().Unmap()):
		return invalid("Addr", "%s cannot be a server's address", a.Addr())
	}
	return nil
}

// canBeHost reports whether an address can be one host's. The kernel never accepts the
// others of IPv4 as those of real servers; those of IPv6 only with a local route to them.
func canBeHost(a netip.Addr) bool {
	return !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// fits returns an error if the server cannot serve the service in its mode.
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
	return invalid("Addr", "%s does not rewrite ports, so the server must have the service's port, %d, not %d",
		s.Mode, id.vip.Port(), s.Addr.Port())
}

// RealServerStatus is a real server as the kernel reports it.
type RealServerStatus struct {
	RealServer `yaml:",inline"`

	// ActiveConns is the number of established connections. TCP connections
	// count from their first SYN on.
	ActiveConns int `json:"activeConns" yaml:"activeConns"`

	// InactiveConns is the number of all others: those that are ending, and
	// every UDP flow.
	InactiveConns int `json:"inactiveConns" yaml:"inactiveConns"`

	// PersistentConns is the number of clients that persistence keeps on the
	// server.
	PersistentConns int `json:"persistentConns" yaml:"persistentConns"`

	Stats Stats `json:"stats" yaml:"stats"` // counters of the server
}

// Equal reports whether the servers are equal, and so are all their counts.
func (s RealServerStatus) Equal(other RealServerStatus) bool {
	s.RealServer, other.RealServer = s.normal(), other.normal()
	return s == other
}

// String returns the server and its counts in one line.
func (s RealServerStatus) String() string {
	return fmt.Sprintf("%s active %d inactive %d persistent %d; %s",
		s.RealServer, s.ActiveConns, s.InactiveConns, s.PersistentConns, s.Stats)
}

// UnmarshalJSON decodes a status as [RealServer.UnmarshalJSON] does a server.
func (s *RealServerStatus) UnmarshalJSON(text []byte) error {
	return unmarshalStrict("lvs.RealServerStatus", text, s)
}

// UnmarshalYAML decodes a status as UnmarshalJSON does.
func (s *RealServerStatus) UnmarshalYAML(unmarshal func(any) error) error {
	return unmarshalStrictYAML("lvs.RealServerStatus", unmarshal, s)
}

func (s *RealServerStatus) setDefaults() { *s = RealServerStatus{RealServer: RealServer{Weight: 1}} }
