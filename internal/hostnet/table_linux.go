package hostnet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// ownTable is a table of nftables that belongs to a resource: one chain with one rule.
type ownTable struct {
	name   string
	family nftables.TableFamily
	chain  nftables.Chain // without its table
	rule   []expr.Any
}

// tableFamily returns the family of a table.
func tableFamily(ipv6 bool) nftables.TableFamily {
	if ipv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}

// withTables calls fn with a connection to nftables.
func withTables(fn func(*nftables.Conn) error) error {
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return fmt.Errorf("%w: %w", netstate.ErrNoNFTables, err)
	}
	defer c.CloseLasting()
	return fn(c)
}

// find reports whether a table of the name exists, and whether it has other contents.
func (t ownTable) find(n *Network) (exists, differs bool, err error) {
	err = withTables(func(c *nftables.Conn) error {
		all, err := c.ListTablesOfFamily(t.family)
		if lacksTables(err) {
			return nil
		}
		exists = slices.ContainsFunc(all, func(other *nftables.Table) bool { return other.Name == t.name })
		if err == nil && exists {
			differs, err = t.differs(n, c)
		}
		return err
	})
	if errors.Is(err, netstate.ErrNoNFTables) {
		return false, false, nil
	}
	return exists, differs, err
}

// differs reports whether the table of the name has any other contents.
func (t ownTable) differs(n *Network, c *nftables.Conn) (bool, error) {
	chains, err := c.ListChainsOfTableFamily(t.family)
	if err != nil {
		return false, err
	}
	table := &nftables.Table{Name: t.name, Family: t.family}
	if sets, err := c.GetSets(table); err != nil || len(sets) > 0 {
		return true, err
	}
	if objects, err := c.GetObjects(table); err != nil || len(objects) > 0 {
		return true, err
	}
	own := 0
	for _, chain := range chains {
		if chain.Table.Name != t.name {
			continue
		}
		if own++; own > 1 || !t.isOwn(chain) {
			return true, nil
		}
		rules, err := n.rulesOf(t)
		if err != nil || len(rules) != 1 {
			return true, err
		}
		if own, err := t.expressions(); err != nil || !slices.EqualFunc(own, rules[0], expression.isSame) {
			return true, err
		}
	}
	return own != 1, nil
}

func (t ownTable) isOwn(c *nftables.Chain) bool {
	return c.Name == t.chain.Name && c.Type == t.chain.Type && c.Hooknum != nil && *c.Hooknum == *t.chain.Hooknum &&
		c.Priority != nil && *c.Priority == *t.chain.Priority && (c.Policy == nil || *c.Policy == nftables.ChainPolicyAccept)
}

// put makes the table in one transaction.
func (t ownTable) put() error {
	return withTables(func(c *nftables.Conn) error {
		chain := t.chain
		chain.Table = c.AddTable(&nftables.Table{Name: t.name, Family: t.family})
		c.AddChain(&chain)
		c.AddRule(&nftables.Rule{Table: chain.Table, Chain: &chain, Exprs: t.rule})
		err := c.Flush()
		if lacksTables(err) {
			return fmt.Errorf("%w: %w", netstate.ErrNoNFTables, err)
		}
		return err
	})
}

func (t ownTable) remove() error {
	return withTables(func(c *nftables.Conn) error {
		c.DelTable(&nftables.Table{Name: t.name, Family: t.family})
		return c.Flush()
	})
}

// lacksTables reports whether the kernel lacks nftables, or an expression.
func lacksTables(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOENT)
}

// expression is an expression of a rule as the kernel has it. Package expr cannot
// decode all that it encodes.
type expression struct {
	name  string
	attrs map[uint16][]byte
}

// isSame reports whether two expressions are the same. The kernel adds attributes whose
// values are zero.
func (e expression) isSame(other expression) bool {
	if e.name != other.name {
		return false
	}
	for _, attrs := range []map[uint16][]byte{e.attrs, other.attrs} {
		for kind := range attrs {
			if a, b := e.attrs[kind], other.attrs[kind]; !bytes.Equal(a, b) && !(isZero(a) && isZero(b)) {
				return false
			}
		}
	}
	return true
}

func isZero(value []byte) bool { return len(bytes.Trim(value, "\x00")) == 0 }

// readExpression reads an expression from its attributes.
func readExpression(data []byte) expression {
	e := expression{attrs: make(map[uint16][]byte)}
	attributes(data, func(kind uint16, value []byte) {
		switch kind {
		case unix.NFTA_EXPR_NAME:
			e.name = text(value)
		case unix.NFTA_EXPR_DATA:
			attributes(value, func(kind uint16, value []byte) { e.attrs[kind] = value })
		}
	})
	if flags := e.attrs[unix.NFTA_NAT_FLAGS]; e.name == "nat" && flags != nil {
		e.attrs[unix.NFTA_NAT_FLAGS] = binary.BigEndian.AppendUint32(nil, be32(flags)&^natMapsAddress)
	}
	return e
}

// natMapsAddress is the flag that the kernel adds to a NAT that has an address.
const natMapsAddress = 1

// expressions returns those of the table's rule.
func (t ownTable) expressions() ([]expression, error) {
	all := make([]expression, len(t.rule))
	for i, e := range t.rule {
		data, err := expr.Marshal(byte(t.family), oneAddress(e))
		if err != nil {
			return nil, err
		}
		all[i] = readExpression(data)
	}
	return all, nil
}

// rulesOf returns the expressions of each rule of the table's chain.
func (n *Network) rulesOf(t ownTable) (all [][]expression, err error) {
	attrs := netlink.NewAttributeEncoder()
	attrs.String(unix.NFTA_RULE_TABLE, t.name)
	attrs.String(unix.NFTA_RULE_CHAIN, t.chain.Name)
	request, err := attrs.Encode()
	if err != nil {
		return nil, err
	}
	messages, err := n.dump(unix.NETLINK_NETFILTER, nft|unix.NFT_MSG_GETRULE, append(generic(byte(t.family)), request...))
	for _, m := range messages {
		if len(m.Data) < 4 {
			continue
		}
		var rule []expression
		attributes(m.Data[4:], func(kind uint16, value []byte) {
			if kind == unix.NFTA_RULE_EXPRESSIONS {
				attributes(value, func(_ uint16, value []byte) { rule = append(rule, readExpression(value)) })
			}
		})
		all = append(all, rule)
	}
	return all, err
}

// oneAddress writes an address as a range that ends where it begins, as the kernel
// does.
func oneAddress(e expr.Any) expr.Any {
	nat, ok := e.(*expr.NAT)
	if !ok || nat.RegAddrMax != 0 {
		return e
	}
	whole := *nat
	whole.RegAddrMax = nat.RegAddrMin
	return &whole
}

// Offsets of addresses in the headers.
const (
	source4, destination4 = 12, 16
	source6, destination6 = 8, 24
)

// fromNetwork matches packets from a network; the zero prefix is any.
func fromNetwork(p netip.Prefix) []expr.Any { return inPrefix(p, source4, source6) }

// toNetwork matches packets to a network; the zero prefix is any.
func toNetwork(p netip.Prefix) []expr.Any { return inPrefix(p, destination4, destination6) }

// inPrefix matches the address at an offset of the header, which depends on the family.
func inPrefix(p netip.Prefix, offset4, offset6 uint32) []expr.Any {
	if !p.IsValid() || p.Bits() == 0 {
		return nil
	}
	offset, size := offset4, p.Addr().BitLen()/8
	if p.Addr().Is6() {
		offset = offset6
	}
	load := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(size)}
	compare := isEqual(p.Masked().Addr().AsSlice())
	if p.IsSingleIP() {
		return []expr.Any{load, compare}
	}
	mask := netOf(p).Mask
	return []expr.Any{load, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(size), Mask: mask, Xor: make([]byte, size)}, compare}
}

// isEqual compares register 1 with a value.
func isEqual(value []byte) expr.Any { return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value} }
