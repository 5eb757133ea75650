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
	statement *statement
}

// soonest is how soon a failed probe is repeated at least.
const soonest = 10 * time.Millisecond

// checker reads a checker of a real_server. A note is left for one that is not taken over.
func (m *maker) checker(r *server, s *statement) ([]health.Check, error) {
	c := &checker{defaults: r.defaults, statement: s}
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
		m.note(s, "the server is not checked by it: the number in a track_file is not what health.File reads, a word such as up, down or 50%%")
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
	if known, err := c.defaults.read(s); known {
		return s.keyword() != "virtualhost", err // which only some have
	}
	switch s.keyword() {
	case "connect_ip":
		if _, err = s.one(); err == nil {
			c.addr, err = s.addr(1)
		}
	case "connect_port":
		if _, err = s.one(); err == nil {
			c.port, err = s.port(1)
		}
	case "bindto", "bind_if", "bind_port":
		m.note(s, "the host's routes choose the address from which a probe asks")
	case "fwmark":
		m.note(s, "probes have no mark; health.ThroughIPVS checks the way of clients' packets")
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
		host := &checker{defaults: c.defaults, statement: s}
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

// identity reads the block SSL.
func (m *maker) identity(s *statement) {
	for _, line := range s.children {
		switch line.keyword() {
		case "ca":
			m.note(line, "keepalived verifies no certificate, and neither do the checks: set health.TLS.CAFile, and not Insecure, to verify them")
		case "certificate", "key", "password":
			m.note(line, "probes have no certificate of their own")
		default:
			m.unknown(line)
		}
	}
}

// miscCheck reads a MISC_CHECK.
func (m *maker) miscCheck(c *checker) ([]health.Check, error) {
	p := health.Exec{}
	timeout := time.Duration(0)
	err := m.each(c, c.statement, func(s *statement) (known bool, err error) {
		switch s.keyword() {
		case "misc_path":
			var words []string
			if words, err = s.command(); err == nil {
				p.Path, p.Args = words[0], words[1:]
			}
		case "misc_timeout":
			timeout, err = s.seconds(0)
		case "misc_dynamic":
			p.Share = health.ByStatus
			m.note(s, "an exit status from 2 on is not a weight: less 2, it is a percentage of the server's weight")
		case "user":
			m.note(s, "the program is run by the user who runs the checks")
		default:
			return false, nil
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if p.Path == "" {
		m.note(c.statement, "keepalived leaves it out: it has no misc_path")
		return nil, nil
	}
	if c.timeout = timeout; timeout == 0 {
		c.timeout = c.interval
	}
	return c.checks(0, time.Second, p)
}
