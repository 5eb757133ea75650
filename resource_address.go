package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Address is an address of an interface.
type Address struct {
	Interface string       `json:"interface"`          // must exist
	Prefix    netip.Prefix `json:"prefix"`             // a VIP has /32, or /128 in IPv6
	Label     string       `json:"label,omitempty"`    // of an IPv4 address, such as eth0:0; "" is none
	Broadcast netip.Addr   `json:"broadcast,omitzero"` // of an IPv4 address; the zero address is none
	Scope     string       `json:"scope,omitempty"`    // of an IPv4 address: "global", "site", "link" or "host"; "" is global. That of an IPv6 address follows from it
	NoDAD     bool         `json:"noDAD,omitempty"`    // an IPv6 address is used at once, without asking whether another host has it

	// Deprecated keeps an IPv6 address from being chosen as the source of packets that
	// the host itself sends. It receives like any other.
	Deprecated bool `json:"deprecated,omitempty"`
}

// String returns the command of ip(8) that adds the address.
func (a Address) String() string {
	command := "ip" + familyFlag(a.Prefix.Addr().Is6()) + " addr add " + a.Prefix.String()
	command += optionText("broadcast", a.Broadcast) + " dev " + a.Interface + optionText("label", a.Label)
	if a.Scope != "global" {
		command += optionText("scope", a.Scope)
	}
	if a.NoDAD {
		command += " nodad"
	}
	if a.Deprecated {
		command += " preferred_lft 0"
	}
	return command
}

// Equal reports whether both are the same.
func (a Address) Equal(other Address) bool { return a == other }

func (a Address) key() string { return "address " + a.Prefix.String() + " dev " + a.Interface }

func (a Address) validate() *Error {
	if err := validateInterface("Interface", a.Interface); err != nil {
		return err
	}
	if !a.Prefix.IsValid() {
		return invalid("Prefix", "needs an address with a prefix length, such as 10.168.0.91/32")
	}
	if err := validateAddr("Prefix", a.Prefix.Addr()); err != nil {
		return err
	}
	is6 := a.Prefix.Addr().Is6()
	prefix := a.Interface + ":"
	switch {
	case is6 && a.Label != "":
		return invalid("Label", "is for an IPv4 address")
	case is6 && a.Broadcast.IsValid():
		return invalid("Broadcast", "is for an IPv4 address")
	case !is6 && a.NoDAD:
		return invalid("NoDAD", "is for an IPv6 address")
	case !is6 && a.Deprecated:
		return invalid("Deprecated", "is for an IPv6 address")
	case a.Broadcast.IsValid() && !a.Broadcast.Is4():
		return invalid("Broadcast", "%s is not an IPv4 address", a.Broadcast)
	case a.Label != "" && (len(a.Label) > 15 || len(a.Label) <= len(prefix) || a.Label[:len(prefix)] != prefix):
		return invalid("Label", "%q must begin with %q and have at most 15 bytes", a.Label, prefix)
	case a.Scope != "" && is6 && a.Scope != scopeOf6(a.Prefix.Addr()):
		return invalid("Scope", "%s has the scope %s", a.Prefix.Addr(), scopeOf6(a.Prefix.Addr()))
	case a.Scope != "" && a.Scope != "global" && a.Scope != "site" && a.Scope != "link" && a.Scope != "host":
		return invalid("Scope", "%q is not global, site, link or host", a.Scope)
	}
	return nil
}

var siteLocal = netip.MustParsePrefix("fec0::/10")

// scopeOf6 returns the scope that the kernel gives an IPv6 address.
func scopeOf6(a netip.Addr) string {
	switch {
	case a.IsLoopback():
		return "host"
	case a.IsLinkLocalUnicast():
		return "link"
	case siteLocal.Contains(a):
		return "site"
	}
	return "global"
}

func (a Address) complete(found Resource) (Resource, *Error) {
	switch {
	case a.Prefix.Addr().Is6():
		a.Scope = scopeOf6(a.Prefix.Addr())
	case a.Scope == "":
		a.Scope = "global"
	}
	foreign, ok := found.(foreignResource)
	switch {
	case ok && a.matches(foreign.seen):
		return foreign, nil
	case ok:
		return nil, &Error{kind: ErrExists, Field: "Prefix", detail: "the address already exists, with a lifetime, a metric, a peer or flags that could not be restored: remove it first"}
	}
	return a, nil
}

// matches ignores NoDAD: the kernel may or may not keep that flag.
func (a Address) matches(now Resource) bool {
	n, ok := now.(Address)
	if a.Prefix.Addr().Is6() {
		n.NoDAD = a.NoDAD
	}
	return ok && n == a
}

func (a Address) toNetwork() netstate.Resource {
	return netstate.Address{
		Interface: a.Interface, Prefix: a.Prefix, Label: a.Label, Broadcast: a.Broadcast, Scope: a.Scope,
		NoDAD: a.NoDAD, Deprecated: a.Deprecated,
	}
}

func addressFrom(n netstate.Address) Resource {
	a := Address{
		Interface: n.Interface, Prefix: n.Prefix, Label: n.Label, Broadcast: n.Broadcast, Scope: n.Scope,
		NoDAD: n.NoDAD, Deprecated: n.Deprecated,
	}
	if n.DADFailed {
		return seenResource(duplicateAddress{a}, n.Other)
	}
	return seenResource(a, n.Other)
}
