package keepalived

import (
	"cmp"
	"encoding/binary"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
)

// group is a virtual_server_group: the services that have the same real servers.
type group struct {
	ranges []addressRange
	marks  []mark
}

// addressRange is some addresses in a row, each with the same port.
type addressRange struct {
	first, last netip.Addr
	port        uint16
	at          place
}

// mark is a firewall mark; its family is 4, 6, or 0 for that of the real servers.
type mark struct {
	mark   uint32
	family int
	at     place
}

// group reads a virtual_server_group.
func (m *maker) group(s *statement) error {
	name, err := s.one()
	if err != nil {
		return err
	}
	g := &group{}
	for _, c := range s.children {
		if c.keyword() == "fwmark" {
			err = g.addMark(c)
		} else {
			err = g.addRange(c)
		}
		if err != nil {
			return err
		}
	}
	if m.groups[name] != nil {
		return s.at.errorf("the virtual_server_group %s is there twice", name)
	}
	m.groups[name] = g
	return nil
}

func (g *group) addMark(s *statement) error {
	args := s.args()
	if len(args) < 1 || len(args) > 2 {
		return s.at.errorf("want fwmark NUMBER, and inet or inet6")
	}
	n, err := s.numberAt(1, args[0], 1, math.MaxUint32)
	if err != nil {
		return err
	}
	added := mark{mark: uint32(n), at: s.at}
	if len(args) == 2 {
		if added.family, err = s.family(2); err != nil {
			return err
		}
	}
	g.marks = append(g.marks, added)
	return nil
}

// family returns the IP version of a word that is inet or inet6.
func (s *statement) family(i int) (int, error) {
	switch s.words[i].text {
	case "inet":
		return 4, nil
	case "inet6":
		return 6, nil
	}
	return 0, s.word(i).errorf("%q is neither inet nor inet6", s.words[i].text)
}

func (g *group) addRange(s *statement) (err error) {
	if len(s.words) > 2 {
		return s.at.errorf("want an address or a range of addresses, and a port")
	}
	added := addressRange{at: s.at}
	if added.port, err = s.port(1); err != nil {
		return err
	}
	text := s.keyword()
	var ok bool
	if added.first, added.last, ok = parseRange(text); !ok {
		return s.at.errorf("%q is not an address or a range such as 10.0.0.1-5, 10.0.0.1-10.0.1.5 or 10.0.0.0/24", text)
	}
	g.ranges = append(g.ranges, added)
	return nil
}

// parseRange returns the first and the last address of a text.
func parseRange(text string) (first, last netip.Addr, ok bool) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if err != nil || p != p.Masked() || p.Bits() == 0 {
			return first, last, false
		}
		return p.Addr(), lastOf(p), true
	}
	from, to, isRange := strings.Cut(text, "-")
	first, err := netip.ParseAddr(from)
	if err != nil || first.Zone() != "" {
		return first, last, false
	}
	if !isRange {
		return first, first, true
	}
	if strings.ContainsAny(to, ".:") {
		last, err = netip.ParseAddr(to)
		return first, last, err == nil && last.Zone() == "" && last.BitLen() == first.BitLen() && first.Compare(last) <= 0
	}
	last, ok = withLast(first, to)
	return first, last, ok && first.Less(last)
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	last, _ := netip.AddrFromSlice(b)
	return last
}

// withLast returns an address with another last byte, or in IPv6 another last group of
// hexadecimal digits.
func withLast(a netip.Addr, text string) (netip.Addr, bool) {
	if a.Is4() {
		n, err := strconv.ParseUint(text, 10, 8)
		b := a.As4()
		b[3] = byte(n)
		return netip.AddrFrom4(b), err == nil
	}
	n, err := strconv.ParseUint(text, 16, 16)
	b := a.As16()
	binary.BigEndian.PutUint16(b[14:], uint16(n))
	return netip.AddrFrom16(b), err == nil
}

// fits reports whether the services of a group can have servers of a family, 0 if all are
// behind tunnels. It returns the family of marks that say none.
func (g *group) fits(family int) (ofMarks int, ok bool) {
	has, isOpen := map[int]bool{}, false
	for _, r := range g.ranges {
		has[familyOf(r.first)] = true
	}
	for _, mk := range g.marks {
		if mk.family != 0 {
			has[mk.family] = true
		} else {
			isOpen = true
		}
	}
	switch {
	case len(has) == 0:
		return cmp.Or(family, 4), true
	case len(has) == 2:
		return 0, family == 0 && !isOpen
	case has[6]:
		return 6, family != 4
	}
	return 4, family != 6
}

// identified is the ID of a service, and where it is written.
type identified struct {
	id lvs.ServiceID
	at place
}

// ids returns the services of a group, at most limit.
func (g *group) ids(protocol lvs.Protocol, family, limit int) (all []identified, ok bool) {
	for _, r := range g.ranges {
		for a := r.first; ; a = a.Next() {
			if len(all) == limit {
				return nil, false
			}
			all = append(all, identified{lvs.NewServiceID(protocol, netip.AddrPortFrom(a, r.port)), r.at})
			if a == r.last {
				break
			}
		}
	}
	for _, mk := range g.marks {
		all = append(all, identified{markID(mk.mark, cmp.Or(mk.family, family)), mk.at})
	}
	return all, len(all) <= limit
}

// markID returns the service of a firewall mark; families but 6 are IPv4.
func markID(n uint32, family int) lvs.ServiceID {
	if family == 6 {
		return lvs.FWMark6(n)
	}
	return lvs.FWMark(n)
}
