package keepalived

import (
	"encoding/hex"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golvs/lvs/health"
)

// pingCheck reads a PING_CHECK.
func (m *maker) pingCheck(c *checker) ([]health.Check, error) {
	if err := m.each(c, c.statement, nothing); err != nil {
		return nil, err
	}
	return c.checks(1, time.Second, health.Ping{})
}

// dnsCheck reads a DNS_CHECK, which is repeated at its interval while it fails.
func (m *maker) dnsCheck(c *checker) ([]health.Check, error) {
	p := health.DNS{Type: "SOA", Empty: true}
	err := m.each(c, c.statement, func(s *statement) (known bool, err error) {
		switch s.keyword() {
		case "type":
			p.Type, err = s.one()
		case "name":
			p.Name, err = s.one()
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	p.Port = c.port
	return c.checks(3, 0, p)
}

// udpCheck reads a UDP_CHECK. Without require_reply, a server works that is silent.
func (m *maker) udpCheck(c *checker) ([]health.Check, error) {
	var send, expect []byte
	answers := false
	err := m.each(c, c.statement, func(s *statement) (known bool, err error) {
		switch s.keyword() {
		case "payload":
			send, err = m.bytes(s)
		case "require_reply":
			answers = true
			if len(s.words) > 1 {
				expect, err = m.bytes(s)
			}
		case "min_reply_length", "max_reply_length":
			_, err = s.number(0, math.MaxUint16)
			m.note(s, "the length of the answer does not count")
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	p := datagrams(send, expect)
	p.Port = c.port
	if !answers {
		p.Silence = c.timeout
		c.timeout += time.Second // so that it is not over before the silence
	}
	return c.checks(1, time.Second, p)
}

// datagrams returns a probe that sends and expects bytes, which it has as text if they are.
func datagrams(send, expect []byte) health.UDP {
	if utf8.Valid(send) && utf8.Valid(expect) {
		return health.UDP{Send: string(send), Expect: string(expect)}
	}
	return health.UDP{Send: hex.EncodeToString(send), Expect: hex.EncodeToString(expect), Hex: true}
}

// bytes returns the bytes that the parameters of a statement are in hexadecimal digits. A
// blank ends a byte, so that one may have a single digit.
func (m *maker) bytes(s *statement) ([]byte, error) {
	var all []byte
	for i, token := range strings.Fields(strings.Join(s.args(), " ")) {
		for len(token) > 0 {
			n := min(2, len(token))
			digits := token[:n]
			token = token[n:]
			if strings.ContainsAny(digits, "xX") && s.keyword() == "require_reply" {
				m.note(s, "the answer is compared up to the first x")
				return all, nil
			}
			var b byte
			for j := range digits {
				if !isHex(digits[j]) {
					return nil, s.word(i+1).errorf("%s: %q is not a hexadecimal number", s.keyword(), digits)
				}
				b = b<<4 | hexValue(digits[j])
			}
			all = append(all, b)
		}
	}
	if len(all) == 0 {
		return nil, s.at.errorf("%s: want bytes in hexadecimal digits", s.keyword())
	}
	return all, nil
}
