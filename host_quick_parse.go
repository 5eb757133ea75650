package lvs

import (
	"bytes"
	"math/bits"
	"net/netip"
	"slices"
	"strconv"
)

// quickParser reads /proc/net/ip_vs.
type quickParser struct {
	procRows
	table   QuickTable
	servers []QuickServer // of all services, one after the other
	masks   []uint32      // of the services
}

// parseQuickTable returns the table, and reports whether it has a service twice, because
// it changed while it was read.
func parseQuickTable(text []byte) (t QuickTable, isTorn bool, err error) {
	p := quickParser{procRows: procRows{path: quickFile, rest: text}}
	rows, servers := bytes.Count(text, []byte("\n")), bytes.Count(text, []byte("\n  ->"))
	p.table.Services, p.masks = make([]QuickService, 0, rows-servers), make([]uint32, 0, rows-servers)
	p.servers = make([]QuickServer, 0, servers)
	if err := p.heading(); err != nil {
		return QuickTable{}, false, err
	}
	for p.next() {
		if string(p.nextWord()) == "->" {
			err = p.server()
		} else {
			err = p.service()
		}
		if err != nil {
			return QuickTable{}, false, err
		}
	}
	p.endService()
	quickFamilies(p.table.Services, p.masks)
	for i := range p.table.Services {
		p.table.Services[i].setMask(p.masks[i])
	}
	sortByID(p.table.Services, quickID)
	for i := 1; i < len(p.table.Services); i++ {
		isTorn = isTorn || p.table.Services[i].ID == p.table.Services[i-1].ID
	}
	return p.table, isTorn, nil
}

func (p *quickParser) heading() error {
	if err := p.expect("IP", "Virtual", "Server", "version"); err != nil {
		return err
	}
	p.nextWord()
	size, isSize := bytes.CutPrefix(p.nextWord(), []byte("(size="))
	n, err := strconv.ParseUint(string(bytes.TrimSuffix(size, []byte(")"))), 10, 31)
	if !isSize || err != nil {
		return p.refuse(`a size such as "(size=4096)"`)
	}
	p.table.ConnTableSize = int(n)
	if err := p.expect("Prot", "LocalAddress:Port", "Scheduler", "Flags"); err != nil {
		return err
	}
	return p.expect("->", "RemoteAddress:Port", "Forward", "Weight", "ActiveConn", "InActConn")
}

// service reads the row of a service, of which the first word has been read.
func (p *quickParser) service() (err error) {
	p.endService()
	var s QuickService
	isMark := string(p.word) == "FWM"
	if isMark {
		var mark uint64
		if mark, err = p.unsigned(16, 32); err == nil && mark == 0 {
			err = p.refuse("a firewall mark above 0")
		}
		s.ID, s.FamilyUnknown = FWMark(uint32(mark)), true
	} else {
		protocol, ok := parseListedProtocol(p.word)
		if !ok {
			return p.refuse("a protocol, FWM or ->")
		}
		var vip netip.AddrPort
		vip, err = p.addrPort()
		s.ID = NewServiceID(protocol, vip)
	}
	if err != nil {
		return err
	}
	if len(p.nextWord()) == 0 {
		return p.refuse("a scheduler")
	}
	s.Scheduler = p.scheduler()
	if isMark || !s.ID.Is6() {
		s.OnePacket = QuickOff
	}
	mask, err := p.flags(&s)
	p.masks = append(p.masks, mask)
	p.table.Services = append(p.table.Services, s)
	return err
}

// scheduler returns the current word. It shares the memory of the service before, as
// most have the same one.
func (p *quickParser) scheduler() Scheduler {
	if n := len(p.table.Services); n > 0 && string(p.table.Services[n-1].Scheduler) == string(p.word) {
		return p.table.Services[n-1].Scheduler
	}
	return Scheduler(p.word)
}

// flags reads the words at the end of a service's row, and returns the mask. It ignores
// words that are not known.
func (p *quickParser) flags(s *QuickService) (mask uint32, err error) {
	for len(p.nextWord()) > 0 {
		switch word := string(p.word); {
		case word == "ops" && s.OnePacket == QuickOff:
			s.OnePacket = QuickOn
		case word == "persistent":
			s.Persistent = true
			ticks, err := p.signed() // the kernel prints an unsigned number as a signed one
			if err != nil {
				return 0, err
			}
			s.PersistenceTicks = uint32(ticks)
			m, err := p.unsigned(16, 32)
			if err != nil {
				return 0, err
			}
			if mask = uint32(m); s.ID.Is6() && !isListedPrefix(mask) {
				return 0, p.refuse("a number of bits from 1 to 128, with its bytes exchanged")
			}
		}
	}
	return mask, nil
}

// server reads the row of a real server, of which the first word has been read.
func (p *quickParser) server() (err error) {
	if len(p.table.Services) == 0 {
		return p.refuse("a service before its real servers")
	}
	var s QuickServer
	if s.Addr, err = p.addrPort(); err != nil {
		return err
	}
	if len(p.nextWord()) == 0 {
		return p.refuse("a forwarding method")
	}
	s.Method = parseForwardMethod(p.word)
	for _, to := range []*int{&s.Weight, &s.Active, &s.Inactive} {
		if *to, err = p.signed(); err != nil {
			return err
		}
	}
	p.servers = append(p.servers, s)
	return nil
}

// endService gives the last service the real servers that follow it, of which the kernel
// lists the one first that was added last.
func (p *quickParser) endService() {
	if n := len(p.table.Services); n > 0 && len(p.servers) > 0 {
		all := slices.Clip(p.servers)
		slices.Reverse(all)
		p.table.Services[n-1].RealServers = all
	}
	p.servers = p.servers[len(p.servers):]
}

// addrPort reads an address, IPv6 in brackets, and a port.
func (p *quickParser) addrPort() (a netip.AddrPort, err error) {
	word := p.nextWord()
	colon := max(0, bytes.LastIndexByte(word, ':'))
	addr, port := word[:colon], word[min(colon+1, len(word)):]
	n := len(addr)
	isBracketed := n > 2 && addr[0] == '[' && addr[n-1] == ']'
	if isBracketed {
		addr = addr[1 : n-1]
	}
	if !parseListedEnd(&a, addr, port) || a.Addr().Is6() != isBracketed {
		return a, p.refuse("an address and a port")
	}
	return a, nil
}

func parseForwardMethod(word []byte) ForwardMethod {
	switch string(word) {
	case "Masq":
		return MethodNAT
	case "Route":
		return MethodDR
	case "Tunnel":
		return MethodTunnel
	case "Local":
		return MethodLocal
	}
	return ForwardMethod(word)
}

// setMask sets the mask of a persistent service.
func (s *QuickService) setMask(mask uint32) {
	if !s.Persistent {
		return
	}
	m := DottedMask([4]byte{byte(mask >> 24), byte(mask >> 16), byte(mask >> 8), byte(mask)})
	if s.ID.Is6() {
		m = Mask{}
		if isListedPrefix(mask) {
			m = PrefixMask(int(listedPrefix(mask)))
		}
	}
	if m != fullMask(s.ID) {
		s.PersistenceMask = m
	}
}

// listedPrefix returns the number of bits that a mask of IPv6 keeps. The kernel exchanges
// its bytes as if it were an IPv4 mask, on machines that store the lowest one first.
func listedPrefix(mask uint32) uint32 { return min(mask, bits.ReverseBytes32(mask)) }

// isListedPrefix reports whether a mask can be one of IPv6.
func isListedPrefix(mask uint32) bool { n := listedPrefix(mask); return 1 <= n && n <= 128 }
