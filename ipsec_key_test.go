package lvs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// However a key is printed, alone or in what has it, the secret does not show.
func TestKeyIsNotPrinted(t *testing.T) {
	secret := bytes.Repeat([]byte("k3y!"), IPsecKeySize/4)
	key, err := NewIPsecKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	tunnel := tunnel4
	tunnel.Key = key
	association := tunnel.association()
	director := TunnelDirector{IPsec: []IPsecTunnel{tunnel}}
	hidden := struct{ tunnel IPsecTunnel }{tunnel}
	for _, v := range []any{key, &key, tunnel, &tunnel, association, association.Want, director, hidden, association.Want.toNetwork()} {
		var printed strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%U"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		printed.Write(text)
		for _, form := range []string{"k3y!", "6b337921", "6B337921", "107 51 121 33", "0x6b, 0x33", "153 63 171 41", "U+006B", "k 3 y"} {
			if strings.Contains(printed.String(), form) {
				t.Errorf("%T shows its key:\n%s", v, printed.String())
			}
		}
	}
}

func TestKeyRefused(t *testing.T) {
	for name, secret := range map[string][]byte{
		"none": nil, "short": make([]byte, IPsecKeySize-1), "long": make([]byte, IPsecKeySize+1), "zeros": make([]byte, IPsecKeySize),
	} {
		var e *Error
		if k, err := NewIPsecKey(secret); !errors.As(err, &e) || e.Field != "Key" || !errors.Is(err, ErrInvalid) || k != (IPsecKey{}) {
			t.Errorf("%s: got %v, want ErrInvalid of Key", name, err)
		}
	}
	var k IPsecKey
	if err := k.UnmarshalText([]byte("6b337921")); !errors.Is(err, ErrInvalid) {
		t.Errorf("from text: got %v, want ErrInvalid", err)
	}
	if err := json.Unmarshal([]byte(`"<redacted>"`), &k); err != nil || k != (IPsecKey{}) {
		t.Errorf("from what was marshalled: %v, %v", k, err)
	}
}

// A saved plan has no keys: it can be undone, and not applied.
func TestSavedPlanHasNoKeys(t *testing.T) {
	ctx := context.Background()
	s, h := simulatedHost(t)
	setup := mustSetup(t, caseOf("encrypted real server"))
	s.LoadModule("ipip")
	before := s.dump()
	plan, err := h.Plan(ctx, setup)
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := h.Apply(ctx, saved(t, plan)); !errors.As(err, &e) || e.Field != "Key" || !errors.Is(err, ErrInvalid) {
		t.Errorf("applying a saved plan: got %v, want ErrInvalid of Key", err)
	}
	if after := s.dump(); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("it changed the host:\n%v\n%v", before, after)
	}
	keyless := saved(t, plan)
	var again Setup
	for _, step := range keyless.Steps {
		again = append(again, step.Requirement)
	}
	if _, err := h.Plan(ctx, again); !errors.As(err, &e) || e.Field != "Key" {
		t.Errorf("planning without keys: got %v, want ErrInvalid of Key", err)
	}
	other := tunnel4
	other.Key = testKey(9)
	if err := h.Apply(ctx, plan); err != nil {
		t.Fatal(err)
	}
	theirs, err := TunnelRealServer{VIP: vip4, IPsec: other}.Setup()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Plan(ctx, theirs); !errors.Is(err, ErrExists) {
		t.Errorf("another key under the same number: got %v, want ErrExists", err)
	}
}
