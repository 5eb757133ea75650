package lvs

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// Resource is one thing that a host can have: a [Sysctl], a [Link], an [Address], a
// [Route], a [Rule], a [SourceNAT], a [PacketMark], a [FOUPort], an
// [IPsecPolicy], an [IPsecAssociation] or a [Module]. Resources are comparable. What a [SetupPlan]
// found on a host may be of another type, which can be shown and restored, but not
// asked for.
type Resource interface {
	// String returns the command that makes the resource.
	String() string

	// key identifies what the resource is about. A host has at most one resource with
	// a key.
	key() string

	// validate returns an error for a resource that no host can have.
	validate() *Error

	// complete returns what the host will have once this resource is made. What it has
	// now is found, nil for nothing.
	complete(found Resource) (Resource, *Error)

	// matches reports whether now, which the host has, is this resource.
	matches(now Resource) bool

	// toNetwork returns the value that the network has for it, nil for a sysctl.
	toNetwork() netstate.Resource
}

// validateInterface returns an error for a name that no interface can have, or that
// would lead out of a folder.
func validateInterface(field, name string) *Error {
	switch {
	case name == "":
		return invalid(field, "needs the name of an interface")
	case len(name) > 15:
		return invalid(field, "%q is longer than the 15 bytes of an interface name", name)
	case name == "." || name == ".." || name == "all" || name == "default" || strings.ContainsFunc(name, isNotInName):
		return invalid(field, "%q is not a valid interface name", name)
	}
	return nil
}

// isNotInName reports whether an interface name cannot contain a character. The kernel
// refuses some, and replaces others by numbers.
func isNotInName(r rune) bool { return r <= ' ' || r == '/' || r == ':' || r == '%' || r >= 0x7f }

// validateAddr returns an error for what is not the address of a host.
func validateAddr(field string, a netip.Addr) *Error {
	switch {
	case !a.IsValid():
		return invalid(field, "needs an address")
	case a.Zone() != "":
		return invalid(field, "%s has a zone", a)
	case a.Is4In6():
		return invalid(field, "%s is an IPv4-mapped IPv6 address: write %s", a, a.Unmap())
	case !canBeHost(a):
		return invalid(field, "%s cannot be the address of a host", a)
	}
	return nil
}

// validateFamily returns an error for addresses of two families.
func validateFamily(field string, a netip.Addr, other string, b netip.Addr) *Error {
	if a.Is6() != b.Is6() {
		return invalid(field, "%s is not of the family of %s, %s", a, other, b)
	}
	return nil
}

// validateNetwork returns an error for what is not a network of the family of an
// address. The zero address stands for both families.
func validateNetwork(field string, p netip.Prefix, a netip.Addr) *Error {
	switch {
	case !p.IsValid():
		return invalid(field, "needs a network, such as 10.168.0.0/24")
	case p != p.Masked():
		return invalid(field, "%s is an address, not a network; write %s", p, p.Masked())
	case a.IsValid() && p.Addr().Is6() != a.Is6():
		return invalid(field, "%s is not of the family of %s", p, a)
	}
	return nil
}

// validateMatch returns an error for what does not select addresses of a family. The
// zero prefix selects all of them.
func validateMatch(field string, p netip.Prefix, is6 bool) *Error {
	switch {
	case p == netip.Prefix{}:
		return nil
	case !p.IsValid() || p != p.Masked() || p.Addr().Is4In6():
		return invalid(field, "%s is not a network", p)
	case p.Addr().Is6() != is6:
		return invalid(field, "%s is not a network of the family", p)
	case p.Bits() == 0:
		return invalid(field, "%s is every address: leave it out", p)
	}
	return nil
}

// hostPrefix returns the prefix that contains an address alone.
func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// familyFlag is the option of ip(8) for a family.
func familyFlag(is6 bool) string {
	if is6 {
		return " -6"
	}
	return ""
}

// optionText formats an option of a command, and nothing for the zero value.
func optionText[T comparable](name string, value T) string {
	if value == *new(T) {
		return ""
	}
	return fmt.Sprintf(" %s %v", name, value)
}
