package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Link is a network interface. One that does not exist is made if its kind is given.
type Link struct {
	Name string `json:"name"` // at most 15 characters

	// Kind is ipip, sit, ip6tnl, gre, ip6gre or dummy, the type of ip-link(8);
	// "" for an interface that must exist. Other kinds are only read.
	Kind string `json:"kind,omitempty"`

	Up  bool `json:"up"`            // in a requirement, false leaves it unchanged
	MTU int  `json:"mtu,omitempty"` // in bytes; in a requirement, 0 leaves it unchanged

	// Local is the tunnel's own outer address. The zero address accepts packets to any.
	Local netip.Addr `json:"local,omitzero"`

	// Remote is the outer address of the tunnel's other end. The zero address accepts
	// packets from any; such a tunnel cannot send.
	Remote netip.Addr `json:"remote,omitzero"`

	// AnyProtocol makes an ip6tnl accept IPv4 as well as IPv6.
	AnyProtocol bool `json:"anyProtocol,omitempty"`

	// Checksum makes a gre or ip6gre accept only packets with checksums.
	Checksum bool `json:"checksum,omitempty"`
}

var linkKinds = map[string]bool{"ipip": true, "sit": true, "ip6tnl": true, "gre": true, "ip6gre": true, "dummy": true}

// String returns the command of ip(8) that makes the interface, or sets it up.
func (l Link) String() string {
	state := ""
	if l.Up {
		state = " up"
	}
	if l.Kind == "" || l.isFallback() {
		return "ip link set dev " + l.Name + state + optionText("mtu", l.MTU)
	}
	options := ""
	if l.AnyProtocol {
		options = " mode any"
	}
	options += optionText("local", l.Local) + optionText("remote", l.Remote)
	if l.Checksum {
		options += " icsum ocsum"
	}
	command := "ip link add name " + l.Name + optionText("mtu", l.MTU) + " type " + l.Kind + options
	if l.Up {
		command += " && ip link set dev " + l.Name + " up"
	}
	return command
}

// isFallback reports whether it is the device that loading a module makes.
func (l Link) isFallback() bool {
	device, ok := netstate.DeviceOf(moduleOf(l.Kind))
	return ok && device.Name == l.Name
}

// moduleOf returns the module that implements a kind of link.
func moduleOf(kind string) string {
	switch kind {
	case "ip6tnl":
		return "ip6_tunnel"
	case "gre":
		return "ip_gre"
	case "ip6gre":
		return "ip6_gre"
	}
	return kind
}

// Equal reports whether both are the same.
func (l Link) Equal(other Link) bool { return l == other }

func (l Link) key() string { return "link " + l.Name }

func (l Link) validate() *Error {
	if err := validateInterface("Name", l.Name); err != nil {
		return err
	}
	for _, a := range []struct {
		field string
		addr  netip.Addr
	}{{"Local", l.Local}, {"Remote", l.Remote}} {
		if !a.addr.IsValid() {
			continue
		}
		if err := validateAddr(a.field, a.addr); err != nil {
			return err
		}
	}
	is6 := l.Kind == "ip6tnl" || l.Kind == "ip6gre"
	low, high := l.mtuLimits()
	switch {
	case l.Kind != "" && !linkKinds[l.Kind]:
		return invalid("Kind", "an interface of the kind %q cannot be made; want ipip, sit, ip6tnl, gre, ip6gre or dummy", l.Kind)
	case l.MTU != 0 && (l.MTU < low || l.MTU > high):
		return invalid("MTU", "%d is out of range [%d, %d]", l.MTU, low, high)
	case l.AnyProtocol && l.Kind != "ip6tnl":
		return invalid("AnyProtocol", "is for a link of the kind ip6tnl, not %q", l.Kind)
	case l.Checksum && l.Kind != "gre" && l.Kind != "ip6gre":
		return invalid("Checksum", "is for a link of the kind gre or ip6gre, not %q", l.Kind)
	case l.Local.IsValid() && (l.Kind == "" || l.Kind == "dummy"):
		return invalid("Local", "is for a tunnel")
	case l.Remote.IsValid() && (!l.Local.IsValid() || l.Local.Is6() != l.Remote.Is6()):
		return invalid("Remote", "%s needs a Local of its family", l.Remote)
	case l.Local.IsValid() && l.Local.Is6() != is6:
		return invalid("Local", "%s is not of the family of a link of the kind %s", l.Local, l.Kind)
	}
	return nil
}

// mtuLimits returns the range of MTUs that the kernel accepts unchanged for a kind of
// link, both for a new one and later. It replaces greater ones. An ip6gre's upper
// limit differs between releases.
func (l Link) mtuLimits() (low, high int) {
	low, high = 68, 65536
	switch l.Kind {
	case "ipip":
		high = 65515
	case "sit":
		low = minMTU6
	case "gre":
		high = 65511
		if l.Checksum {
			high = 65507
		}
	case "ip6tnl":
		high = 65535
		if !l.AnyProtocol {
			low = minMTU6
		}
	case "ip6gre":
		high = 65400
	}
	return low, high
}

// minMTU6 is the smallest MTU of an interface that has IPv6.
const minMTU6 = 1280

func (l Link) complete(found Resource) (Resource, *Error) {
	if found == nil {
		if l.Kind == "" {
			return nil, &Error{kind: ErrNotFound, Field: "Name", detail: "the host has no interface " + l.Name}
		}
		return l, nil
	}
	was := found.(Link)
	want := l
	if l.Kind == "" {
		want.Kind, want.Local, want.Remote, want.AnyProtocol, want.Checksum = was.Kind, was.Local, was.Remote, was.AnyProtocol, was.Checksum
	}
	if want.MTU == 0 {
		want.MTU = was.MTU
	}
	want.Up = l.Up || was.Up
	if want.MTU < minMTU6 && was.MTU >= minMTU6 {
		return nil, invalid("MTU", "below %d bytes the kernel removes IPv6 and its addresses from %s", minMTU6, l.Name)
	}
	same := want
	same.Up, same.MTU = was.Up, was.MTU
	if same != was {
		return nil, &Error{kind: ErrExists, Field: "Name", detail: l.Name + " already exists as another kind of interface: " + was.String()}
	}
	return want, nil
}

func (l Link) matches(now Resource) bool {
	n, ok := now.(Link)
	if l.MTU == 0 {
		l.MTU = n.MTU
	}
	return ok && n == l
}

func (l Link) toNetwork() netstate.Resource { return netstate.Link(l) }
