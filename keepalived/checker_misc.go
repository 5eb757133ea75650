package keepalived

import (
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// miscCheck reads a MISC_CHECK.
func (m *maker) miscCheck(c *checker) ([]health.Check, error) {
	p := health.Exec{}
	timeout := time.Duration(0)
	err := m.each(c, c.statement, func(s *statement) (known bool, err error) {
		switch s.keyword() {
		case "misc_path":
			err = m.program(&p, s)
		case "misc_timeout":
			timeout, err = s.seconds(0)
		case "misc_dynamic":
			p.Share = health.ByStatus
			if c.server.weight > 0 { // less 2, the exit status is the weight
				p.Whole = c.server.weight + 2
			}
			m.dynamic(c.server, s)
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
		c.timeout = c.server.service.interval
	}
	return c.checks(0, time.Second, p)
}

// program reads a program and its arguments.
func (m *maker) program(p *health.Exec, s *statement) error {
	command, rest, err := s.command()
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		m.note(s, "keepalived leaves out what follows the first parameter, which has the arguments in quotes")
	}
	p.Path, p.Args = command[0], command[1:]
	return nil
}

// dynamic says where a weight that a check reports means less than in keepalived.
func (m *maker) dynamic(r *server, s *statement) {
	switch scheduler := r.service.Scheduler; {
	case r.weight == 0:
		m.note(s, "the weight stays 0: what the check says is a part of the configured weight")
	case scheduler == lvs.FO || scheduler == lvs.OVF || scheduler == lvs.SH || scheduler == lvs.MH:
		m.note(s, "with %s, only a weight of 0 is followed", scheduler)
	}
	if r.dynamic {
		m.note(s, "of several checks that report a weight, the least counts; keepalived adds what they differ from the configured one")
	}
	r.dynamic = true
}
