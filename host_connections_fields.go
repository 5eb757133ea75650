package lvs

import (
	"math"
	"net/netip"
)

// appendFields appends the fields of a line, which spaces separate.
func appendFields(fields [][]byte, line []byte) [][]byte {
	for i := 0; i < len(line); {
		if line[i] == ' ' {
			i++
			continue
		}
		begin := i
		for i < len(line) && line[i] != ' ' {
			i++
		}
		fields = append(fields, line[begin:i])
	}
	return fields
}

// parseListedProtocol parses a protocol as the kernel lists it. The template of a mark
// has the protocol IP, which is 0.
func parseListedProtocol(text []byte) (Protocol, bool) {
	switch string(text) {
	case "TCP":
		return ProtocolTCP, true
	case "UDP":
		return ProtocolUDP, true
	case "SCTP":
		return ProtocolSCTP, true
	case "IP":
		return 0, true
	case "ICMP":
		return 1, true
	case "ICMPv6":
		return 58, true
	}
	if len(text) < 4 || string(text[:3]) != "IP_" {
		return 0, false
	}
	n, ok := parseListedNumber(text[3:])
	return Protocol(n), ok && n <= math.MaxUint16
}

// parseListedNumber parses a decimal number of 32 bits.
func parseListedNumber(text []byte) (n uint64, ok bool) {
	for _, b := range text {
		if b < '0' || b > '9' || n > math.MaxUint32/10 {
			return 0, false
		}
		n = 10*n + uint64(b-'0')
	}
	return n, len(text) > 0
}

// parseListedEnd parses an address and a port.
func parseListedEnd(to *netip.AddrPort, addr, port []byte) bool {
	number, ok := parseListedHex(port)
	if !ok || len(port) != 4 {
		return false
	}
	a, ok := parseListedAddr(addr)
	*to = netip.AddrPortFrom(a, uint16(number))
	return ok
}

// parseListedAddr parses an address: IPv4 as eight hexadecimal digits, IPv6 written out.
func parseListedAddr(text []byte) (netip.Addr, bool) {
	const length6 = 8*4 + 7
	switch len(text) {
	case 8:
		n, ok := parseListedHex(text)
		return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}), ok
	case length6:
		var raw [16]byte
		for i := range 8 {
			group := text[5*i:]
			n, ok := parseListedHex(group[:4])
			if !ok || i < 7 && group[4] != ':' {
				return netip.Addr{}, false
			}
			raw[2*i], raw[2*i+1] = byte(n>>8), byte(n)
		}
		return netip.AddrFrom16(raw), true
	}
	return netip.Addr{}, false
}

// hexDigits has the value of each hexadecimal digit, and more than 15 for other bytes.
var hexDigits = func() (values [256]byte) {
	for i := range values {
		values[i] = 0xff
	}
	for i := range 10 {
		values['0'+i] = byte(i)
	}
	for i := range 6 {
		values['a'+i], values['A'+i] = byte(10+i), byte(10+i)
	}
	return values
}()

// parseListedHex parses up to eight hexadecimal digits.
func parseListedHex(text []byte) (n uint32, ok bool) {
	for _, b := range text {
		digit := hexDigits[b]
		if digit > 15 {
			return 0, false
		}
		n = n<<4 | uint32(digit)
	}
	return n, true
}
