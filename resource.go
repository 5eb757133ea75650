package lvs

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// Resource is one thing about a host that can be read and changed: a [Sysctl], a
// [Link], an [Address], a [Route], a [Rule], a [SourceNAT], a [FOUPort], a
// [IPsecPolicy], a [IPsecAssociation] or a [Module]. Facts are comparable.
type Resource interface {
	// String is the command that makes it so.
	String() string

	// key says what it is about: of two facts with one key, one can be true.
	key() string

	// validate refuses what no host can have.
	validate() *Error

	// complete returns what a host has of which this was wanted, where it had
	// found before; nil is nothing.
	complete(found Resource) (Resource, *Error)

	// matches tells whether the host, which has now, is as this says.
	matches(now Resource) bool

	// toNetwork returns it as the seam has it; nil for a sysctl.
	toNetwork() netstate.Resource
}

// oneFact is a fact in JSON: an object with one field, which says what it is.
type oneResource struct {
	Sysctl      *Sysctl           `json:"sysctl,omitempty"`
	Link        *Link             `json:"link,omitempty"`
	Address     *Address          `json:"address,omitempty"`
	Route       *Route            `json:"route,omitempty"`
	Rule        *Rule             `json:"rule,omitempty"`
	SourceNAT   *SourceNAT        `json:"sourceNAT,omitempty"`
	FOUPort     *FOUPort          `json:"fouPort,omitempty"`
	Policy      *IPsecPolicy      `json:"policy,omitempty"`
	Association *IPsecAssociation `json:"association,omitempty"`
	Module      *Module           `json:"module,omitempty"`
}

func wrapResource(f Resource) *oneResource {
	switch f := f.(type) {
	case Sysctl:
		return &oneResource{Sysctl: &f}
	case Link:
		return &oneResource{Link: &f}
	case Address:
		return &oneResource{Address: &f}
	case Route:
		return &oneResource{Route: &f}
	case Rule:
		return &oneResource{Rule: &f}
	case SourceNAT:
		return &oneResource{SourceNAT: &f}
	case FOUPort:
		return &oneResource{FOUPort: &f}
	case IPsecPolicy:
		return &oneResource{Policy: &f}
	case IPsecAssociation:
		return &oneResource{Association: &f}
	case Module:
		return &oneResource{Module: &f}
	}
	return nil
}

// fact returns the one fact, nil for none.
func (o *oneResource) resource() (Resource, error) {
	if o == nil {
		return nil, nil
	}
	var all []Resource
	add(&all, o.Sysctl)
	add(&all, o.Link)
	add(&all, o.Address)
	add(&all, o.Route)
	add(&all, o.Rule)
	add(&all, o.SourceNAT)
	add(&all, o.FOUPort)
	add(&all, o.Policy)
	add(&all, o.Association)
	add(&all, o.Module)
	if len(all) != 1 {
		return nil, invalid("fact", "want one of sysctl, link, address, route, rule, sourceNAT, fouPort, policy, association and module").about(OpParse, "setting")
	}
	return all[0], nil
}

func add[T Resource](all *[]Resource, f *T) {
	if f != nil {
		*all = append(*all, *f)
	}
}

// interfaceName refuses a name that no interface can have, or that would lead out
// of a folder.
func interfaceName(field, name string) *Error {
	switch {
	case name == "":
		return invalid(field, "needs the name of an interface")
	case len(name) > 15:
		return invalid(field, "%q is longer than the 15 bytes that the name of an interface can have", name)
	case name == "." || name == ".." || name == "all" || name == "default" || strings.ContainsFunc(name, inNoName):
		return invalid(field, "%q is not a valid interface name", name)
	}
	return nil
}

// inNoName reports whether a name of an interface cannot have a letter: the kernel
// refuses some, and makes a number of others.
func inNoName(r rune) bool { return r <= ' ' || r == '/' || r == ':' || r == '%' || r >= 0x7f }

// plainAddr refuses what is no address of a host.
func plainAddr(field string, a netip.Addr) *Error {
	switch {
	case !a.IsValid():
		return invalid(field, "needs an address")
	case a.Zone() != "":
		return invalid(field, "%s has a zone", a)
	case a.Is4In6():
		return invalid(field, "%s is an IPv4 address in the form of IPv6: write %s", a, a.Unmap())
	case a.IsUnspecified() || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return invalid(field, "%s is no address of a host", a)
	}
	return nil
}

// hostPrefix is an address and nothing around it.
func hostPrefix(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

// familyFlag is the option of ip(8) for a family.
func familyFlag(is6 bool) string {
	if is6 {
		return " -6"
	}
	return ""
}

// optionText formats an option of a command unless its value is the zero one.
func optionText[T comparable](name string, value T) string {
	if value == *new(T) {
		return ""
	}
	return fmt.Sprintf(" %s %v", name, value)
}

// sameFamily refuses addresses of two families.
func sameFamily(field string, a netip.Addr, with string, b netip.Addr) *Error {
	if a.Is6() != b.Is6() {
		return invalid(field, "%s is not of the family of %s, %s", a, with, b)
	}
	return nil
}

// network refuses what is no network of the family of an address.
func networkOf(field string, p netip.Prefix, a netip.Addr) *Error {
	switch {
	case !p.IsValid():
		return invalid(field, "needs a network, such as 10.168.0.0/24")
	case p != p.Masked():
		return invalid(field, "%s has an address where a network is due: write %s", p, p.Masked())
	case a.IsValid() && p.Addr().Is6() != a.Is6():
		return invalid(field, "%s is not of the family of %s", p, a)
	}
	return nil
}

// optional passes a check over when there is nothing to check.
func optional(there bool, check func() *Error) *Error {
	if !there {
		return nil
	}
	return check()
}
