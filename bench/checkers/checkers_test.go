//go:build linux

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/keepalived"
)

// Both contenders check all servers of the configuration, once a second.
func TestConfiguration(t *testing.T) {
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			f, err := keepalived.Parse("keepalived.conf", []byte(c.configuration(250)), keepalived.Options{})
			if err != nil {
				t.Fatal(err)
			}
			p := f.Policies[lvs.TCP(vip)]
			if len(f.Table.Services) != 1 || len(f.Table.Services[0].RealServers) != 250 || len(p.Servers) != 250 {
				t.Fatalf("%d services, %d servers that are checked", len(f.Table.Services), len(p.Servers))
			}
			for addr, checks := range p.Servers {
				if len(checks) != 1 || checks[0].Interval != time.Second || checks[0].Timeout != time.Second {
					t.Errorf("%s: %+v", addr, checks)
				}
			}
		})
	}
}

func TestOptions(t *testing.T) {
	for _, args := range []string{"-servers 1", "-servers 251", "-rounds 0", "-rest 0s", "-only lvs,seesaw", "-check udp", "more"} {
		if _, err := parseOptions(strings.Fields(args)); err == nil {
			t.Errorf("%s is accepted", args)
		}
	}
	if o, err := parseOptions(strings.Fields("-only lvs,keepalived -rounds 2")); err != nil || len(o.only) != 2 || o.rounds != 2 {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parseOptions(nil); err != nil || len(o.only) != len(contenders) {
		t.Errorf("%+v, %v", o, err)
	}
}

// The pause before a fault ends at the wanted moment of an interval.
func TestUntil(t *testing.T) {
	for _, phase := range []time.Duration{0, 400 * time.Millisecond, 999 * time.Millisecond} {
		for _, running := range []time.Duration{0, time.Second, 17*time.Second + 400*time.Millisecond, 3*time.Second + 999*time.Millisecond} {
			wait := until(phase, running)
			if (running+wait)%interval != phase || wait < pause || wait >= pause+interval {
				t.Errorf("%s after %s, for %s", wait, running, phase)
			}
		}
	}
}
