package lvs

import (
	"math"
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

	// Other is what was found: a rule with these fields, and with conditions that
	// this type cannot tell, such as an interface.
	Other bool `json:"other,omitempty"`
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
		if err := networkWithin(p.field, p.prefix, r.IPv6); err != nil {
			return err
		}
	}
	switch {
	case r.Table <= 0 || int64(r.Table) > math.MaxUint32:
		return invalid("Table", "needs the number of a table, 1 to 4294967295")
	case r.Priority <= 0 || int64(r.Priority) > math.MaxUint32:
		return invalid("Priority", "needs a number up to 4294967295, below 32766 to come before the main table")
	case r.Other:
		return invalid("Other", "must not be set")
	}
	return nil
}

// networkWithin refuses what does not choose addresses of a family; the zero prefix
// is any.
func networkWithin(field string, p netip.Prefix, is6 bool) *Error {
	switch {
	case p == netip.Prefix{}:
		return nil
	case !p.IsValid() || p != p.Masked() || p.Addr().Is4In6():
		return invalid(field, "%s is not a network", p)
	case p.Addr().Is6() != is6:
		return invalid(field, "%s is not a network of the family", p)
	case p.Bits() == 0:
		return invalid(field, "%s is any address: leave it out", p)
	}
	return nil
}

func (r Rule) complete(found Fact) (Fact, *Error) {
	if found != nil && found.(Rule).Other {
		return nil, &Error{kind: ErrExists, Field: "Priority", detail: "a rule with other conditions has this priority, and the kernel cannot tell them apart: use another priority"}
	}
	return r, nil
}

func (r Rule) matches(now Fact) bool   { return now == r }
func (r Rule) toNetwork() hostnet.Fact { return hostnet.Rule(r) }
