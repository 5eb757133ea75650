package lvs

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestParameters(t *testing.T) {
	ctx := context.Background()
	_, h := simulatedHost(t)
	for _, p := range Parameters() {
		value, err := p.Read(ctx, h)
		switch {
		case errors.Is(err, ErrNotFound): // of another release, or of a build that is not Debian's
			if p.Since == "" && p.Needs == "" {
				t.Errorf("%s is not there", p.Key)
			}
			continue
		case p.Text:
			if err == nil && !strings.HasSuffix(p.Key, "est_cpulist") {
				t.Errorf("%s was read as a number", p.Key)
			}
			continue
		case err != nil || p.Default >= 0 && value != p.Default:
			t.Errorf("%s: %d, %v, want %d", p.Key, value, err, p.Default)
		}
		if p.About == "" {
			t.Errorf("%s is not explained", p.Key)
		}
	}
}

func TestParameterRefuses(t *testing.T) {
	ctx := context.Background()
	_, h := simulatedHost(t)
	for _, c := range []struct {
		p     Parameter
		value int
		ok    bool
	}{
		{SysctlDropEntry, 4, false}, {SysctlDropEntry, -1, false}, {SysctlDropEntry, 1, true},
		{SysctlSyncPorts, 3, false}, {SysctlSyncPorts, 0, false}, {SysctlSyncPorts, 4, true},
		{SysctlEstNice, 20, false}, {SysctlEstNice, -20, true},
		{SysctlConntrack, 1, true},
	} {
		err := c.p.Write(ctx, h, c.value)
		if c.ok && err != nil || !c.ok && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s = %d: %v", c.p.Key, c.value, err)
		}
		if got, _ := c.p.Read(ctx, h); c.ok && got != c.value {
			t.Errorf("%s is %d, want %d", c.p.Key, got, c.value)
		}
	}
}

func TestSysctlKeys(t *testing.T) {
	for key, want := range map[string]string{
		"net.ipv4.ip_forward":              "/proc/sys/net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.rp_filter": "/proc/sys/net/ipv4/conf/eth0.100/rp_filter",
		"net.ipv4.conf.//.rp_filter":       "",
		"net.ipv4.conf./etc.rp_filter":     "",
		"net..ip_forward":                  "",
		"":                                 "",
		"net/ipv4.ip_forward":              "",
		"net.ipv4.conf.e\x00.rp_filter":    "",
	} {
		path, err := sysctlPath(key)
		if path != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", key, path, err, want)
		}
		if err == nil && sysctlKey(path) != key {
			t.Errorf("%q comes back as %q", key, sysctlKey(path))
		}
	}
}
