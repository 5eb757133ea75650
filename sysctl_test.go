package lvs

import (
	"context"
	"errors"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// sysctlConstants returns the values of the Sysctl constants of the source with the
// comments that document them.
func sysctlConstants(t *testing.T) map[SysctlKey]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "sysctl.go", nil, parser.ParseComments)
	must(t, err)
	all := make(map[SysctlKey]string)
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		name, value := spec.Names[0].Name, constant.MakeFromLiteral(spec.Values[0].(*ast.BasicLit).Value, token.STRING, 0)
		if typ, ok := spec.Type.(*ast.Ident); !ok || typ.Name != "SysctlKey" || !strings.HasPrefix(name, "Sysctl") {
			t.Errorf("%s is not a constant Sysctl… of the type SysctlKey", name)
		}
		all[SysctlKey(constant.StringVal(value))] = strings.TrimSpace(spec.Comment.Text())
		return true
	})
	return all
}

// comment returns what the comment of a parameter's constant must say.
func (p Parameter) comment() string {
	text := p.About
	isWide := p.Min == least32 && p.Max == most32
	if !p.Text && p.Default >= 0 && (p.Key != SysctlSyncQlenMax) {
		text += "; default " + strconv.Itoa(p.Default)
	}
	if !isWide {
		text += "; " + p.accepts()
	}
	if p.Since != "" {
		text += "; since Linux " + p.Since
	}
	if p.Needs != "" {
		text += "; needs " + p.Needs
	}
	return text
}

// Each Sysctl constant is in the catalogue, and its comment says the same.
func TestParameterTable(t *testing.T) {
	constants := sysctlConstants(t)
	if len(constants) < 37 {
		t.Fatalf("the source has only %d constants", len(constants))
	}
	for key, comment := range constants {
		p, ok := key.Parameter()
		switch {
		case !ok:
			t.Errorf("the catalogue lacks %s", key)
		case p.Key != key || p.About == "":
			t.Errorf("%s is described as %+v", key, p)
		case comment != p.comment():
			t.Errorf("the comment of %s is\n\t%s\nwant\n\t%s", key, comment, p.comment())
		}
	}
	all := Parameters()
	if len(all) != len(constants) {
		t.Errorf("Parameters returns %d parameters, and there are %d constants", len(all), len(constants))
	}
	all[0].Max = 99 // is the caller's copy
	if Parameters()[0].Max == 99 {
		t.Error("the catalogue can be changed")
	}
}

func TestSysctlKeyParameter(t *testing.T) {
	for key, want := range map[SysctlKey]string{
		"net.ipv4.ip_forward": "forward packets", "net.ipv6.conf.all.forwarding": "forward IPv6 packets",
		InterfaceSysctl("eth0.7", "forwarding", false): "forward packets that arrive here",
		InterfaceSysctl("*", "forwarding", true):       "forward IPv6 packets that arrive here",
		"net.ipv4.vs.nosuch":                           "", "net.ipv4.conf.eth0.mtu": "", "": "", "net.ipv4.vs": "", "a.b.c.d.e.f": "",
	} {
		p, ok := key.Parameter()
		if p.About != want || ok != (want != "") || ok && p.Key != key || !ok && p != (Parameter{}) {
			t.Errorf("%q is %+v, %t; want %q", key, p, ok, want)
		}
	}
}

// A simulator begins with the defaults of the catalogue.
func TestParameterDefaults(t *testing.T) {
	ctx := context.Background()
	_, h := simulatedHost(t)
	for _, p := range Parameters() {
		value, err := h.SysctlInt(ctx, p.Key)
		switch {
		case errors.Is(err, ErrNotFound): // of another release, or of a build that is not Debian's
			if p.Since == "" && p.Needs == "" {
				t.Errorf("%s is not there", p.Key)
			}
		case p.Text:
			if err == nil && p.Key != SysctlEstCPUList {
				t.Errorf("%s was read as a number", p.Key)
			}
		case err != nil || p.Default >= 0 && value != p.Default:
			t.Errorf("%s: %d, %v, want %d", p.Key, value, err, p.Default)
		}
	}
}

// What the kernel refuses is refused with what it would accept.
func TestSetSysctlRefuses(t *testing.T) {
	ctx := context.Background()
	_, h := simulatedHost(t)
	for _, c := range []struct {
		key   SysctlKey
		value string
		hint  string // "" if the value is accepted
	}{
		{SysctlDropEntry, "4", "0 to 3"}, {SysctlDropEntry, "-1", "0 to 3"}, {SysctlDropEntry, "1", ""},
		{SysctlSyncPorts, "3", "a power of two"}, {SysctlSyncPorts, "0", "a power of two"}, {SysctlSyncPorts, "4", ""},
		{SysctlEstNice, "20", "-20 to 19"}, {SysctlEstNice, "-20", ""},
		{SysctlSyncThreshold, "x", "a list"}, {SysctlConntrack, "1", ""},
	} {
		err := h.SetSysctl(ctx, c.key, c.value)
		var e *Error
		if c.hint != "" && (!errors.As(err, &e) || !errors.Is(err, ErrInvalid) || e.Field != "value" || !strings.HasSuffix(err.Error(), c.hint)) {
			t.Errorf("%s = %s: %v", c.key, c.value, err)
		}
		if got, _ := h.Sysctl(ctx, c.key); c.hint == "" && (err != nil || got != c.value) {
			t.Errorf("%s is %s, want %s: %v", c.key, got, c.value, err)
		}
		bad := Sysctl{c.key, c.value}.validate()
		if c.key != SysctlSyncThreshold && (bad != nil) != (c.hint != "") {
			t.Errorf("a setup with %s = %s: %v", c.key, c.value, bad)
		}
	}
}

func TestEnsureSysctl(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	ensures := func(key SysctlKey, value string, want bool) {
		t.Helper()
		if changed, err := h.EnsureSysctl(ctx, key, value); err != nil || changed != want {
			t.Errorf("%s = %s: %t, %v; want %t", key, value, changed, err, want)
		}
	}
	ensures(SysctlConntrack, "1", true)
	ensures(SysctlConntrack, "1", false)
	ensures(SysctlSyncThreshold, "3 50", false) // the kernel has a tab between them
	ensures(SysctlSyncThreshold, "3 60", true)
	must(t, s.InjectHost(SimHostFault{Errno: EINVAL}))
	ensures(SysctlConntrack, "1", false) // does not write
	if changed, err := h.EnsureSysctl(ctx, SysctlConntrack, "0"); changed || !errors.Is(err, ErrInvalid) {
		t.Errorf("a write that fails: %t, %v", changed, err)
	}
	if changed, err := h.EnsureSysctl(ctx, "net.ipv4.vs.nosuch", "0"); changed || !errors.Is(err, ErrNotFound) {
		t.Errorf("a parameter that does not exist: %t, %v", changed, err)
	}
}

func TestSysctlPaths(t *testing.T) {
	for key, want := range map[SysctlKey]string{
		"net.ipv4.ip_forward":              "/proc/sys/net/ipv4/ip_forward",
		"net.ipv4.conf.eth0/100.rp_filter": "/proc/sys/net/ipv4/conf/eth0.100/rp_filter",
		"net.ipv4.conf.//.rp_filter":       "",
		"net.ipv4.conf./etc.rp_filter":     "",
		"net..ip_forward":                  "",
		"":                                 "",
		"net/ipv4.ip_forward":              "",
		"net.ipv4.conf.e\x00.rp_filter":    "",
	} {
		path, err := key.path()
		if path != want || (err == nil) != (want != "") {
			t.Errorf("%q is %q, %v; want %q", key, path, err, want)
		}
		if err == nil && sysctlKeyOf(path) != key {
			t.Errorf("%q comes back as %q", key, sysctlKeyOf(path))
		}
	}
}
