package health

import (
	"errors"
	"net/netip"
	"testing"
)

// A probe that cannot go through IPVS must not say that it did.
func TestDirectOnly(t *testing.T) {
	for _, c := range []struct {
		probe Probe
		fits  bool
	}{
		{TCP{}, true},
		{UDP{}, true},
		{DNS{}, true},
		{All{TCP{}, Any{HTTP{}, SMTP{}}}, true},
		{Ping{}, false},
		{&Ping{}, false},
		{Exec{Path: "/bin/true"}, false},
		{File{Path: "/run/up"}, false},
		{At{Addr: netip.MustParseAddr("10.2.0.1"), Ask: TCP{}}, false},
		{From{Mark: 1, Ask: TCP{}}, false},
		{Number{Path: "/run/load"}, false},
		{All{TCP{}, Any{TCP{}, Ping{}}}, false},
	} {
		if err := (Check{Probe: c.probe}).validate(); err != nil {
			t.Errorf("%T: %v", c.probe, err)
		}
		var wrong *InvalidError
		err := Check{Probe: c.probe, Path: ThroughIPVS}.validate()
		if c.fits != (err == nil) || err != nil && (!errors.As(err, &wrong) || wrong.Field != "Path") {
			t.Errorf("%s through IPVS: %v", describe(c.probe), err)
		}
	}
}
