package workload

import (
	"encoding"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		value any
		into  encoding.TextUnmarshaler
		text  string
	}{
		{Poisson(500), new(Arrivals), "poisson 500/s"},
		{Steady(0.25), new(Arrivals), "steady 0.25/s"},
		{Bursts(1e6, 20), new(Arrivals), "bursts 1e+06/s of 20"},
		{Daily(0.5, 150, 24*time.Hour), new(Arrivals), "daily 0.5/s to 150/s in 24h0m0s"},
		{Arrivals{}, new(Arrivals), ""},
		{Fixed(time.Second), new(Lifetime), "fixed 1s"},
		{Exponential(90 * time.Second), new(Lifetime), "exponential 1m30s"},
		{Pareto(time.Second, 1.5), new(Lifetime), "pareto 1s shape 1.5"},
		{Lifetime{}, new(Lifetime), ""},
		{Clients{Count: 7}, new(Clients), "7"},
		{Clients{9, 1.1, 50, netip.MustParsePrefix("10.64.0.0/10")}, new(Clients), "9 zipf 1.1 nat 50 from 10.64.0.0/10"},
		{Clients{}, new(Clients), ""},
		{Add(time.Second, addrOf(0), 1), new(Event), "1s add 10.168.1.1:80"},
		{Add(time.Second, addrOf(0), 0), new(Event), "1s add 10.168.1.1:80 weight 0"},
		{Remove(time.Second, addrOf(0)), new(Event), "1s remove 10.168.1.1:80"},
		{Drain(time.Second, addrOf(0)), new(Event), "1s drain 10.168.1.1:80"},
		{SetWeight(time.Second, addrOf(0), 3), new(Event), "1s weight 10.168.1.1:80 3"},
		{Fail(time.Second, addrOf(0), 0), new(Event), "1s fail 10.168.1.1:80"},
		{Fail(time.Second, addrOf(0), 3*time.Second), new(Event), "1s fail 10.168.1.1:80 noticed 3s"},
		{Back(time.Second, addrOf(0), 0), new(Event), "1s back 10.168.1.1:80"},
		{Back(time.Second, addrOf(0), time.Minute), new(Event), "1s back 10.168.1.1:80 cold 1m0s"},
		{Break(time.Second, addrOf(0)), new(Event), "1s break 10.168.1.1:80"},
		{Fix(time.Second, addrOf(0), 0), new(Event), "1s fix 10.168.1.1:80"},
		{Fix(time.Second, addrOf(0), time.Minute), new(Event), "1s fix 10.168.1.1:80 cold 1m0s"},
		{Slow(time.Second, addrOf(0), 2*time.Second), new(Event), "1s slow 10.168.1.1:80 2s"},
		{Event{}, new(Event), ""},
	} {
		if got := c.value.(interface{ String() string }).String(); got != c.text {
			t.Errorf("got %q, want %q", got, c.text)
		}
		if err := c.into.UnmarshalText([]byte(c.text)); err != nil {
			t.Errorf("%q: %v", c.text, err)
		} else if again, _ := c.into.(encoding.TextMarshaler).MarshalText(); string(again) != c.text {
			t.Errorf("%q reads as %q", c.text, again)
		}
	}
}

func TestTextRefused(t *testing.T) {
	for _, c := range []struct {
		into  encoding.TextUnmarshaler
		field string
		texts []string
	}{
		{new(Arrivals), "Arrivals", []string{"poisson", "poisson x", "fast 5/s", "poisson 5/s of 3", "bursts 5/s", "bursts 5/s of x", "of 5/s",
			"daily 5/s", "daily 5/s to 6/s", "daily 5/s to x in 1h", "daily x to 6/s in 1h", "daily 5/s to 6/s in x", "daily 5/s to 6/s of 1h", "steady 5/s to 6/s in 1h"}},
		{new(Lifetime), "Lifetime", []string{"fixed", "fixed 3", "pareto 1s", "pareto 1s shape x", "fixed 1s shape 2", "long 1s"}},
		{new(Clients), "Clients", []string{"many", "5 zipf", "5 zipf x", "5 nat 1.5", "5 from here", "5 who 3"}},
		{new(Event), "Events", []string{
			"1s", "drain 1.2.3.4:80", "x drain 1.2.3.4:80", "1s drain 1.2.3.4", "1s noticed 1.2.3.4:80", "1s drain 1.2.3.4:80 3",
			"1s weight 1.2.3.4:80", "1s weight 1.2.3.4:80 x", "1s add 1.2.3.4:80 3", "1s fail 1.2.3.4:80 noticed", "1s back 1.2.3.4:80 warm 3s", "1s sleep 1.2.3.4:80",
			"1s break 1.2.3.4:80 cold 3s", "1s fix 1.2.3.4:80 3s",
		}},
	} {
		for _, text := range c.texts {
			err := c.into.UnmarshalText([]byte(text))
			var bad *InvalidError
			if !errors.As(err, &bad) || bad.Field != c.field || !errors.Is(err, lvs.ErrInvalid) || !strings.Contains(err.Error(), text) {
				t.Errorf("%T %q: got %v", c.into, text, err)
			}
		}
	}
}

func TestWorkloadJSON(t *testing.T) {
	const text = `{
	  "service":  "tcp://10.168.0.91:80",
	  "duration": "2m",
	  "arrivals": "poisson 500/s",
	  "clients":  "20000 zipf 1.1",
	  "lifetime": "exponential 8s",
	  "servers":  {"10.168.1.1:80": {"speed": 0.5, "slots": 2}},
	  "events":   ["40s fail 10.168.1.1:80 noticed 3s"],
	  "seed":     1
	}`
	want := Workload{
		Service: web, Duration: 2 * time.Minute, Arrivals: Poisson(500), Clients: Clients{Count: 20000, Zipf: 1.1},
		Lifetime: Exponential(8 * time.Second), Servers: map[netip.AddrPort]Server{addrOf(0): {0.5, 2}},
		Events: []Event{Fail(40*time.Second, addrOf(0), 3*time.Second)}, Seed: 1,
	}
	var got Workload
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	compare(t, want, got)

	want = Workload{
		Service: lvs.FWMark(7), Destinations: Clients{Count: 5}, Server: Server{Speed: 2},
		Recorded: []Arrival{{At: time.Second, Client: netip.MustParseAddr("192.0.2.1")}, {At: 2 * time.Second, Lifetime: time.Minute}},
	}
	again, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got = Workload{}
	if err := json.Unmarshal(again, &got); err != nil {
		t.Fatal(err)
	}
	compare(t, want, got)
}

func compare(t *testing.T, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Arrivals{}, Lifetime{}, Event{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
