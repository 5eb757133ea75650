package lvs

import (
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// SourceNAT gives packets that leave the host another source address. It is one
// rule, alone in an nftables table of its own: what others have in their tables
// is not touched.
type SourceNAT struct {
	// Table is the table's name; "" makes one of the other fields.
	Table string `json:"table,omitempty"`

	IPv6   bool         `json:"ipv6,omitempty"`  // it is for IPv6 packets
	From   netip.Prefix `json:"from,omitzero"`   // only packets from here; the zero prefix is any
	To     netip.Prefix `json:"to,omitzero"`     // only packets to there; the zero prefix is any
	Out    string       `json:"out,omitempty"`   // only packets that leave by this interface; "" is any
	Source netip.Addr   `json:"source,omitzero"` // the zero address is that of the interface (masquerade)

	// Other says that a table of this name was found, and has something else in
	// it.
	Other bool `json:"other,omitempty"`
}

func (n SourceNAT) String() string {
	n = n.named()
	family, rule := "ip", ""
	if n.IPv6 {
		family = "ip6"
	}
	if n.Out != "" {
		rule += ` oifname "` + n.Out + `"`
	}
	rule += optionText(family+" saddr", n.From) + optionText(family+" daddr", n.To)
	if n.Source.IsValid() {
		rule += " snat to " + n.Source.String()
	} else {
		rule += " masquerade"
	}
	return "nft 'table " + family + " " + n.Table + " { chain postrouting { type nat hook postrouting priority 100;" + rule + "; }; }'"
}

// named gives the table a name that tells what it is for.
func (n SourceNAT) named() SourceNAT {
	if n.Table != "" {
		return n
	}
	name := "lvs_nat"
	if n.From.IsValid() {
		name += "_from_" + n.From.String()
	}
	if n.To.IsValid() {
		name += "_to_" + n.To.String()
	}
	if n.Out != "" {
		name += "_out_" + n.Out
	}
	n.Table = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
			return r
		}
		return '_'
	}, name)
	return n
}

// Equal tells whether both are the same.
func (n SourceNAT) Equal(other SourceNAT) bool { return n == other }

func (n SourceNAT) key() string {
	n = n.named()
	return "nft table" + familyFlag(n.IPv6) + " " + n.Table
}

func (n SourceNAT) validate() *Error {
	for _, p := range []struct {
		field  string
		prefix netip.Prefix
	}{{"From", n.From}, {"To", n.To}} {
		if err := networkWithin(p.field, p.prefix, n.IPv6); err != nil {
			return err
		}
	}
	if n.Out != "" {
		if err := interfaceName("Out", n.Out); err != nil {
			return err
		}
		if strings.ContainsAny(n.Out, `"'*\`) {
			return invalid("Out", "%q cannot stand in a rule", n.Out)
		}
	}
	if n.Source.IsValid() {
		if err := plainAddr("Source", n.Source); err != nil {
			return err
		}
		if n.Source.Is6() != n.IPv6 {
			return invalid("Source", "%s is not of the family", n.Source)
		}
	}
	if n.Other {
		return invalid("Other", "must not be set")
	}
	if bad := strings.Trim(n.Table, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"); bad != "" || len(n.Table) > 200 {
		return invalid("Table", "%q is no name of a table: want letters, digits and _", n.Table)
	}
	return nil
}

func (n SourceNAT) complete(found Resource) (Resource, *Error) {
	if found != nil && found.(SourceNAT).Other {
		return nil, &Error{kind: ErrExists, Field: "Table", detail: "there is a table " + n.named().Table + " with something else in it: remove it, or give another name"}
	}
	return n.named(), nil
}

func (n SourceNAT) matches(now Resource) bool    { return now == n }
func (n SourceNAT) toNetwork() netstate.Resource { return netstate.SourceNAT(n.named()) }
