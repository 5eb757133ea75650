package release

import "testing"

func TestParse(t *testing.T) {
	for text, want := range map[string]Release{
		"6.1.176": {6, 1, 176}, "7.2": {7, 2, 0}, "6.12.101-amd64": {6, 12, 101}, "6.1.0-56-amd64": {6, 1, 0},
		"7.2.7+": {7, 2, 7}, "6.6.87.2-microsoft-standard-WSL2": {6, 6, 87}, "7.3rc1": {7, 3, 0}, "7.3.0~rc1": {7, 3, 0},
	} {
		if got, err := Parse(text); err != nil || got != want {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "6", "6.", ".1", "6.x", "6.1.", "6.1.x", "12345.1", "6.1.12345", "6.1 .2", " 6.1.2", "6.1.2 ", "6.1.2-a b", "6.1.2-\x7f", "6.1.2-ä", "v6.1", "6.1..2",
	} {
		if got, err := Parse(text); err == nil || got != (Release{}) {
			t.Errorf("%q is %v, %v", text, got, err)
		}
	}
}

func TestOfKernel(t *testing.T) {
	for _, c := range []struct{ osrelease, version, want string }{
		{"6.1.0-56-amd64\n", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-05)", "6.1.176"},
		{"7.2.7\n", "#1 Thu Nov 26 10:00:00 UTC 2026", "7.2.7"},
		{"6.8.0-60-generic", "#63-Ubuntu SMP", "6.8.0-60-generic"},
		{"5.10.0", "built on Debian ", "5.10.0"},
		{"6.12.94+deb13-amd64", "Debian 6.12.94", "6.12.94"},
		{"6.1.0-1-amd64", "#1 SMP Debian 6.1-1", "6.1.0-1-amd64"},
		{"6.1.0", "", "6.1.0"},
	} {
		if got := OfKernel(c.osrelease, c.version); got != c.want {
			t.Errorf("%q, %q is %q, want %q", c.osrelease, c.version, got, c.want)
		}
	}
}

func TestAtLeast(t *testing.T) {
	for _, c := range []struct {
		r            Release
		major, minor int
		want         bool
	}{
		{Release{6, 1, 0}, 6, 1, true}, {Release{6, 1, 9}, 6, 2, false}, {Release{6, 12, 0}, 6, 2, true},
		{Release{7, 0, 0}, 6, 12, true}, {Release{5, 19, 0}, 6, 0, false},
	} {
		if got := c.r.AtLeast(c.major, c.minor); got != c.want {
			t.Errorf("%s is at least %d.%d: %t", c.r, c.major, c.minor, got)
		}
	}
}

// Stable series adopted what came in a later release.
func TestBackports(t *testing.T) {
	for text, want := range map[string]bool{
		"6.1.182": false, "6.1.183": true, "6.6.0": false, "6.12.103": false, "6.12.104": true, "7.1.9": false, "7.2.0": true,
	} {
		r, _ := Parse(text)
		if r.CountsTotals() != want {
			t.Errorf("%s counts totals: %t", text, r.CountsTotals())
		}
	}
	for text, want := range map[string]bool{
		"6.1.190": false, "6.1.191": true, "6.12.112": false, "6.12.113": true, "7.2.9": false, "7.2.10": true, "7.3.0": true,
	} {
		r, _ := Parse(text)
		if r.LimitsCaches() != want {
			t.Errorf("%s limits caches: %t", text, r.LimitsCaches())
		}
	}
}
