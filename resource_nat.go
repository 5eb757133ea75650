package lvs

import (
	"cmp"
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// SourceNAT replaces the source address of packets that leave the host. It is one
// rule, alone in its own nftables table. Tables of other programs are not changed.
type SourceNAT struct {
	// Table is the table's name; "" derives one from the other fields.
	Table string `json:"table,omitempty"`

	IPv6   bool         `json:"ipv6,omitempty"`  // it is for IPv6 packets
	From   netip.Prefix `json:"from,omitzero"`   // only packets from this network; the zero prefix is any
	To     netip.Prefix `json:"to,omitzero"`     // only packets to this network; the zero prefix is any
	Out    string       `json:"out,omitempty"`   // only packets that leave by this interface; "" is any
	Source netip.Addr   `json:"source,omitzero"` // the new address; the zero address is that of the interface (masquerade)

	// VIP limits it to what IPVS forwards for a service of this address: to connections
	// that clients opened to it. nftables does not know packets of IPVS otherwise, so
	// this needs [SysctlConntrack]. The zero address sets no limit.
	VIP netip.Addr `json:"vip,omitzero"`
}

// String returns the command of nft(8) that makes the table.
func (n SourceNAT) String() string {
	n = n.named()
	family := nftFamily(n.IPv6)
	rule := ""
	if n.Out != "" {
		rule += ` oifname "` + n.Out + `"`
	}
	rule += optionText(family+" saddr", n.From) + optionText(family+" daddr", n.To) + optionText("ct original "+family+" daddr", n.VIP)
	if n.Source.IsValid() {
		rule += " snat to " + n.Source.String()
	} else {
		rule += " masquerade"
	}
	return "nft 'table " + family + " " + n.Table + " { chain postrouting { type nat hook postrouting priority 100;" + rule + "; }; }'"
}

// nftFamily returns what nft(8) calls a family.
func nftFamily(is6 bool) string {
	if is6 {
		return "ip6"
	}
	return "ip"
}

// named gives the table a name that says what it is for.
func (n SourceNAT) named() SourceNAT {
	if n.Table == "" {
		n.Table = tableName("lvs_nat" + tablePart("from", n.From) + tablePart("to", n.To) + tablePart("out", n.Out) + tablePart("vip", n.VIP))
	}
	return n
}

// tablePart is a part of the name of a table, nothing for the zero value.
func tablePart[T comparable](name string, value T) string {
	return strings.ReplaceAll(optionText(name, value), " ", "_")
}

// tableName replaces what a name of a table cannot contain.
func tableName(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(tableLetters, r) {
			return r
		}
		return '_'
	}, name)
}

const tableLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// validateTable returns an error for what cannot be the name of a table. "" can.
func validateTable(name string) *Error {
	if strings.Trim(name, tableLetters) != "" || len(name) > 200 {
		return invalid("Table", "%q is not the name of a table: want letters, digits and _", name)
	}
	return nil
}

// Equal reports whether both are the same.
func (n SourceNAT) Equal(other SourceNAT) bool { return n == other }

func (n SourceNAT) key() string { return tableKey(n.IPv6, n.named().Table) }

// tableKey is the key of what is alone in a table.
func tableKey(is6 bool, name string) string { return "nft table" + familyFlag(is6) + " " + name }

func (n SourceNAT) validate() *Error {
	if bad := cmp.Or(validateMatch("From", n.From, n.IPv6), validateMatch("To", n.To, n.IPv6), validateTable(n.Table)); bad != nil {
		return bad
	}
	if n.Out != "" {
		if bad := validateInterface("Out", n.Out); bad != nil {
			return bad
		}
		if strings.ContainsAny(n.Out, `"'*\`) {
			return invalid("Out", "%q cannot be used in a rule", n.Out)
		}
	}
	for _, a := range []struct {
		field string
		addr  netip.Addr
	}{{"Source", n.Source}, {"VIP", n.VIP}} {
		if !a.addr.IsValid() {
			continue
		}
		if bad := validateAddr(a.field, a.addr); bad != nil {
			return bad
		}
		if a.addr.Is6() != n.IPv6 {
			return invalid(a.field, "%s is not of the family", a.addr)
		}
	}
	return nil
}

func (n SourceNAT) complete(found Resource) (Resource, *Error) {
	n = n.named()
	if _, ok := found.(SourceNAT); found != nil && !ok {
		return nil, foreignTable(n.Table)
	}
	return n, nil
}

// foreignTable is the error of a table that has something else in it.
func foreignTable(name string) *Error {
	return &Error{kind: ErrExists, Field: "Table", detail: "the table " + name + " exists with other contents: remove it, or choose another name"}
}

func (n SourceNAT) matches(now Resource) bool { return now == n }

func (n SourceNAT) toNetwork() netstate.Resource {
	n = n.named()
	return netstate.SourceNAT{Table: n.Table, IPv6: n.IPv6, From: n.From, To: n.To, Out: n.Out, Source: n.Source, VIP: n.VIP}
}

func sourceNATFrom(n netstate.SourceNAT) Resource {
	return seenResource(SourceNAT{Table: n.Table, IPv6: n.IPv6, From: n.From, To: n.To, Out: n.Out, Source: n.Source, VIP: n.VIP}, n.Other)
}
