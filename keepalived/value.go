package keepalived

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// one returns the only parameter of a statement.
func (s *statement) one() (string, error) {
	if len(s.words) != 2 {
		return "", s.at.errorf("%s takes one parameter, not %d", s.keyword(), len(s.words)-1)
	}
	return s.words[1].text, nil
}

// quoted returns the only parameter, which may have quotes and escapes like those of a shell.
func (s *statement) quoted() (string, error) {
	words, ok := splitCommand(s.raw)
	if !ok || len(words) != 2 {
		return "", s.at.errorf("%s takes one parameter, which may be in quotes", s.keyword())
	}
	return words[1], nil
}

// number returns the only parameter, which is a number.
func (s *statement) number(least, most int64) (int64, error) {
	text, err := s.one()
	if err != nil {
		return 0, err
	}
	return s.numberAt(1, text, least, most)
}

func (s *statement) numberAt(i int, text string, least, most int64) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, s.word(i).errorf("%s: %q is not a number from %d to %d", s.keyword(), text, least, most)
	}
	return n, nil
}

// longest is the longest time that is read; no check waits longer.
const longest = math.MaxUint32 * time.Second / 1000

// seconds returns the only parameter, which is a time in seconds with a fraction.
func (s *statement) seconds(least time.Duration) (time.Duration, error) {
	text, err := s.one()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.") != "" || n > longest.Seconds() {
		return 0, s.word(1).errorf("%s: %q is not a number of seconds such as 3 or 0.5", s.keyword(), text)
	}
	d := time.Duration(math.Round(n*1e6)) * time.Microsecond
	if d < least {
		return 0, s.word(1).errorf("%s: %q is less than %s", s.keyword(), text, least)
	}
	return d, nil
}

// truth returns the only parameter, which is a switch; without one, it is on.
func (s *statement) truth() (bool, error) {
	if len(s.words) == 1 {
		return true, nil
	}
	text, err := s.one()
	if err != nil {
		return false, err
	}
	switch text {
	case "on", "true", "yes":
		return true, nil
	case "off", "false", "no":
		return false, nil
	}
	return false, s.word(1).errorf("%s: %q is not on, off, true, false, yes or no", s.keyword(), text)
}

// addrPort returns the address and the port of the words from i on; without a port, it
// is 0.
func (s *statement) addrPort(i int) (netip.AddrPort, error) {
	if len(s.words) <= i || len(s.words) > i+2 {
		return netip.AddrPort{}, s.at.errorf("%s: want an address and a port", s.keyword())
	}
	addr, err := s.addr(i)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := s.port(i + 1)
	return netip.AddrPortFrom(addr, port), err
}

func (s *statement) addr(i int) (netip.Addr, error) {
	addr, err := netip.ParseAddr(s.words[i].text)
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, s.word(i).errorf("%s: %q is not an IP address", s.keyword(), s.words[i].text)
	}
	return addr, nil
}

// oneAddr returns the only parameter, which is an address.
func (s *statement) oneAddr() (netip.Addr, error) {
	if _, err := s.one(); err != nil {
		return netip.Addr{}, err
	}
	return s.addr(1)
}

// onePort returns the only parameter, which is a port.
func (s *statement) onePort() (uint16, error) {
	n, err := s.number(1, math.MaxUint16)
	return uint16(n), err
}

// port returns the port of a word, 0 if there is none.
func (s *statement) port(i int) (uint16, error) {
	if i >= len(s.words) {
		return 0, nil
	}
	n, err := s.numberAt(i, s.words[i].text, 0, math.MaxUint16)
	return uint16(n), err
}

// command returns the words within the first parameter, which are a program and its
// arguments, and the other parameters.
func (s *statement) command() (command, rest []string, err error) {
	words, ok := splitCommand(s.raw)
	if ok && len(words) > 1 {
		command, ok = splitCommand(words[1])
		rest = words[2:]
	}
	if !ok || len(command) == 0 {
		return nil, nil, s.at.errorf("%s: want a program, in quotes with its arguments", s.keyword())
	}
	return command, rest, nil
}
