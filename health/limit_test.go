package health

import (
	"errors"
	"math"
	"net/netip"
	"testing"

	"github.com/golvs/lvs"
	"pgregory.net/rapid"
)

func many(n int, s standing) []standing {
	all := make([]standing, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestLimitBelow(t *testing.T) {
	up, down, unknown := plain(2), plain(2).with(judged(Down)), plain(2).with(kept(-1))
	pinned := down.with(decided(Override{Kind: Pin, Weight: 1}))
	for name, c := range map[string]struct {
		limit                Limit
		servers              []standing
		fromAbove, fromBelow bool
	}{
		"no limit":                   {Limit{}, many(3, down), false, false},
		"half, at the border":        {Limit{Share: 0.5}, append(many(2, up), many(2, down)...), false, false},
		"half, below":                {Limit{Share: 0.5}, append(many(1, up), many(2, down)...), true, true},
		"a share that is not exact":  {Limit{Share: 0.3, Hysteresis: 0.4}, append(many(7, up), many(3, down)...), false, false},
		"within the hysteresis":      {Limit{Count: 2, Hysteresis: 1}, append(many(2, up), many(2, down)...), false, true},
		"beyond the hysteresis":      {Limit{Count: 2, Hysteresis: 1}, append(many(3, up), many(1, down)...), false, false},
		"no more than there is":      {Limit{Count: 3, Hysteresis: 5}, many(3, up), false, false},
		"weight":                     {Limit{Weight: 5}, append(many(2, up), down), true, true},
		"drained is missing":         {Limit{Count: 2}, []standing{up, up.with(decided(Override{Kind: Drain}))}, true, true},
		"a share of 0 is missing":    {Limit{Count: 2}, []standing{up, up.with(decided(Override{Kind: Scale}))}, true, true},
		"pinned to 0 is missing":     {Limit{Count: 2}, []standing{up, up.with(decided(Override{Kind: Pin}))}, true, true},
		"asking for none is missing": {Limit{Count: 2}, []standing{up, up.with(asking(0))}, true, true},
		"configured 0 is missing":    {Limit{Count: 2}, []standing{up, plain(0)}, true, true},
		"pinned works":               {Limit{Count: 2}, []standing{up, pinned}, false, false},
		"nothing is known":           {Limit{Share: 0.5}, many(4, unknown), false, true},
		"too many failed already":    {Limit{Share: 0.5}, append(many(3, down), unknown), true, true},
		"no servers":                 {Limit{Share: 0.5}, nil, true, true},
	} {
		tally := c.limit.tally(c.servers)
		if got := c.limit.below(false, tally); got != c.fromAbove {
			t.Errorf("%s: from above, below is %t: %+v", name, got, tally)
		}
		if got := c.limit.below(true, tally); got != c.fromBelow {
			t.Errorf("%s: from below, below is %t: %+v", name, got, tally)
		}
	}
}

func anyLimit(t *rapid.T) Limit {
	l := Limit{Then: anyAction(t)}
	switch rapid.IntRange(0, 2).Draw(t, "unit") {
	case 0:
		l.Share = rapid.Float64Range(0.01, 1).Draw(t, "share")
		l.Hysteresis = rapid.Float64Range(0, 1-l.Share).Draw(t, "hysteresis")
	case 1:
		l.Count = rapid.IntRange(1, 12).Draw(t, "count")
		l.Hysteresis = rapid.Float64Range(0, 5).Draw(t, "hysteresis")
	default:
		l.Weight = rapid.IntRange(1, 1000).Draw(t, "weight")
		l.Hysteresis = rapid.Float64Range(0, 500).Draw(t, "hysteresis")
	}
	return l
}

// TestLimitProperties holds that looking twice says the same, that the way from below to
// above is at least the hysteresis, and that more servers never make too few.
func TestLimitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := anyLimit(t)
		servers := rapid.SliceOfN(rapid.Custom(anyStanding), 0, 10).Draw(t, "servers")
		tally := l.tally(servers)
		for _, was := range []bool{false, true} {
			is := l.below(was, tally)
			if again := l.below(is, tally); is != again {
				t.Fatalf("%+v %+v: below %t, then %t", l, tally, is, again)
			}
			more := tally
			more.works += rapid.Float64Range(0, 10).Draw(t, "more")
			if !is && l.below(was, more) {
				t.Fatalf("%+v %+v: more is below", l, tally)
			}
		}
		if !l.below(true, tally) && less(tally.works, min(l.least()+l.Hysteresis, tally.all)) {
			t.Fatalf("%+v %+v: came back within the hysteresis", l, tally)
		}
	})
}

// TestLimitAtTheBorder holds that one server that comes and goes at the border crosses
// the limit once.
func TestLimitAtTheBorder(t *testing.T) {
	for _, l := range []Limit{{Share: 0.5, Hysteresis: 0.1}, {Count: 5, Hysteresis: 1}, {Weight: 10, Hysteresis: 2}} {
		below, crossed := false, 0
		for i := range 100 {
			servers := append(many(4, plain(2)), many(5, plain(2).with(judged(Down)))...)
			servers = append(servers, plain(2))
			if i%2 == 0 {
				servers[9].state = Down
			}
			if is := l.below(below, l.tally(servers)); is != below {
				below = is
				crossed++
			}
		}
		if crossed != 1 || !below {
			t.Errorf("%+v was crossed %d times", l, crossed)
		}
	}
}

func TestLimitValidate(t *testing.T) {
	service := lvs.TableService{
		Service:     lvs.Service{ID: lvs.MustParseServiceID("tcp://10.168.0.91:80"), Scheduler: lvs.WLC},
		RealServers: []lvs.RealServer{server("10.1.0.1:80")},
	}
	sorry := []lvs.RealServer{server("10.1.0.9:80")}
	weightless, six := server("10.1.0.9:80"), server("[fd00::1]:80")
	weightless.Weight = 0
	six.Mode = lvs.NAT()
	for _, good := range []Limit{
		{}, {Share: 1, Then: KeepAll}, {Count: 2, Hysteresis: 1, Then: Withdraw}, {Weight: 9, Then: Report},
		{Share: 0.5, Hysteresis: 0.5, Then: SorryServer, Sorry: sorry},
	} {
		if err := good.validate(service); err != nil {
			t.Errorf("%+v: %v", good, err)
		}
	}
	for _, c := range []struct {
		field string
		bad   Limit
	}{
		{"Share", Limit{Share: -1, Then: Report}},
		{"Share", Limit{Share: 1.1, Then: Report}},
		{"Share", Limit{Share: math.NaN(), Then: Report}},
		{"Share", Limit{Share: 0.5, Count: 1, Then: Report}},
		{"Share", Limit{Weight: 5, Count: 1, Then: Report}},
		{"Count", Limit{Count: -1, Then: Report}},
		{"Weight", Limit{Weight: -1, Then: Report}},
		{"Then", Limit{Then: Report}},
		{"Then", Limit{Share: 0.5}},
		{"Then", Limit{Share: 0.5, Then: "panic"}},
		{"Hysteresis", Limit{Hysteresis: 1}},
		{"Hysteresis", Limit{Count: 1, Then: Report, Hysteresis: -1}},
		{"Hysteresis", Limit{Count: 1, Then: Report, Hysteresis: math.NaN()}},
		{"Hysteresis", Limit{Share: 0.5, Then: Report, Hysteresis: 0.6}},
		{"Sorry", Limit{Share: 0.5, Then: SorryServer}},
		{"Sorry", Limit{Share: 0.5, Then: Report, Sorry: sorry}},
		{"Sorry", Limit{Sorry: sorry}},
		{"Sorry[0]", Limit{Share: 0.5, Then: SorryServer, Sorry: service.RealServers}},
		{"Sorry[1]", Limit{Share: 0.5, Then: SorryServer, Sorry: append(sorry, sorry...)}},
		{"Sorry[0].Weight", Limit{Share: 0.5, Then: SorryServer, Sorry: []lvs.RealServer{weightless}}},
		{"Sorry[0]", Limit{Share: 0.5, Then: SorryServer, Sorry: []lvs.RealServer{six}}},
	} {
		refused(t, c.field, c.bad.validate(service))
	}
}

func server(addr string) lvs.RealServer {
	return lvs.NewRealServer(netip.MustParseAddrPort(addr), lvs.DR())
}

func refused(t *testing.T, field string, err error) {
	t.Helper()
	var bad *InvalidError
	if !errors.Is(err, lvs.ErrInvalid) || !errors.As(err, &bad) || bad.Field != field {
		t.Errorf("%v, want an error of %s", err, field)
	}
}
