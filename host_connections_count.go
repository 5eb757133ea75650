package lvs

import (
	"iter"
	"net/netip"
)

// CountConnections returns how many connections of a sequence have each key, or the error
// of the sequence. It keeps only the keys and their counts. [ByServer], [ByClient] and
// [ByState] make keys. Templates count as well, unless the sequence is without them: see
// [ConnectionFilter].
func CountConnections[K comparable](all iter.Seq2[Connection, error], key func(Connection) K) (map[K]int, error) {
	counts := make(map[K]int)
	for c, err := range all {
		if err != nil {
			return nil, err
		}
		counts[key(c)]++
	}
	return counts, nil
}

// ByServer returns the real server, as a key for [CountConnections].
func ByServer(c Connection) netip.AddrPort { return c.Server }

// ByState returns the state, as a key for [CountConnections].
func ByState(c Connection) ConnState { return c.State }

// ByClient returns a function that makes keys for [CountConnections]: the network that a
// client is in, by the lengths of IPv4 and of IPv6 prefixes. A length that an address
// cannot have, such as -1, stands for whole addresses.
func ByClient(bits4, bits6 int) func(Connection) netip.Prefix {
	return func(c Connection) netip.Prefix {
		a, bits := c.Client.Addr(), bits6
		if a.Is4() {
			bits = bits4
		}
		if bits < 0 || bits > a.BitLen() {
			bits = a.BitLen()
		}
		network, _ := a.Prefix(bits) // the length fits, and the kernel's addresses have no zones
		return network
	}
}
