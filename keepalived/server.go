package keepalived

import (
	"math"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// defaults are what a block says about the checks within it.
type defaults struct {
	interval time.Duration // delay_loop
	timeout  time.Duration // connect_timeout
	retry    int64         // how many more failures count; -1 is that of the checker
	pause    time.Duration // delay_before_retry; -1 is that of the checker
	host     string        // virtualhost
}

// read reads a line that all levels of blocks have.
func (d *defaults) read(s *statement) (known bool, err error) {
	switch s.keyword() {
	case "delay_loop":
		d.interval, err = s.seconds(time.Microsecond)
	case "connect_timeout":
		d.timeout, err = s.seconds(time.Microsecond)
	case "retry":
		d.retry, err = s.number(0, math.MaxInt32-1)
	case "delay_before_retry":
		d.pause, err = s.seconds(0)
	case "virtualhost":
		d.host, err = s.one()
	default:
		return false, nil
	}
	return true, err
}

// defaults reads a line of defaults outside of a checker.
func (m *maker) defaults(d *defaults, s *statement) (known bool, err error) {
	retry := d.retry
	known, err = d.read(s)
	if d.retry == 0 && err == nil {
		d.retry = retry
		m.note(s, "keepalived leaves 0 out, which only a checker can have")
	}
	return known, err
}

// server is a real_server.
type server struct {
	defaults
	addr         netip.AddrPort
	mode         lvs.Mode
	weight       int
	upper, lower int
	inhibit      bool
	checks       []health.Check
	dynamic      bool // whether a check reports its weight
	scripts      []script
	service      *service
	statement    *statement
}

// server reads a real_server.
func (m *maker) server(v *service, s *statement) (err error) {
	r := &server{defaults: v.defaults, mode: v.mode, weight: v.weight, inhibit: v.inhibit, service: v, statement: s}
	if r.addr, err = s.addrPort(1); err != nil {
		return err
	}
	var checkers []*statement
	for _, c := range s.children {
		if c.isBlock {
			checkers = append(checkers, c)
		} else if err := m.serverLine(r, c); err != nil {
			return err
		}
	}
	for _, c := range checkers {
		checks, err := m.checker(r, c)
		if err != nil {
			return err
		}
		r.checks = append(r.checks, checks...)
	}
	v.servers = append(v.servers, r)
	return nil
}

// serverLine reads a line of a real_server.
func (m *maker) serverLine(r *server, s *statement) (err error) {
	if known, err := m.defaults(&r.defaults, s); known {
		return err
	}
	switch s.keyword() {
	case "weight":
		r.weight, err = s.weight(0)
	case "lvs_method":
		r.mode, err = s.mode()
	case "uthreshold":
		r.upper, err = s.weight(0)
	case "lthreshold":
		r.lower, err = s.weight(0)
	case "inhibit_on_failure":
		r.inhibit, err = s.truth()
	case "alpha":
		_, err = s.truth() // a server that is added never gets a weight before its first success
	case "notify_up", "notify_down":
		return m.script(&r.scripts, s)
	case "warmup", "smtp_alert", "snmp_name":
		m.serviceNote(s)
	case "BFD_CHECK", "TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "UDP_CHECK", "PING_CHECK", "FILE_CHECK":
		return s.at.errorf("%s has no block: { is missing", s.keyword())
	default:
		m.unknown(s)
	}
	return err
}
