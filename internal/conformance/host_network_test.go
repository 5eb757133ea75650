package conformance

import (
	"testing"

	"github.com/golvs/lvs"
)

// This file tests what the network around IPVS does when it is set up.

// The IPv6 MTU of an interface is its link's, whatever was written to it or to default.
// Below 1280 bytes an interface has no IPv6.
func TestConformanceMTU(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		of := func(name string) lvs.SysctlKey { return lvs.InterfaceSysctl(name, "mtu", true) }
		hasMTU := func(name, want string) {
			t.Helper()
			if got, err := h.Sysctl(ctx, of(name)); err != nil || got != want {
				t.Errorf("%s has %q, %v; want %q", name, got, err, want)
			}
		}
		link := func(name string, mtu int) {
			t.Helper()
			put(t, h, lvs.Link{Name: name, Kind: "dummy", MTU: mtu, Up: true})
		}
		must(t, h.SetSysctl(ctx, of("default"), "1350"))
		link("d0", 1400)
		hasMTU("d0", "1400")
		must(t, h.SetSysctl(ctx, of("d0"), "1300"))
		ofKind(t, "more than the link's", h.SetSysctl(ctx, of("d0"), "1401"), lvs.ErrInvalid)
		hasMTU("d0", "1300")
		link("d0", 1450)
		hasMTU("d0", "1450")
		link("d1", 1200)
		_, err := h.Sysctl(ctx, of("d1"))
		ofKind(t, "the parameter of a link of 1200", err, lvs.ErrNotFound)
		link("d1", 1280)
		hasMTU("d1", "1280")
		must(t, h.SetSysctl(ctx, of("default"), "1280"))
	})
}
