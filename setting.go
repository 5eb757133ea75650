package lvs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/hostnet"
)

// Setting is one thing that a [Setup] wants of a host, and why. It prints as the
// command that an administrator would type.
type Setting struct {
	Want Fact   // what is to be so
	Why  string // for those who read the setup; "" is none
}

// Setup is what a host needs for its part, in the order in which it is set up.
// Setups can be joined with append. [Host.Plan] compares it with a host. Where two
// of them are on one host and one is undone, give the other one to [Host.Undo].
type Setup []Setting

// Fact is one thing about a host that can be read and changed: a [Sysctl], a
// [Link], an [Address], a [Route], a [Rule], a [SourceNAT], a [FOUPort], a
// [SecurityPolicy], a [SecurityAssociation] or a [Module]. Facts are comparable.
type Fact interface {
	// String is the command that makes it so.
	String() string

	// key says what it is about: of two facts with one key, one can be true.
	key() string

	// validate refuses what no host can have.
	validate() *Error

	// complete returns what a host has of which this was wanted, where it had
	// found before; nil is nothing.
	complete(found Fact) (Fact, *Error)

	// matches tells whether the host, which has now, is as this says.
	matches(now Fact) bool

	// toNetwork returns it as the seam has it; nil for a sysctl.
	toNetwork() hostnet.Fact
}

// String shows the command with its reason, as a shell would take it.
func (s Setting) String() string {
	text := "nothing"
	if s.Want != nil {
		text = s.Want.String()
	}
	if s.Why != "" {
		text += "  # " + s.Why
	}
	return text
}

// String shows the commands, one a line.
func (s Setup) String() string {
	var b strings.Builder
	for _, setting := range s {
		b.WriteString(setting.String() + "\n")
	}
	return b.String()
}

// oneFact is a fact in JSON: an object with one field, which says what it is.
type oneFact struct {
	Sysctl      *Sysctl              `json:"sysctl,omitempty"`
	Link        *Link                `json:"link,omitempty"`
	Address     *Address             `json:"address,omitempty"`
	Route       *Route               `json:"route,omitempty"`
	Rule        *Rule                `json:"rule,omitempty"`
	SourceNAT   *SourceNAT           `json:"sourceNAT,omitempty"`
	FOUPort     *FOUPort             `json:"fouPort,omitempty"`
	Policy      *SecurityPolicy      `json:"policy,omitempty"`
	Association *SecurityAssociation `json:"association,omitempty"`
	Module      *Module              `json:"module,omitempty"`
}

func wrapFact(f Fact) *oneFact {
	switch f := f.(type) {
	case Sysctl:
		return &oneFact{Sysctl: &f}
	case Link:
		return &oneFact{Link: &f}
	case Address:
		return &oneFact{Address: &f}
	case Route:
		return &oneFact{Route: &f}
	case Rule:
		return &oneFact{Rule: &f}
	case SourceNAT:
		return &oneFact{SourceNAT: &f}
	case FOUPort:
		return &oneFact{FOUPort: &f}
	case SecurityPolicy:
		return &oneFact{Policy: &f}
	case SecurityAssociation:
		return &oneFact{Association: &f}
	case Module:
		return &oneFact{Module: &f}
	}
	return nil
}

// fact returns the one fact, nil for none.
func (o *oneFact) fact() (Fact, error) {
	if o == nil {
		return nil, nil
	}
	var all []Fact
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
		return nil, invalid("fact", "want one of sysctl, link, address, route, rule, sourceNAT, fouPort, policy, association and module").about("parse", "setting")
	}
	return all[0], nil
}

func add[T Fact](all *[]Fact, f *T) {
	if f != nil {
		*all = append(*all, *f)
	}
}

type settingJSON struct {
	Want *oneFact `json:"want"`
	Why  string   `json:"why,omitempty"`
}

// MarshalJSON writes {"want": {"address": {…}}, "why": "…"}.
func (s Setting) MarshalJSON() ([]byte, error) {
	return json.Marshal(settingJSON{wrapFact(s.Want), s.Why})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Setting) UnmarshalJSON(text []byte) error {
	var in settingJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	want, err := in.Want.fact()
	if err == nil && want == nil {
		err = invalid("want", "a setting wants nothing").about("parse", "setting")
	}
	if err == nil {
		*s = Setting{want, in.Why}
	}
	return err
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

// with formats an option of a command unless its value is the zero one.
func with[T comparable](name string, value T) string {
	if value == *new(T) {
		return ""
	}
	return fmt.Sprintf(" %s %v", name, value)
}
