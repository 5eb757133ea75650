package top

import (
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// persistent makes a service persistent.
func persistent(s *Service) *Service {
	s.Persistence.Timeout = time.Minute
	return s
}

// quick forgets the details of a service.
func quick(s *Service) *Service {
	s.Detailed = false
	for i := range s.Servers {
		s.Servers[i].Details = nil
	}
	return s
}

func TestServiceNote(t *testing.T) {
	for want, s := range map[string]*Service{
		"no scheduler":      made(lvs.NoScheduler, got(1, 1, 0, 0)),
		"no servers":        made(lvs.RR),
		"all servers full":  made(lvs.RR, limited(got(1, 1, 9, 1), 10, 0), got(0, 1, 0, 0)),
		"all weights are 0": made(lvs.RR, got(0, 1, 0, 0)),
		"no traffic":        made(lvs.RR, got(1, 0, 0, 0)),
		"":                  made(lvs.RR, got(1, 1, 0, 0)),
	} {
		if n := serviceNote(s); n.short != want || (n.long == "") != (want == "") {
			t.Errorf("%+v, want %q", n, want)
		}
	}
}

// Why the second of two servers gets nothing.
func TestServerNote(t *testing.T) {
	busy := got(5, 1000, 5, 5)
	for _, test := range []struct {
		service     *Service
		short, long string // long contains
	}{
		{made(lvs.WRR, busy, got(1, 1, 0, 0)), "", ""},
		{made(lvs.WRR, busy, got(1, 0, 0, 0)), "none lately", "usable, and got no connection lately"},
		{made(lvs.WLC, busy, got(1, 0, 3, 0)), "busier than others", "fewer connections for their weight"},
		{made(lvs.FO, busy, got(1, 0, 0, 0)), "stand-by", "highest weight"},
		{made(lvs.OVF, busy, got(1, 0, 0, 0)), "not needed yet", "ovf fills servers"},
		{made(lvs.SH, busy, got(1, 0, 0, 0)), "no client hashes", "(sh)"},
		{made(lvs.MH, busy, got(1, 0, 0, 0)), "no client hashes", "(mh)"},
		{made(lvs.LBLC, busy, got(1, 0, 0, 0)), "no destination", "lblc picked other servers"},
		{persistent(made(lvs.WRR, busy, got(1, 0, 0, 0))), "clients are tied", "persistence"},
		{made(lvs.WRR, busy, limited(got(1, 9, 8, 2), 10, 0)), "full, 10 of 10", "opens again below 7"},
		{made(lvs.WRR, busy, limited(got(1, 9, 8, 2), 10, 4)), "full, 10 of 10", "opens again below 4"},
		{made(lvs.WRR, busy, limited(got(1, 0, 6, 2), 10, 0)), "perhaps closed", "fewer than 7 connections; now it has 8"},
		{made(lvs.WRR, busy, limited(got(1, 0, 3, 2), 10, 0)), "busier than others", ""},
		{made(lvs.WRR, busy, got(0, 0, 0, 0)), "weight 0", "it gets no new connections"},
		{made(lvs.WRR, busy, got(0, 0, 1, 2)), "draining, 3 left", "3 connections left"},
		{made(lvs.WRR, busy, got(0, 0, 99_999, 0)), "drain, 99999 left", "99999 connections left"},
		{quick(made(lvs.WRR, busy, got(0, 0, 1, 2))), "draining, 3 left", "3 connections left"},
		{quick(made(lvs.WRR, busy, got(1, 0, 0, 0))), "", ""},
		{made(lvs.WRR, got(5, 0, 0, 0), got(1, 0, 0, 0)), "", ""}, // nothing comes: the service says so
	} {
		m := modelOf(test.service)
		n := m.serverNote(m.balance(&m.Reading.Services[0]), 1)
		if n.short != test.short || !strings.Contains(n.long, test.long) {
			t.Errorf("%s: %q, %q; want %q, %q", test.service.Scheduler, n.short, n.long, test.short, test.long)
		}
		if term.Width(n.short) > noteWidth {
			t.Errorf("%q is wider than %d", n.short, noteWidth)
		}
	}
}

// Persistence sends clients to a server that drains.
func TestDrainNotePersistent(t *testing.T) {
	s := persistent(made(lvs.WRR, got(1, 9, 0, 0), got(0, 0, 1, 0)))
	s.Servers[1].Details.PersistentConns = 4
	m := modelOf(s)
	if n := m.serverNote(m.balance(&m.Reading.Services[0]), 1); !strings.Contains(n.long, "persistence still sends it 4 clients") {
		t.Errorf("%q", n.long)
	}
}
