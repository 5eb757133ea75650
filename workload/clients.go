package workload

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"sort"
	"strconv"
	"strings"
)

// Clients describes the clients that connect. The text form is "20000", or with all
// fields "20000 zipf 1.1 nat 50 from 10.64.0.0/10".
type Clients struct {
	// Count is the number of clients, 1 to 16777216.
	Count int

	// Zipf makes some clients connect more often than others: the k-th as often as the
	// first, divided by k to the power of Zipf. With 0, all connect equally often; 1 is
	// usual.
	Zipf float64

	// PerAddress is how many clients share an address behind NAT. With 0 or 1, each has
	// its own address.
	PerAddress int

	// From is the network over which their addresses are spread. Zero is 10.0.0.0/8, or
	// 2001:db8::/32 for IPv6.
	From netip.Prefix
}

// maxClients bounds the memory for clients.
const maxClients = 1 << 24

// String returns the text form, and "" for the zero value.
func (c Clients) String() string {
	if c == (Clients{}) {
		return ""
	}
	text := strconv.Itoa(c.Count)
	if c.Zipf != 0 {
		text += " zipf " + formatFloat(c.Zipf)
	}
	if c.PerAddress != 0 {
		text += " nat " + strconv.Itoa(c.PerAddress)
	}
	if c.From.IsValid() {
		text += " from " + c.From.String()
	}
	return text
}

// ParseClients reads the text form. The error is an [*InvalidError].
func ParseClients(s string) (c Clients, err error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return c, nil
	}
	c.Count, err = strconv.Atoi(words[0])
	for rest := words[1:]; err == nil && len(rest) > 0; rest = rest[2:] {
		value := ""
		if len(rest) > 1 {
			value = rest[1]
		} else {
			rest = append(rest, "")
		}
		switch rest[0] {
		case "zipf":
			c.Zipf, err = strconv.ParseFloat(value, 64)
		case "nat":
			c.PerAddress, err = strconv.Atoi(value)
		case "from":
			c.From, err = netip.ParsePrefix(value)
		default:
			err = strconv.ErrSyntax
		}
	}
	if err != nil {
		return Clients{}, invalid("Clients", `%q is not like "20000 zipf 1.1 nat 50 from 10.64.0.0/10"`, s)
	}
	return c, nil
}

// MarshalText returns the text form.
func (c Clients) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads the text form; an empty text is the zero value.
func (c *Clients) UnmarshalText(text []byte) (err error) {
	*c, err = ParseClients(string(text))
	return err
}

func (c Clients) validate(field string, is6 bool) error {
	switch {
	case c.Count == 0:
		return invalid(field, "is empty; want a number of clients")
	case c.Count < 0 || c.Count > maxClients:
		return invalid(field, "%d is out of range [1, %d]", c.Count, maxClients)
	case !(c.Zipf >= 0) || c.Zipf > 100:
		return invalid(field, "the Zipf exponent %s is out of range [0, 100]", formatFloat(c.Zipf))
	case c.PerAddress < 0:
		return invalid(field, "%d clients per address is negative", c.PerAddress)
	case c.From.IsValid() && c.From.Addr().Is6() != is6:
		return invalid(field, "%s is not of the service's address family", c.From)
	case c.From != netip.Prefix{} && !c.From.IsValid():
		return invalid(field, "From is not a prefix")
	}
	if room := c.spread(is6).room(); uint64(c.addresses()) > room {
		return invalid(field, "%d addresses are more than the %d of %s", c.addresses(), room, c.spread(is6).prefix)
	}
	return nil
}

// addresses returns the number of their addresses.
func (c Clients) addresses() int {
	per := max(1, c.PerAddress)
	return (c.Count + per - 1) / per
}

// addressOf returns which of the addresses a client has.
func (c Clients) addressOf(client int) int { return client / max(1, c.PerAddress) }

// draw returns a function that returns the next client.
func (c Clients) draw(r *rand.Rand) func() int {
	if c.Zipf == 0 {
		return func() int { return r.IntN(c.Count) }
	}
	upTo := make([]float64, c.Count) // how often the first so many come
	sum := 0.0
	for i := range upTo {
		sum += math.Pow(float64(i+1), -c.Zipf)
		upTo[i] = sum
	}
	return func() int { return min(sort.SearchFloat64s(upTo, sum*r.Float64()), c.Count-1) }
}

// spread returns their addresses.
func (c Clients) spread(is6 bool) spread {
	p := c.From
	if !p.IsValid() {
		p = netip.MustParsePrefix("10.0.0.0/8")
		if is6 {
			p = netip.MustParsePrefix("2001:db8::/32")
		}
	}
	return spread{p.Masked()}
}

// spread numbers the addresses of a prefix so that successive ones are far apart: real
// clients are not neighbours, and hashes of neighbours are more even than they should
// be.
type spread struct{ prefix netip.Prefix }

// bits returns how many bits of the address are free, at most 64.
func (s spread) bits() int { return min(s.prefix.Addr().BitLen()-s.prefix.Bits(), 64) }

func (s spread) room() uint64 {
	if b := s.bits(); b < 64 {
		return 1 << b
	}
	return math.MaxUint64
}

// at returns the i-th address. Each step can be undone, so no two are the same.
func (s spread) at(i int) netip.Addr {
	b := s.bits()
	if b == 0 {
		return s.prefix.Addr()
	}
	mask := uint64(math.MaxUint64) >> (64 - b)
	v := uint64(i) + 1
	for _, odd := range []uint64{0x9e3779b97f4a7c15, 0xd6e8feb86659fd93, 0xa0761d6478bd642f} {
		v = v * odd & mask
		v ^= v >> ((b + 1) / 2)
	}
	v &= mask
	if s.prefix.Addr().Is4() {
		a := s.prefix.Addr().As4()
		binary.BigEndian.PutUint32(a[:], binary.BigEndian.Uint32(a[:])|uint32(v))
		return netip.AddrFrom4(a)
	}
	a := s.prefix.Addr().As16()
	low := a[8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)|v)
	return netip.AddrFrom16(a)
}
