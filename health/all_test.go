package health

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// after is a probe that says something after a time, unless the context ends.
func after(d time.Duration, answer Answer, err error) *Func {
	return &Func{Name: "after " + d.String(), Ask: func(ctx context.Context, _ Target) (Answer, error) {
		select {
		case <-time.After(d):
			return answer, err
		case <-ctx.Done():
			return Answer{}, ctx.Err()
		}
	}}
}

func TestAllAny(t *testing.T) {
	bad := errors.New("is broken")
	half, third := Answer{Share: 0.5, Reported: true, Content: "a"}, Answer{Share: 0.3, Reported: true, Content: "b"}
	panics := &Func{Ask: func(context.Context, Target) (Answer, error) { panic("oh") }}
	for _, test := range []struct {
		name  string
		probe Probe
		want  Answer
		took  time.Duration
		wrong string
	}{
		{"all work", All{after(2*time.Second, half, nil), after(time.Second, third, nil), after(0, Answer{}, nil)}, Answer{Share: 0.3, Reported: true, Content: "a b"}, 2 * time.Second, ""},
		{"all work and report nothing", All{after(0, Answer{}, nil)}, Answer{}, 0, ""},
		{"one of all fails", All{after(time.Hour, half, nil), after(time.Second, half, bad), after(2*time.Second, half, errors.New("too"))}, Answer{}, time.Second, "after 1s: is broken"},
		{"one of all panics", All{after(time.Hour, half, nil), panics}, Answer{}, 0, "func: the probe panicked: oh"},
		{"all hang", All{after(time.Hour, half, nil), after(0, half, nil)}, Answer{}, time.Minute, "after 1h0m0s: context deadline exceeded"},
		{"one of any works", Any{after(time.Hour, half, bad), after(time.Second, third, nil), after(0, half, bad)}, third, time.Second, ""},
		{"none of any works", Any{after(time.Second, half, bad), panics}, Answer{}, time.Second, "none of 2 works: after 1s: is broken; func: the probe panicked: oh"},
		{"any in all", All{Any{after(0, half, bad), after(0, third, nil)}}, third, 0, ""},
		{"none", Any{}, Answer{}, 0, "none of 0 works"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				answer, err := test.probe.Probe(seconds(t, time.Minute), Target{})
				if took := time.Since(began); answer != test.want || took != test.took {
					t.Errorf("%+v after %s, want %+v after %s", answer, took, test.want, test.took)
				}
				checkError(t, err, test.wrong)
				if strings.Contains(test.wrong, "is broken") && !errors.Is(err, bad) {
					t.Errorf("%v does not match its cause", err)
				}
			})
		})
	}
}

func TestAllAnyValidate(t *testing.T) {
	ok := &Func{Ask: func(context.Context, Target) (Answer, error) { return Answer{}, nil }}
	for field, p := range map[string]interface{ validate() error }{
		"Probes":                All{},
		"Probes[1]":             Any{ok, nil},
		"Probes[0].Probes":      Any{All{}},
		"Probes[1].Path":        All{ok, HTTP{Path: "x"}},
		"Probes[0].Ask":         All{&Func{}},
		"Probes[0].TLS.CA":      All{TCP{TLS: &TLS{CA: "x"}}},
		"Probes[0].Probes[0]":   All{Any{nil}},
		"Probes[0].Headers[ ]":  All{HTTP{Headers: map[string]string{" ": ""}}},
		"Probes[0].ShareHeader": Any{HTTP{ShareHeader: " "}},
	} {
		checkField(t, p.validate(), field)
	}
	if err := (All{ok, foreign{}, Any{TCP{}}}).validate(); err != nil {
		t.Error(err)
	}
}

// TestIdentity holds that functions make probes differ that look alike.
func TestIdentity(t *testing.T) {
	one, two := &Func{Name: "a"}, &Func{Name: "a"}
	for _, test := range []struct {
		a, b Probe
		same bool
	}{
		{TCP{}, TCP{}, true},
		{TCP{}, TCP{Port: 1}, false},
		{HTTP{TLS: &TLS{ServerName: "a"}}, HTTP{TLS: &TLS{ServerName: "a"}}, true},
		{HTTP{TLS: &TLS{ServerName: "a"}}, HTTP{TLS: &TLS{ServerName: "b"}}, false},
		{one, one, true},
		{one, two, false},
		{All{one}, All{one}, true},
		{All{one}, All{two}, false},
		{All{one}, Any{one}, false},
		{All{TCP{}, Any{one, two}}, All{TCP{}, Any{two, one}}, false},
		{All{TCP{}}, All{TCP{}}, true},
		{All{TCP{}}, All{TCP{}, TCP{}}, false},
		{At{Ask: TCP{}}, At{Ask: TCP{}}, true},
		{At{Ask: TCP{}}, At{Ask: SMTP{}}, false},
		{At{Ask: one}, At{Ask: two}, false},
	} {
		keys, err := keyed("Checks", []Check{{Probe: test.a}, {Probe: test.b}})
		if err != nil {
			t.Fatal(err)
		}
		if same := keys[0].digest == keys[1].digest; same != test.same {
			t.Errorf("%#v and\n%#v are the same: %t, want %t", test.a, test.b, same, test.same)
		}
	}
}
