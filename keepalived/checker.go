package keepalived

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// checker is a block such as TCP_CHECK.
type checker struct {
	defaults
	addr      netip.Addr // connect_ip; the zero value is the server's
	port      uint16     // connect_port; 0 is the server's
	from      health.From
	server    *server
	statement *statement
}

// soonest is how soon a failed probe is repeated at least.
const soonest = 10 * time.Millisecond

// checker reads a checker of a real_server. A note is left for one that is not taken over.
func (m *maker) checker(r *server, s *statement) ([]health.Check, error) {
	c := &checker{defaults: r.defaults, server: r, statement: s}
	if len(s.words) > 1 && s.isBlock {
		return nil, s.word(1).errorf("%s: %q is not the { of its block", s.keyword(), s.words[1].text)
	}
	switch s.keyword() {
	case "TCP_CHECK":
		return m.tcpCheck(c)
	case "HTTP_GET", "SSL_GET":
		return m.httpCheck(c)
	case "SMTP_CHECK":
		return m.smtpCheck(c)
	case "MISC_CHECK":
		return m.miscCheck(c)
	case "FILE_CHECK":
		return m.fileCheck(c)
	case "BFD_CHECK":
		m.note(s, "BFD is keepalived's own: the server is not checked by it")
	case "DNS_CHECK":
		return m.dnsCheck(c)
	case "UDP_CHECK":
		return m.udpCheck(c)
	case "PING_CHECK":
		return m.pingCheck(c)
	default:
		m.unknown(s)
	}
	return nil, nil
}

// each reads the lines of a checker: own those of its kind.
func (m *maker) each(c *checker, s *statement, own func(*statement) (known bool, err error)) error {
	for _, line := range s.children {
		known, err := own(line)
		if !known {
			known, err = m.common(c, line)
		}
		if err != nil {
			return err
		}
		if !known {
			m.unknown(line)
		}
	}
	return nil
}

// nothing is what a kind of checker without keywords of its own reads.
func nothing(*statement) (known bool, err error) { return false, nil }

// common reads a line that all checkers have.
func (m *maker) common(c *checker, s *statement) (known bool, err error) {
	if c.connects() {
		if known, err := c.connection(s); known {
			return true, err
		}
	}
	if known, err := c.defaults.read(s); known {
		return s.keyword() != "virtualhost", err // which only some have
	}
	switch s.keyword() {
	case "alpha":
		_, err = s.truth()
	case "warmup":
		m.serviceNote(s)
	case "log_all_failures":
		m.note(s, "health.Options.OnEvent has all events")
	default:
		return false, nil
	}
	return true, err
}

// connects reports whether the checker is of a kind that connects to the server.
func (c *checker) connects() bool { return c.statement.keyword() != "MISC_CHECK" }

// connection reads a line that all checkers have which connect to the server.
func (c *checker) connection(s *statement) (known bool, err error) {
	switch s.keyword() {
	case "connect_ip":
		c.addr, err = s.oneAddr()
	case "connect_port":
		c.port, err = s.onePort()
	case "bindto":
		c.from.Addr, err = s.oneAddr()
	case "bind_port":
		c.from.Port, err = s.onePort()
	case "bind_if":
		c.from.Interface, err = s.one()
	case "fwmark":
		var n int64
		n, err = s.number(0, math.MaxUint32)
		c.from.Mark = uint32(n)
	default:
		return false, nil
	}
	return true, err
}

// checks returns the probes of a checker as checks. retry and pause are the defaults of its
// kind, where pause 0 is delay_loop.
func (c *checker) checks(retry int64, pause time.Duration, probes ...health.Probe) ([]health.Check, error) {
	if c.retry >= 0 {
		retry = c.retry
	}
	if c.pause >= 0 {
		pause = max(c.pause, soonest)
	}
	var all []health.Check
	for _, p := range probes {
		if c.from != (health.From{}) {
			from := c.from
			from.Ask = p
			p = from
		}
		if c.addr.IsValid() {
			p = health.At{Addr: c.addr, Ask: p}
		}
		one := health.Check{Probe: p, Interval: c.interval, Failing: pause, Timeout: c.timeout, Rise: 1, Fall: int(min(retry+1, math.MaxInt32))}
		if err := (health.Policy{Checks: []health.Check{one}}).Validate(lvs.TableService{}); err != nil {
			return nil, c.refused(err)
		}
		all = append(all, one)
	}
	return all, nil
}

// refused returns an error of package health at the checker.
func (c *checker) refused(err error) error {
	var bad *health.InvalidError
	if errors.As(err, &bad) {
		field := bad.Field[strings.LastIndexByte(bad.Field, '.')+1:]
		return c.statement.at.errorf("%s: %s %s", c.statement.keyword(), field, bad.Problem)
	}
	return c.statement.at.errorf("%s: %v", c.statement.keyword(), err)
}

func (m *maker) tcpCheck(c *checker) ([]health.Check, error) {
	if err := m.each(c, c.statement, nothing); err != nil {
		return nil, err
	}
	return c.checks(1, time.Second, health.TCP{Port: c.port})
}

// smtpCheck reads an SMTP_CHECK, which may have several hosts in the older form.
func (m *maker) smtpCheck(c *checker) (all []health.Check, err error) {
	name := ""
	var hosts []*statement
	err = m.each(c, c.statement, func(s *statement) (known bool, err error) {
		switch s.keyword() {
		case "helo_name":
			name, err = s.one()
		case "host":
			hosts = append(hosts, s)
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 || c.addr.IsValid() || c.port != 0 {
		if all, err = c.checks(1, time.Second, health.SMTP{Name: name, Port: c.port}); err != nil {
			return nil, err
		}
	}
	for _, s := range hosts {
		host := &checker{defaults: c.defaults, server: c.server, statement: s}
		if err := m.each(host, s, nothing); err != nil {
			return nil, err
		}
		more, err := host.checks(1, time.Second, health.SMTP{Name: name, Port: host.port})
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
