package healthtest_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health/healthtest"
)

func TestScriptText(t *testing.T) {
	const text = "0s answer; 40s hang; 1m0s refuse; 1m30s flap 2s; 2m0s blackhole; 3m0s slow 1.5s; 4m0s status 503; 5m0s novip; 6m0s tunneldown; 7m0s reset; 8m0s endless"
	s, err := healthtest.ParseScript(" 0s answer;40s hang ;1m refuse; 1m30s flap 2s;\n2m blackhole; 3m slow 1500ms; 4m status 503; 5m novip; 6m tunneldown; 7m reset; 8m endless")
	if err != nil || s.String() != text {
		t.Fatalf("got %q: %v", s, err)
	}
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again healthtest.Script
	if err := json.Unmarshal(encoded, &again); err != nil || again.String() != text {
		t.Errorf("%s: got %q: %v", encoded, again, err)
	}
	if s, err := healthtest.ParseScript(" "); s != nil || err != nil {
		t.Errorf("an empty script: %v, %v", s, err)
	}
}

func TestScriptRefused(t *testing.T) {
	for text, want := range map[string]string{
		"0s answer; 40s dance": `healthtest: Script[1]: "40s dance" at character 12: "dance" is not one of answer, hang, blackhole, refuse, reset, slow, status, endless, flap, novip, tunneldown`,
		"answer":               `healthtest: Script[0]: "answer" at character 1: want a time and a behaviour, such as "40s hang"`,
		"2s hang; 1s answer":   `healthtest: Script[1]: "1s answer" at character 10: 1s is not after 2s, the time of the step before`,
		"-2s hang":             `healthtest: Script[0]: "-2s hang" at character 1: -2s is negative`,
		"0s slow":              `healthtest: Script[0]: "0s slow" at character 1: "slow" is not like "slow 2s", "flap 2s" or "status 500"`,
		"0s flap 0s":           `healthtest: Script[0]: "0s flap 0s" at character 1: the time of "flap 0s" must be more than 0`,
		"0s status 7":          `healthtest: Script[0]: "0s status 7" at character 1: the code of "status 7" must be 100 to 599`,
		"0s hang 3s":           `healthtest: Script[0]: "0s hang 3s" at character 1: "hang" has nothing behind it, not "3s"`,
		"0s hang;":             `healthtest: Script[1]: "" at character 9: want a time and a behaviour, such as "40s hang"`,
	} {
		if _, err := healthtest.ParseScript(text); err == nil || err.Error() != want || !errors.Is(err, lvs.ErrInvalid) {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
}

// A script says what is done at each moment, and when that changes.
func TestScriptAt(t *testing.T) {
	s, err := healthtest.ParseScript("10s hang; 20s flap 2s; 25s answer")
	if err != nil {
		t.Fatal(err)
	}
	type change struct {
		At   time.Duration
		Does string
	}
	got := []change{{0, s.At(0).String()}}
	for at, ok := s.Next(0); ok; at, ok = s.Next(at) {
		got = append(got, change{at, s.At(at).String()})
	}
	want := []change{
		{0, "answer"}, {10 * time.Second, "hang"}, {20 * time.Second, "refuse"}, {22 * time.Second, "answer"},
		{24 * time.Second, "refuse"}, {25 * time.Second, "answer"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzScript(f *testing.F) {
	f.Add("0s answer; 40s hang; 1m0s refuse; 1m30s flap 2s; 3m slow 1500ms; 4m status 503")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := healthtest.ParseScript(text)
		if err != nil {
			return
		}
		again, err := healthtest.ParseScript(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q became %q: %v", s, again, err)
		}
		at, changes := s.Next(0)
		for range 100 {
			if !changes {
				break
			}
			next, ok := s.Next(at)
			if ok && next <= at {
				t.Fatalf("%q: after %s comes %s", s, at, next)
			}
			at, changes = next, ok
		}
	})
}
