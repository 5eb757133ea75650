package lvs

import (
	"net/netip"

	"github.com/golvs/lvs/internal/hostnet"
)

// Rule is a rule of policy routing: which packets use which table of routes.
type Rule struct {
	Priority int          `json:"priority"`       // lower ones are asked first; the main table's is 32766
	From     netip.Prefix `json:"from,omitzero"`  // the zero prefix is any
	To       netip.Prefix `json:"to,omitzero"`    // the zero prefix is any
	Mark     uint32       `json:"mark,omitempty"` // of the firewall; 0 is any
	Table    int          `json:"table"`          // of routes, by its number
	IPv6     bool         `json:"ipv6,omitempty"` // it is for IPv6 packets
}

func (r Rule) String() string {
	from := " from all"
	if r.From.IsValid() {
		from = " from " + r.From.String()
	}
	return "ip" + familyFlag(r.IPv6) + " rule add" + from + with("to", r.To) + with("fwmark", r.Mark) +
		with("lookup", r.Table) + with("priority", r.Priority)
}

// Equal tells whether both are the same.
func (r Rule) Equal(other Rule) bool { return r == other }

func (r Rule) key() string { return r.String() }

func (r Rule) validate() *Error {
	for _, p := range []struct {
		field  string
		prefix netip.Prefix
	}{{"From", r.From}, {"To", r.To}} {
		if p.prefix.IsValid() && (p.prefix.Addr().Is6() != r.IPv6 || p.prefix != p.prefix.Masked()) {
			return invalid(p.field, "%s is no network of the rule's family", p.prefix)
		}
	}
	switch {
	case r.Table <= 0:
		return invalid("Table", "needs the number of a table")
	case r.Priority <= 0:
		return invalid("Priority", "needs a number, below 32766 to come before the main table")
	}
	return nil
}

func (r Rule) complete(Fact) (Fact, *Error) { return r, nil }
func (r Rule) matches(now Fact) bool        { return now == r }
func (r Rule) toNetwork() hostnet.Fact      { return hostnet.Rule(r) }
