package netstate

import "net/netip"

// Table is a resource that is a table of nftables with one chain of one rule.
type Table interface {
	Resource
	// Chain returns the chain and its rule, as they are observed.
	Chain() (Chain, ChainRule)
}

// nftFamily returns the name of a family in nftables.
func nftFamily(ipv6 bool) string {
	if ipv6 {
		return "ip6"
	}
	return "ip"
}

func prefixes(p netip.Prefix) []netip.Prefix {
	if !p.IsValid() {
		return nil
	}
	return []netip.Prefix{p}
}

func hostPrefixes(a netip.Addr) []netip.Prefix {
	if !a.IsValid() {
		return nil
	}
	return []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}
}

// Chain returns the chain of a source NAT.
func (n SourceNAT) Chain() (Chain, ChainRule) {
	chain := Chain{Family: nftFamily(n.IPv6), Table: n.Table, Name: "postrouting", Hook: "postrouting", Type: "nat", Priority: 100}
	rule := ChainRule{
		Family: chain.Family, Table: n.Table, Chain: chain.Name, From: prefixes(n.From), To: prefixes(n.To), Out: n.Out,
		OpenedTo: hostPrefixes(n.VIP),
		Verdict:  "masquerade", Partial: n.Other,
	}
	if n.Source.IsValid() {
		rule.Verdict, rule.Target = "snat", n.Source.String()
	}
	return chain, rule
}

// Chain returns the chain of a packet mark.
func (m PacketMark) Chain() (Chain, ChainRule) {
	chain := Chain{Family: nftFamily(m.To.Addr().Is6()), Table: m.Table, Name: "prerouting", Hook: "prerouting", Type: "filter", Priority: -150}
	rule := ChainRule{
		Family: chain.Family, Table: m.Table, Chain: chain.Name, To: prefixes(m.To), Protocol: m.Protocol,
		Verdict: "mark", SetMark: m.Mark, Partial: m.Other,
	}
	if m.First != 0 {
		rule.ToPorts = [][2]uint16{{m.First, m.Last}}
	}
	return chain, rule
}
