package hostnet

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// sourceNAT reads and changes a table of source NAT.
type sourceNAT netstate.SourceNAT

var _ = serve(func(r netstate.SourceNAT) kind { return sourceNAT(r) })

const natChain = "postrouting"

// tables calls fn with a connection to nftables.
func (n *Network) tables(fn func(*nftables.Conn) error) error {
	c, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return fmt.Errorf("%w: %w", netstate.ErrNoNAT, err)
	}
	defer c.CloseLasting()
	return fn(c)
}

func (f sourceNAT) find(n *Network) (found netstate.Resource, err error) {
	err = n.tables(func(c *nftables.Conn) error {
		all, err := c.ListTablesOfFamily(f.family())
		if err != nil {
			if lacking(err) {
				return nil
			}
			return err
		}
		if !slices.ContainsFunc(all, func(t *nftables.Table) bool { return t.Name == f.Table }) {
			return nil
		}
		f.Other, err = f.differs(c)
		found = netstate.SourceNAT(f)
		return err
	})
	if errors.Is(err, netstate.ErrNoNAT) {
		return nil, nil
	}
	return found, err
}

// differs tells whether the table has anything but what we put there.
func (f sourceNAT) differs(c *nftables.Conn) (bool, error) {
	chains, err := c.ListChainsOfTableFamily(f.family())
	if err != nil {
		return false, err
	}
	table := &nftables.Table{Name: f.Table, Family: f.family()}
	if sets, err := c.GetSets(table); err != nil || len(sets) > 0 {
		return true, err
	}
	if objects, err := c.GetObjects(table); err != nil || len(objects) > 0 {
		return true, err
	}
	own := 0
	for _, chain := range chains {
		if chain.Table.Name != f.Table {
			continue
		}
		if own++; own > 1 || !isOurs(chain) {
			return true, nil
		}
		rules, err := c.GetRules(table, chain)
		if err != nil || len(rules) != 1 || !sameExpressions(rules[0].Exprs, f.expressions(), byte(f.family())) {
			return true, err
		}
	}
	return own != 1, nil
}

func isOurs(c *nftables.Chain) bool {
	return c.Name == natChain && c.Type == nftables.ChainTypeNAT && c.Hooknum != nil && *c.Hooknum == *nftables.ChainHookPostrouting &&
		c.Priority != nil && *c.Priority == *nftables.ChainPriorityNATSource && (c.Policy == nil || *c.Policy == nftables.ChainPolicyAccept)
}

// sameExpressions compares what the kernel was told with what it tells.
func sameExpressions(a, b []expr.Any, family byte) bool {
	return slices.EqualFunc(a, b, func(a, b expr.Any) bool {
		x, xerr := expr.Marshal(family, oneAddress(a))
		y, yerr := expr.Marshal(family, oneAddress(b))
		return xerr == nil && yerr == nil && bytes.Equal(x, y)
	})
}

// oneAddress writes an address out as a range that ends where it begins, as the
// kernel does.
func oneAddress(e expr.Any) expr.Any {
	nat, ok := e.(*expr.NAT)
	if !ok || nat.RegAddrMax != 0 {
		return e
	}
	whole := *nat
	whole.RegAddrMax = nat.RegAddrMin
	return &whole
}

// put makes the table in one transaction.
func (f sourceNAT) put(n *Network) error {
	return n.tables(func(c *nftables.Conn) error {
		table := c.AddTable(&nftables.Table{Name: f.Table, Family: f.family()})
		chain := c.AddChain(&nftables.Chain{
			Name: natChain, Table: table, Type: nftables.ChainTypeNAT,
			Hooknum: nftables.ChainHookPostrouting, Priority: nftables.ChainPriorityNATSource,
		})
		c.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: f.expressions()})
		err := c.Flush()
		if lacking(err) {
			return fmt.Errorf("%w: %w", netstate.ErrNoNAT, err)
		}
		return err
	})
}

func (f sourceNAT) remove(n *Network) error {
	return n.tables(func(c *nftables.Conn) error {
		c.DelTable(&nftables.Table{Name: f.Table, Family: f.family()})
		return c.Flush()
	})
}

// lacking tells whether the kernel lacks nftables, or its NAT.
func lacking(err error) bool {
	return errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.ENOENT)
}

func (f sourceNAT) family() nftables.TableFamily {
	if f.IPv6 {
		return nftables.TableFamilyIPv6
	}
	return nftables.TableFamilyIPv4
}

// Where addresses stand in the headers.
const (
	source4, destination4 = 12, 16
	source6, destination6 = 8, 24
)

// expressions are those that nft(8) would make of the rule.
func (f sourceNAT) expressions() (all []expr.Any) {
	source, destination := uint32(source4), uint32(destination4)
	family := uint32(unix.NFPROTO_IPV4)
	if f.IPv6 {
		source, destination, family = source6, destination6, unix.NFPROTO_IPV6
	}
	if f.Out != "" {
		name := make([]byte, unix.IFNAMSIZ)
		copy(name, f.Out)
		all = append(all, &expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: name})
	}
	all = append(all, inPrefix(f.From, source)...)
	all = append(all, inPrefix(f.To, destination)...)
	if !f.Source.IsValid() {
		return append(all, &expr.Masq{})
	}
	return append(all,
		&expr.Immediate{Register: 1, Data: f.Source.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: family, RegAddrMin: 1})
}

// inPrefix matches the address at an offset of the header.
func inPrefix(p netip.Prefix, offset uint32) []expr.Any {
	if !p.IsValid() || p.Bits() == 0 {
		return nil
	}
	size := p.Addr().BitLen() / 8
	load := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(size)}
	compare := &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()}
	if p.Bits() == p.Addr().BitLen() {
		return []expr.Any{load, compare}
	}
	mask := netOf(p).Mask
	return []expr.Any{load, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: uint32(size), Mask: mask, Xor: make([]byte, size)}, compare}
}
