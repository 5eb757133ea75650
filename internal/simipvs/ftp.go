package simipvs

import (
	"net/netip"
	"strings"
)

// This file reads what clients and servers of FTP say, as the kernel's helper does. It
// looks at each packet for itself, and knows no lines.

// ftpMode is how a client of FTP said that its next data connection will be opened.
type ftpMode uint8

const (
	ftpActive   ftpMode = iota // by the server, or nothing was said
	ftpPassive                 // by the client, to where a reply 227 says
	ftpExtended                // by the client, to where a reply 229 says
)

// ftpTarget is where a data connection goes, and where in a packet that is said.
type ftpTarget struct {
	addr       netip.Addr // not valid: none was given
	port       uint16
	start, end int // of the text
}

// ftpReader reads packets of one control connection.
type ftpReader struct {
	family uint32
	strict bool // numbers are not taken modulo their size
}

// passive returns how a client's packet asks the server to wait for a connection. The
// packet is done with if a command of that kind is in it, even if it is not taken.
func (r ftpReader) passive(data string) (mode ftpMode, done bool) {
	const shortest = len("PASV\r\n")
	for ; len(data) >= shortest; data = data[1:] {
		switch {
		case r.family == inet4 && begins(data, "PASV\r\n"):
			return ftpPassive, true
		case begins(data, "EPSV\r"):
			return ftpExtended, true
		case begins(data, "EPSV "):
			if r.takesFamily(data[5]) && len(data) > shortest && data[6] == '\r' {
				return ftpExtended, true
			}
			return ftpActive, true
		}
	}
	return ftpActive, false
}

// active returns where a client's packet asks the server to connect to.
func (r ftpReader) active(data string) (t ftpTarget, ok bool) {
	if r.family == inet4 {
		if t, ok = r.listed(data, "PORT", ' '); ok {
			return t, true
		}
	}
	t, ok = r.delimited(data, "EPRT", ' ')
	return t, ok && t.addr.IsValid()
}

// reply returns where a server's packet asks the client to connect to.
func (r ftpReader) reply(data string, mode ftpMode) (t ftpTarget, ok bool) {
	switch mode {
	case ftpPassive:
		return r.listed(data, "227 ", '(')
	case ftpExtended:
		return r.delimited(data, "229 ", '(')
	}
	return t, false
}

// listed reads six numbers with commas between them: four of an address, and two of a
// port. A number may be empty. They begin behind the marks, or with the first digit.
func (r ftpReader) listed(data, word string, mark byte) (t ftpTarget, ok bool) {
	if t.start, ok = target(data, word, mark, true); !ok {
		return t, false
	}
	var numbers [6]byte
	n, i := 0, t.start
	for value := 0; ; i++ {
		switch {
		case i == len(data):
			return t, false
		case isDigit(data[i]):
			value = value*10 + int(data[i]-'0')
			if value > 255 && r.strict {
				return t, false
			}
			value &= 255
			numbers[n] = byte(value)
			continue
		case data[i] == ',' && n < len(numbers)-1:
			n, value = n+1, 0
			continue
		}
		break
	}
	t.end = i
	t.addr = netip.AddrFrom4([4]byte(numbers[:4]))
	t.port = uint16(numbers[4])<<8 | uint16(numbers[5])
	return t, n == len(numbers)-1
}

// delimited reads the number of a family, an address and a port, each behind a mark of
// any kind, and that mark again. Family and address may both be empty.
func (r ftpReader) delimited(data, word string, mark byte) (t ftpTarget, ok bool) {
	if t.start, ok = target(data, word, mark, false); !ok {
		return t, false
	}
	delimiter := data[t.start]
	if delimiter <= ' ' || delimiter > '~' || isDigit(delimiter) {
		return t, false
	}
	fields := strings.SplitN(data[t.start+1:], string(delimiter), 4)
	if len(fields) < 4 {
		return t, false
	}
	family, addr, port := fields[0], fields[1], fields[2]
	if family != "" || addr != "" {
		if t.addr, ok = r.address(family, addr); !ok {
			return t, false
		}
	}
	if t.port, ok = r.port(port); !ok {
		return t, false
	}
	t.end = t.start + len(family) + len(addr) + len(port) + 4
	return t, true
}

// address reads an address of the connection's family. Leading zeros say nothing.
func (r ftpReader) address(family, text string) (netip.Addr, bool) {
	if len(family) != 1 || !r.takesFamily(family[0]) || strings.Contains(text, "%") {
		return netip.Addr{}, false
	}
	var plain strings.Builder
	for i := range len(text) {
		isFirst := i == 0 || text[i-1] == '.' || text[i-1] == ':'
		if text[i] == '0' && isFirst && i+1 < len(text) && isHex(text[i+1]) {
			return r.address(family, text[:i]+text[i+1:])
		}
		plain.WriteByte(text[i])
	}
	addr, err := netip.ParseAddr(plain.String())
	return addr, err == nil && addr.Is4() == (r.family == inet4)
}

// port reads a port, which is not 0.
func (r ftpReader) port(text string) (uint16, bool) {
	value := 0
	for i := range len(text) {
		if !isDigit(text[i]) {
			return 0, false
		}
		value = value*10 + int(text[i]-'0')
		if value > 65535 && r.strict {
			return 0, false
		}
		value &= 65535
	}
	return uint16(value), value != 0
}

// takesFamily reports whether a number is that of the connection's address family.
func (r ftpReader) takesFamily(number byte) bool {
	return number == '1' && r.family == inet4 || number == '2' && r.family == inet6
}

// target returns where the text behind a word begins, which the packet begins with: with
// what is behind the marks, or with a digit.
func target(data, word string, mark byte, digit bool) (start int, ok bool) {
	if !begins(data, word) {
		return 0, false
	}
	marked := false
	for i := len(word); i < len(data); i++ {
		switch {
		case marked && data[i] != mark, !marked && digit && isDigit(data[i]):
			return i, true
		case data[i] == mark:
			marked = true
		}
	}
	return 0, false
}

// begins reports whether data begins with a word in capital or small letters.
func begins(data, word string) bool {
	return len(data) >= len(word) && strings.EqualFold(data[:len(word)], word)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
