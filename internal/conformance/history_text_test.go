package conformance

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file is the text form of a history: a step a line, without loss.

func (h history) String() string {
	var b strings.Builder
	for _, s := range h {
		b.WriteString(s.String() + "\n")
	}
	return b.String()
}

func (w wait) String() string { return "wait " + w.duration().String() }

func (w wait) duration() time.Duration { return time.Duration(w) }

func (l survey) String() string {
	if l.stats {
		return "survey stats"
	}
	return "survey"
}

func (s requirement) String() string { return fmt.Sprintf("sysctl %s %d", s.name, s.value) }

const tcpFlagLetters = "FSRPAUEC" // the first is bit 0

func tcpFlagText(flags uint8) (s string) {
	for i, letter := range tcpFlagLetters {
		if flags>>i&1 != 0 {
			s += string(letter)
		}
	}
	return cmp.Or(s, "-")
}

func parseTCPFlags(s string) (flags uint8, err error) {
	for _, letter := range strings.Trim(s, "-") {
		i := strings.IndexRune(tcpFlagLetters, letter)
		if i < 0 {
			return 0, fmt.Errorf("%q is not a flag of TCP", letter)
		}
		flags |= 1 << i
	}
	return flags, nil
}

func (p packet) String() string {
	protocol := map[uint8]string{protocolTCP: "tcp", protocolUDP: "udp", protocolSCTP: "sctp"}[p.protocol]
	if protocol == "" {
		protocol = strconv.Itoa(int(p.protocol))
	}
	flags := tcpFlagText(p.tcp)
	if p.protocol == protocolSCTP {
		flags = chunksText(p.chunks)
	}
	s := fmt.Sprintf("packet %s %s %s %s", protocol, flags, p.from, p.to)
	if p.mark != 0 {
		s += fmt.Sprintf(" mark %d", p.mark)
	}
	if p.data != 0 {
		s += fmt.Sprintf(" data %d", p.data)
	}
	if p.payload != "" {
		s += " payload " + strconv.QuoteToASCII(p.payload)
	}
	return s
}

func (c control) String() string {
	s := fmt.Sprintf("call %s %#x", nameOf(commandNames[:], uint16(c.command)), c.flags)
	all, _ := splitAttributes(c.body)
	if !bytes.Equal(all.encode(), c.body) {
		return s + " x" + hex.EncodeToString(c.body)
	}
	for _, a := range all {
		nested, _ := splitAttributes(a.value)
		if a.number >= aTimeoutTCP || len(a.value) == 0 || !bytes.Equal(nested.encode(), a.value) {
			s += " " + nameOf(topNames, a.number) + "=" + valueText("", a.value)
			continue
		}
		var fields []string
		for _, n := range nested {
			name := nameOf(attributeNames[a.number], n.number)
			fields = append(fields, name+"="+valueText(name, n.value))
		}
		s += " " + nameOf(topNames, a.number) + "{" + strings.Join(fields, " ") + "}"
	}
	return s
}

// inNetworkOrder are attributes whose bytes are the same on every machine.
var inNetworkOrder = []string{"Addr", "Port", "TunPort", "Group", "Group6"}

// valueText writes the bytes of an attribute: a number with its width, a text, two
// numbers of 32 bits, or else the bytes.
func valueText(name string, b []byte) string {
	n := len(b)
	switch {
	case slices.Contains(inNetworkOrder, name):
	case name == "Netmask" && n == 4 && binary.NativeEndian.Uint32(b) > 128: // of IPv4
	case n == 1:
		return fmt.Sprintf("%du8", b[0])
	case n == 2:
		return fmt.Sprintf("%du16", binary.NativeEndian.Uint16(b))
	case n > 1 && b[n-1] == 0 && strings.Trim(string(b[:n-1]), "abcdefghijklmnopqrstuvwxyz0123456789") == "":
		return fmt.Sprintf("%q", b[:n-1])
	case n == 4:
		return fmt.Sprintf("%du32", binary.NativeEndian.Uint32(b))
	case n == 8:
		return fmt.Sprintf("%d/%d", binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint32(b[4:]))
	}
	return "x" + hex.EncodeToString(b)
}

func parseValue(s string) ([]byte, error) {
	if bytes, ok := strings.CutPrefix(s, "x"); ok {
		return hex.DecodeString(bytes)
	}
	if strings.HasPrefix(s, `"`) {
		name, err := strconv.Unquote(s)
		return text(name), err
	}
	if flags, mask, ok := strings.Cut(s, "/"); ok {
		a, err := strconv.ParseUint(flags, 10, 32)
		if err != nil {
			return nil, err
		}
		b, err := strconv.ParseUint(mask, 10, 32)
		return flagged(uint32(a), uint32(b)), err
	}
	digits, width, ok := strings.Cut(s, "u")
	bits, err := strconv.Atoi(width)
	if !ok || err != nil {
		return nil, fmt.Errorf("%q is not a value", s)
	}
	n, err := strconv.ParseUint(digits, 10, bits)
	switch bits {
	case 8:
		return u8(uint8(n)), err
	case 16:
		return u16(uint16(n)), err
	}
	return u32(uint32(n)), err
}

// parseStep reads the text form of a step.
func parseStep(line string) (step, error) {
	if isFrame(line) {
		return parseFrame(line)
	}
	before, payload, err := parsePayload(line)
	if err != nil {
		return nil, err
	}
	f := strings.Fields(before)
	switch {
	case f[0] == "wait" && len(f) == 2:
		d, err := time.ParseDuration(f[1])
		return wait(d), err
	case f[0] == "sysctl" && len(f) == 4:
		return parseThresholds(f[2:])
	case line == "sent":
		return sent{}, nil
	case f[0] == "relay" && len(f) == 2:
		seed, err := strconv.ParseUint(f[1], 10, 64)
		return relay(seed), err
	case f[0] == "message" && len(f) == 3:
		return parseMessage(f[1:])
	case line == "survey", line == "survey stats":
		return survey{line == "survey stats"}, nil
	case f[0] == "sysctl" && len(f) == 3:
		value, err := strconv.Atoi(f[2])
		return requirement{f[1], value}, err
	case f[0] == "packet" && len(f) >= 5:
		return parsePacket(f[1:], payload)
	case f[0] == "segment" && len(f) > 4:
		return parseSegment(strings.TrimPrefix(line, f[0]))
	case f[0] == "call" && len(f) >= 3:
		return parseCall(strings.Fields(strings.NewReplacer("{", " { ", "}", " } ").Replace(line))[1:])
	}
	return nil, fmt.Errorf("%q is not a step", line)
}

// parsePayload reads the payload of a packet, which has spaces and comes last. It
// returns what is before it.
func parsePayload(line string) (before, payload string, err error) {
	before, quoted, found := strings.Cut(line, " payload ")
	if found {
		payload, err = strconv.Unquote(quoted)
	}
	return before, payload, err
}

func parsePacket(f []string, payload string) (p packet, err error) {
	p.payload = payload
	switch f[0] {
	case "tcp":
		p.protocol = protocolTCP
	case "udp":
		p.protocol = protocolUDP
	case "sctp":
		p.protocol = protocolSCTP
		p.chunks, err = parseChunks(f[1])
		f[1] = ""
	default:
		n, err := strconv.ParseUint(f[0], 10, 8)
		if err != nil {
			return p, err
		}
		p.protocol = uint8(n)
	}
	if err != nil {
		return p, err
	}
	if p.tcp, err = parseTCPFlags(f[1]); err != nil {
		return p, err
	}
	if p.from, err = netip.ParseAddrPort(f[2]); err != nil {
		return p, err
	}
	if p.to, err = netip.ParseAddrPort(f[3]); err != nil {
		return p, err
	}
	for more := f[4:]; len(more) >= 2; more = more[2:] {
		n, err := strconv.ParseUint(more[1], 10, 32)
		switch {
		case err != nil:
			return p, err
		case more[0] == "mark":
			p.mark = uint32(n)
		case more[0] == "data":
			p.data = int(n)
		default:
			return p, fmt.Errorf("%q is not part of a packet", more[0])
		}
	}
	return p, nil
}

// parseCall reads a call, whose braces are words.
func parseCall(f []string) (c control, err error) {
	command, err := numberOf(commandNames[:], f[0])
	if err != nil {
		return c, err
	}
	flags, err := strconv.ParseUint(f[1], 0, 16)
	if err != nil {
		return c, err
	}
	c.command, c.flags = uint8(command), uint16(flags)
	var top attributes
	for f = f[2:]; len(f) > 0; f = f[1:] {
		if name, value, ok := strings.Cut(f[0], "="); ok {
			a, err := parseAttribute(topNames, name, value)
			if err != nil {
				return c, err
			}
			top = append(top, a)
			continue
		}
		if len(f) == 1 {
			c.body, err = parseValue(f[0])
			return c, err
		}
		kind, err := numberOf(topNames, f[0])
		end := slices.Index(f, "}")
		if err != nil || f[1] != "{" || end < 0 {
			return c, fmt.Errorf("%q is not an attribute", f[0])
		}
		var nested attributes
		for _, field := range f[2:end] {
			name, value, _ := strings.Cut(field, "=")
			a, err := parseAttribute(attributeNames[kind], name, value)
			if err != nil {
				return c, err
			}
			nested = append(nested, a)
		}
		top, f = append(top, attribute{kind, nested.encode()}), f[end:]
	}
	c.body = top.encode()
	return c, nil
}

func parseAttribute(names []string, name, value string) (a attribute, err error) {
	if a.number, err = numberOf(names, name); err == nil {
		a.value, err = parseValue(value)
	}
	return a, err
}

// numberOf is the reverse of nameOf.
func numberOf(names []string, name string) (uint16, error) {
	if i := slices.Index(names, name); i >= 0 && name != "" {
		return uint16(i), nil
	}
	n, err := strconv.ParseUint(name, 10, 16)
	return uint16(n), err
}
