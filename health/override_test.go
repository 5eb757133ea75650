package health

import (
	"errors"
	"math"
	"net/netip"
	"testing"

	"github.com/golvs/lvs"
)

func TestOverrideValidate(t *testing.T) {
	of := func(kind OverrideKind, share float64, weight int) Override {
		return Override{
			Service: lvs.MustParseServiceID("tcp://10.168.0.91:80"), Server: netip.MustParseAddrPort("10.1.0.1:80"),
			Kind: kind, Share: share, Weight: weight,
		}
	}
	for _, good := range []Override{of(Drain, 0, 0), of(Scale, 0, 0), of(Scale, 0.5, 0), of(Scale, 2, 0), of(Pin, 0, 0), of(Pin, 0, 7)} {
		if err := good.Validate(); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	none := of(Drain, 0, 0)
	none.Server = netip.AddrPort{}
	for field, bad := range map[string]Override{
		"Override.Service": {Server: none.Server, Kind: Drain},
		"Override.Server":  none,
		"Override.Kind":    of("stop", 0, 0),
		"Override.Share":   of(Scale, math.NaN(), 0),
		"Override.Weight":  of(Pin, 0, -1),
	} {
		hasField(t, bad, field)
	}
	hasField(t, of(Drain, 1, 0), "Override.Share")
	hasField(t, of(Scale, -1, 0), "Override.Share")
	hasField(t, of(Scale, 101, 0), "Override.Share")
	hasField(t, of(Scale, 1, 1), "Override.Weight")
}

func hasField(t *testing.T, o Override, field string) {
	t.Helper()
	err := o.Validate()
	var bad *InvalidError
	if !errors.Is(err, lvs.ErrInvalid) || !errors.As(err, &bad) || bad.Field != field {
		t.Errorf("%+v: %v, want an error of %s", o, err, field)
	}
}
