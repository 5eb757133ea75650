package hostnet

import (
	"reflect"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
)

// Every type of resource has a kind, which keeps the values.
func TestKinds(t *testing.T) {
	for _, r := range []netstate.Resource{
		netstate.Link{Name: "a"}, netstate.Address{Interface: "a"}, netstate.Route{Table: 1}, netstate.Rule{Table: 1}, netstate.SourceNAT{Table: "a"},
		netstate.PacketMark{Table: "a"}, netstate.FOUPort{Port: 1}, netstate.IPsecPolicy{SPI: 1}, netstate.IPsecAssociation{SPI: 1}, netstate.Module{Name: "a"},
	} {
		k, err := kindOf(r)
		if err != nil {
			t.Errorf("%T: %v", r, err)
			continue
		}
		if back := reflect.ValueOf(k).Convert(reflect.TypeOf(r)).Interface(); back != r {
			t.Errorf("%#v became %#v", r, back)
		}
	}
	if len(kinds) != 10 {
		t.Errorf("%d kinds, want 10: add the new one to this test", len(kinds))
	}
}
