package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Address is an address of an interface.
type Address struct {
	Interface string       `json:"interface"`          // which must be there
	Prefix    netip.Prefix `json:"prefix"`             // a VIP has /32, or /128 in IPv6
	Label     string       `json:"label,omitempty"`    // of an IPv4 address, such as eth0:0; "" is none
	Broadcast netip.Addr   `json:"broadcast,omitzero"` // of an IPv4 address; the zero address is none
	Scope     string       `json:"scope,omitempty"`    // of an IPv4 address: "global", "site", "link" or "host"; "" is global. IPv6 has it by the address
	NoDAD     bool         `json:"noDAD,omitempty"`    // an IPv6 address is used at once, and nobody asked whether another has it

	// Deprecated keeps an IPv6 address from being chosen as the source of what the
	// host itself sends; it receives like any other.
	Deprecated bool `json:"deprecated,omitempty"`

	// InSubnet, when wanted, refuses an address that is in no network that the
	// interface has an address of: nobody would look for it there.
	InSubnet bool `json:"inSubnet,omitempty"`

	// AnyPrefix, when wanted, is content with the address of another length.
	AnyPrefix bool `json:"anyPrefix,omitempty"`

	// DADFailed and Other are what was found: another host on the link has the IPv6
	// address, so that the kernel does not use it; the address has what this type
	// cannot tell, such as a lifetime, a metric or a peer, and is never replaced.
	DADFailed bool `json:"dadFailed,omitempty"`
	Other     bool `json:"other,omitempty"`
}

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

// Equal tells whether both are the same.
func (a Address) Equal(other Address) bool { return a == other }

func (a Address) key() string { return "address " + a.Prefix.String() + " dev " + a.Interface }

func (a Address) validate() *Error {
	if err := interfaceName("Interface", a.Interface); err != nil {
		return err
	}
	if !a.Prefix.IsValid() {
		return invalid("Prefix", "needs an address with a length, such as 10.168.0.91/32")
	}
	if err := plainAddr("Prefix", a.Prefix.Addr()); err != nil {
		return err
	}
	is6 := a.Prefix.Addr().Is6()
	prefix := a.Interface + ":"
	switch {
	case is6 && a.Label != "":
		return invalid("Label", "an IPv6 address has none")
	case is6 && a.Broadcast.IsValid():
		return invalid("Broadcast", "IPv6 has none")
	case !is6 && a.NoDAD:
		return invalid("NoDAD", "is for an IPv6 address")
	case !is6 && a.Deprecated:
		return invalid("Deprecated", "is for an IPv6 address")
	case a.Broadcast.IsValid() && !a.Broadcast.Is4():
		return invalid("Broadcast", "%s is no IPv4 address", a.Broadcast)
	case a.Label != "" && (len(a.Label) > 15 || len(a.Label) <= len(prefix) || a.Label[:len(prefix)] != prefix):
		return invalid("Label", "%q does not begin with %q, or is longer than 15 bytes", a.Label, prefix)
	case a.Scope != "" && is6 && a.Scope != scopeOf6(a.Prefix.Addr()):
		return invalid("Scope", "%s must have the scope %s", a.Prefix.Addr(), scopeOf6(a.Prefix.Addr()))
	case a.Scope != "" && a.Scope != "global" && a.Scope != "site" && a.Scope != "link" && a.Scope != "host":
		return invalid("Scope", "%q is not global, site, link or host", a.Scope)
	}
	return nil
}

var siteLocal = netip.MustParsePrefix("fec0::/10")

// scopeOf6 is the scope that the kernel gives an IPv6 address.
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
	a.InSubnet, a.AnyPrefix = false, false
	switch {
	case a.Prefix.Addr().Is6():
		a.Scope = scopeOf6(a.Prefix.Addr())
	case a.Scope == "":
		a.Scope = "global"
	}
	was, isThere := found.(Address)
	switch {
	case isThere && was.Other:
		if a.Other = true; !a.matches(was) {
			return nil, &Error{kind: ErrExists, Field: "Prefix", detail: "the address already exists, with a lifetime, a metric, a peer or flags that could not be restored: remove it first"}
		}
		return was, nil
	case (a.Other || a.DADFailed) && a != was:
		return nil, invalid("Other", "must not be set, and neither must DADFailed")
	}
	return a, nil
}

// matches does not look at the flag that an IPv6 address has lost or kept, and takes
// one that was not in use for as good as one that is.
func (a Address) matches(now Resource) bool {
	n, ok := now.(Address)
	if a.Prefix.Addr().Is6() {
		n.NoDAD = a.NoDAD
	}
	n.DADFailed = n.DADFailed && !a.DADFailed
	a.DADFailed = false
	return ok && n == a
}

func (a Address) toNetwork() netstate.Resource {
	return netstate.Address{
		Interface: a.Interface, Prefix: a.Prefix, Label: a.Label, Broadcast: a.Broadcast, Scope: a.Scope,
		NoDAD: a.NoDAD, Deprecated: a.Deprecated, DADFailed: a.DADFailed, Other: a.Other,
	}
}

func addressOf(a netstate.Address) Address {
	return Address{
		Interface: a.Interface, Prefix: a.Prefix, Label: a.Label, Broadcast: a.Broadcast, Scope: a.Scope,
		NoDAD: a.NoDAD, Deprecated: a.Deprecated, DADFailed: a.DADFailed, Other: a.Other,
	}
}
