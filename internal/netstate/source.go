package netstate

import (
	"math/bits"
	"net/netip"
)

// SourceFor returns the address from which a host sends packets to another one by a
// route that does not say it. The addresses are the host's, in the order in which they
// were added.
func SourceFor(addresses []Address, to netip.Addr, way RouteEntry) netip.Addr {
	if to.Is4() {
		return sourceFor4(addresses, way)
	}
	return sourceFor6(addresses, to, way.Interface)
}

// sourceFor4 returns the first address of the interface, or that of the router's network.
func sourceFor4(addresses []Address, way RouteEntry) (source netip.Addr) {
	var elsewhere netip.Addr
	for _, a := range addresses {
		switch addr := a.Prefix.Addr(); {
		case !addr.Is4() || a.Scope == "host":
		case a.Interface != way.Interface:
			if !elsewhere.IsValid() && a.Scope != "link" {
				elsewhere = addr
			}
		case way.Via.IsValid() && a.Prefix.Contains(way.Via):
			return addr
		case !source.IsValid():
			source = addr
		}
	}
	if source.IsValid() {
		return source
	}
	if elsewhere.IsValid() {
		return elsewhere
	}
	return netip.IPv4Unspecified()
}

// sourceFor6 returns the best address by the rules of RFC 6724. Of equals the newest of
// an interface is the best.
func sourceFor6(addresses []Address, to netip.Addr, iface string) netip.Addr {
	best, score := netip.IPv6Unspecified(), [6]int{-1 << 16}
	for i := len(addresses) - 1; i >= 0; i-- {
		a := addresses[i]
		addr := a.Prefix.Addr()
		if addr.Is4() || a.DADFailed || to.IsLinkLocalUnicast() && a.Interface != iface {
			continue
		}
		s := [6]int{
			truth(addr == to), scopeScore(addr, to), truth(!a.Deprecated), truth(a.Interface == iface), truth(label(addr) == label(to)),
			min(commonBits(addr, to), a.Prefix.Bits()),
		}
		if less(score, s) {
			best, score = addr, s
		}
	}
	return best
}

func less(a, b [6]int) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// scopeScore prefers the smallest scope that reaches the destination.
func scopeScore(addr, to netip.Addr) int {
	const tooSmall = 128
	if s := scope(addr); s < scope(to) {
		return s - tooSmall
	} else {
		return -s
	}
}

func scope(a netip.Addr) int {
	const link, global = 2, 14
	if a.IsLinkLocalUnicast() || a.IsLoopback() {
		return link
	}
	return global
}

// labels are the kernel's usual ones, the longest prefixes first.
var labels = []struct {
	prefix netip.Prefix
	label  int
}{
	{netip.MustParsePrefix("::1/128"), 0},
	{netip.MustParsePrefix("::/96"), 3},
	{netip.MustParsePrefix("::ffff:0:0/96"), 4},
	{netip.MustParsePrefix("2001::/32"), 6},
	{netip.MustParsePrefix("2001:10::/28"), 7},
	{netip.MustParsePrefix("3ffe::/16"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
	{netip.MustParsePrefix("fec0::/10"), 11},
	{netip.MustParsePrefix("fc00::/7"), 5},
}

func label(a netip.Addr) int {
	for _, l := range labels {
		if l.prefix.Contains(a) {
			return l.label
		}
	}
	return 1
}

// commonBits returns how many bits two IPv6 addresses have in common at their beginning.
func commonBits(a, b netip.Addr) int {
	x, y := a.As16(), b.As16()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			return i*8 + bits.LeadingZeros8(d)
		}
	}
	return 128
}
