package main

import (
	"errors"
	"flag"
	"io"
	"testing"

	"github.com/golvs/lvs/director"
)

// A configuration sets flags, or is refused with a place. Whatever it has, the set-up of its
// flags can be asked for.
func FuzzSetupConfig(f *testing.F) {
	for _, text := range []string{
		`{"version": 1, "setup": "nat-server", "director": "10.168.0.91", "clients": ["192.0.2.0/24"], "metric": 5}`,
		`{"version": 1, "setup": "tun-server", "vip": "10.168.0.91", "mode": "gue:6080", "local": "10.168.0.94", "mss": 1400}`,
		`{"version": 1, "setup": "tun-director", "vip": "::1", "interface": "eth0", "mark": "7=tcp:80-90", "ipsec": "spi=256,director=10.0.0.1"}`,
		`{"version": 1, "setup": "nat-director", "vip": "10.0.0.1", "interface": "eth0", "network": "10.0.1.0/24", "masquerade": true}`,
		"{\n \"version\": 1,\r\n\t\"setup\": \"dr-server\", \"vip\": [null, {}, 1e999]}", `[[[`, `{"a": {"a": {"a": [1,`, "",
	} {
		for i := range setupModes() {
			f.Add(i, []byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, mode int, text []byte) {
		modes := setupModes()
		m := modes[(mode%len(modes)+len(modes))%len(modes)]
		s := &setup{mode: m.name, own: m.new()}
		flags := flag.NewFlagSet(m.name, flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		s.Flags(flags)
		if err := s.setFlags(text); err != nil {
			var placed *director.FileError
			if !errors.As(err, &placed) || placed.Line < 1 || placed.Column < 1 {
				t.Errorf("%q has no place: %v", text, err)
			}
			return
		}
		_, _ = s.own.Setup() // which may refuse it
	})
}
