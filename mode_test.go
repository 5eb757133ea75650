package lvs

import (
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"github.com/golvs/lvs/internal/wire"
)

func TestModeText(t *testing.T) {
	for m, text := range map[Mode]string{
		DR(): "dr", NAT(): "nat", IPIP(): "ipip", ModeLocalNode(): "local", ModeBypass(): "bypass",
		GUE(6080): "gue:6080", GUE(6080, TunnelChecksum): "gue:6080+csum", GUE(1, TunnelRemoteChecksum): "gue:1+remcsum",
		GRE(): "gre", GRE(TunnelChecksum): "gre+csum",
		newMode(7, 0, 0, 0): "method-7", newMode(wire.MethodTunnel, 9, 5, 0x10): "tunnel-9:5+0x10",
		newMode(wire.MethodMasq, wire.TunnelGUE, 6080, 0): "nat/gue:6080",
	} {
		if got := m.String(); got != text {
			t.Errorf("%q, want %q", got, text)
		}
		if got, err := ParseMode(text); err != nil || got != m {
			t.Errorf("%q parses as %v, %v", text, got, err)
		}
	}
}

// The words are those of ipvsadm's options and listings, and of the configuration
// files of keepalived and ldirectord.
func TestModeWordsOfOtherTools(t *testing.T) {
	for want, words := range map[Mode][]string{
		DR():   {"gatewaying", "gate", "Route", "g", "DR"},
		NAT():  {"masquerading", "Masq", "m", "NAT"},
		IPIP(): {"tunneling", "Tunnel", "TUN", "i", "ipip"},
	} {
		for _, word := range words {
			if got, err := ParseMode(word); err != nil || got != want {
				t.Errorf("%q parses as %v, %v, want %v", word, got, err, want)
			}
		}
	}
}

func TestModeAccessors(t *testing.T) {
	for _, tt := range []struct {
		mode   Mode
		name   string
		tunnel bool
		port   uint16
		flags  TunnelFlags
	}{
		{Mode{}, "dr", false, 0, 0},
		{NAT(), "nat", false, 0, 0},
		{IPIP(), "ipip", true, 0, 0},
		{GUE(6080, TunnelRemoteChecksum), "gue", true, 6080, TunnelRemoteChecksum},
		{GRE(TunnelChecksum), "gre", true, 0, TunnelChecksum},
		{ModeLocalNode(), "local", false, 0, 0},
		{newMode(7, 0, 0, 0), "method-7", false, 0, 0},
		{newMode(wire.MethodTunnel, 9, 5, 0x10), "tunnel-9", true, 5, 0x10},
	} {
		m := tt.mode
		if m.Name() != tt.name || m.IsTunnel() != tt.tunnel || m.Port() != tt.port || m.TunnelFlags() != tt.flags {
			t.Errorf("%v: %q, tunnel %v, port %d, flags %d", m, m.Name(), m.IsTunnel(), m.Port(), m.TunnelFlags())
		}
	}
}

// A number that means a mode or a mask elsewhere must not compile as one here.
func TestNumbersAreNotModesOrMasks(t *testing.T) {
	for _, v := range []any{Mode{}, Mask{}} {
		typ := reflect.TypeOf(v)
		if reflect.TypeFor[int]().ConvertibleTo(typ) || !typ.Comparable() {
			t.Errorf("%v converts from a number, or is not comparable", typ)
		}
		for i := range typ.NumField() {
			if f := typ.Field(i); f.IsExported() {
				t.Errorf("%v has the exported field %s", typ, f.Name)
			}
		}
	}
}

// Foreign modes can be kept and replaced, but not set.
func TestKernelModesAreReadOnly(t *testing.T) {
	id := tcp(t, "10.0.0.1:80")
	for _, mode := range []Mode{ModeLocalNode(), ModeBypass()} {
		foreign := NewRealServer(netip.MustParseAddrPort("10.0.0.2:80"), mode)
		if err := foreign.validate(id, nil); !errors.Is(err, ErrInvalid) || err.Field != "Mode" {
			t.Errorf("a fresh server by %s: %v", mode, err)
		}
		edited := foreign
		edited.Weight = 5
		if err := edited.validate(id, &foreign); err != nil {
			t.Errorf("an edit of the weight by %s: %v", mode, err)
		}
	}
}
