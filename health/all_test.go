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
	for field, p := range map[string]Probe{
		"":                        nil,
		"All":                     All{},
		"Any[1]":                  &Any{ok, nil},
		"Any[0].All":              Any{All{}},
		"All[1].HTTP.Path":        All{ok, HTTP{Path: "x"}},
		"All[0].Func.Ask":         All{&Func{}},
		"All[0].TCP.TLS.CA":       All{TCP{TLS: &TLS{CA: "x"}}},
		"All[0].Any[0]":           All{Any{nil}},
		"All[0].HTTP.Headers[ ]":  All{HTTP{Headers: map[string]string{" ": ""}}},
		"Any[0].HTTP.ShareHeader": Any{HTTP{ShareHeader: " "}},
		"All[0]":                  All{(*Func)(nil)},
		"Any[0]":                  Any{(*HTTP)(nil)},
		"At.Ask":                  At{Addr: rip(1).Addr()},
		"At.Ask.Func.Ask":         At{Addr: rip(1).Addr(), Ask: &Func{}},
	} {
		checkField(t, validateProbe(p), field)
	}
	if err := validateProbe(All{ok, foreign{}, &Any{TCP{}}}); err != nil {
		t.Error(err)
	}
}

// A text that is not UTF-8 has no form in JSON, which would make two probes the same.
func TestProbesAreText(t *testing.T) {
	const bad = "/\xff"
	for field, p := range map[string]Probe{
		"TCP.Send": TCP{Send: bad}, "TCP.Expect": TCP{Expect: bad}, "TCP.TLS.CAFile": TCP{TLS: &TLS{CAFile: bad}},
		"HTTP.Path": HTTP{Path: bad}, "HTTP.Contains": HTTP{Contains: bad}, "HTTP.Matches": HTTP{Matches: bad}, "HTTP.Headers[A]": HTTP{Headers: map[string]string{"A": bad}},
		"GRPC.Service": GRPC{Service: bad}, "DNS.Name": DNS{Name: bad}, "DNS.Expect": DNS{Type: "TXT", Expect: bad}, "UDP.Send": UDP{Send: bad}, "UDP.Contains": UDP{Contains: bad},
		"Agent.Send": Agent{Port: 1, Send: bad}, "Exec.Path": Exec{Path: bad}, "Exec.Args[0]": Exec{Path: "/x", Args: []string{bad}}, "Exec.Env[1]": Exec{Path: "/x", Env: []string{"A=", "B=" + bad}},
		"File.Path": &File{Path: bad}, "All[1].Any[0].TCP.Send": All{TCP{}, Any{TCP{Send: bad}}},
	} {
		checkField(t, validateProbe(p), field)
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
		{From{Mark: 1, Ask: TCP{}}, From{Mark: 1, Ask: TCP{}}, true},
		{From{Mark: 1, Ask: TCP{}}, From{Mark: 2, Ask: TCP{}}, false},
		{From{Mark: 1, Ask: one}, From{Mark: 1, Ask: two}, false},
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
