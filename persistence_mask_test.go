package lvs

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

func TestMask(t *testing.T) {
	if got := DottedMask([4]byte{255, 255, 255, 0}); got != PrefixMask(24) {
		t.Errorf("255.255.255.0 is %v", got)
	}
	if got := DottedMask([4]byte{}); got != PrefixMask(0) || got.IsZero() {
		t.Errorf("0.0.0.0 is %v", got)
	}
	if got := DottedMask([4]byte{255, 0, 255, 0}).String(); got != "/255.0.255.0" {
		t.Errorf("got %s", got)
	}
	for text, want := range map[string]Mask{"/24": PrefixMask(24), "24": PrefixMask(24), "255.0.0.255": DottedMask([4]byte{255, 0, 0, 255})} {
		if got, err := ParseMask(text); err != nil || got != want {
			t.Errorf("%q parses as %v, %v", text, got, err)
		}
	}
	if !(Mask{}).IsZero() {
		t.Error("the zero value is not zero")
	}
}

func TestMaskBits(t *testing.T) {
	for m, want := range map[Mask]int{PrefixMask(0): 0, PrefixMask(24): 24, PrefixMask(128): 128, DottedMask([4]byte{255, 255}): 16} {
		if n, ok := m.Bits(); !ok || n != want {
			t.Errorf("%v has %d bits, %v", m, n, ok)
		}
	}
	for _, m := range []Mask{{}, DottedMask([4]byte{255, 0, 255, 0}), PrefixMask(200)} {
		if n, ok := m.Bits(); ok || n != 0 {
			t.Errorf("%v has %d bits", m, n)
		}
	}
}

func TestMaskOutOfRange(t *testing.T) {
	for _, m := range []Mask{PrefixMask(-1), PrefixMask(math.MaxInt32), PrefixMask(129)} {
		for _, id := range []ServiceID{FWMark(1), FWMark6(1)} {
			if err := m.validate(id); !errors.Is(err, ErrInvalid) || err.Field != "Persistence.Mask" {
				t.Errorf("%#v: %v", m, err)
			}
		}
		if text, err := json.Marshal(m); !errors.Is(err, ErrInvalid) {
			t.Errorf("%#v is %s in JSON, %v", m, text, err)
		}
		if got := m.String(); got != "invalid mask" {
			t.Errorf("%#v is %q", m, got)
		}
	}
}

// An error of a mask that cannot be written says what was attempted.
func TestMaskThatCannotBeWritten(t *testing.T) {
	_, err := PrefixMask(200).MarshalText()
	var e *Error
	if !errors.As(err, &e) || e.Op != OpFormat || e.Field != "Mask" || !errors.Is(err, ErrInvalid) {
		t.Errorf("got %v, want an error of %s about Mask", err, OpFormat)
	}
}
