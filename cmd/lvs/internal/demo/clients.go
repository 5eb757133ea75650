package demo

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"sort"
)

// clients are the addresses that connections come from. Few of them make most of the
// connections, as by Zipf's law.
type clients struct {
	sums  []float64 // of the shares of the clients up to each
	ports []uint16  // the port that each used last
}

const clientCount = 600

func newClients() clients {
	c := clients{make([]float64, clientCount), make([]uint16, clientCount)}
	sum := 0.0
	for i := range c.sums {
		sum += math.Pow(float64(i+3), -1.05)
		c.sums[i] = sum
	}
	return c
}

// draw returns the address of a client, with a port that it has not used for long.
func (c *clients) draw(random *rand.Rand, is6 bool) netip.AddrPort {
	n := sort.SearchFloat64s(c.sums, random.Float64()*c.sums[clientCount-1])
	c.ports[n] = (c.ports[n] + 7) % 28000
	return netip.AddrPortFrom(clientAddr(n, is6), 32768+c.ports[n])
}

// networks are those of the documentation: no real client is in one.
var networks = [3][3]byte{{198, 51, 100}, {203, 0, 113}, {192, 0, 2}}

func clientAddr(n int, is6 bool) netip.Addr {
	if is6 {
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 4: byte(n % 5), 14: byte(n >> 8), 15: byte(n) | 1})
	}
	net := networks[n%3]
	return netip.AddrFrom4([4]byte{net[0], net[1], net[2], byte(1 + n*37%254)})
}
