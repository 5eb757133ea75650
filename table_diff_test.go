package lvs

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// tableOf returns a table from lines: a service, then its real servers, such as
// "> 10.2.0.2:80 1", by DR with their weights.
func tableOf(t testing.TB, text string) (table Table) {
	t.Helper()
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0:
		case words[0] == ">":
			s := RealServer{Addr: netip.MustParseAddrPort(words[1] + ":80"), Weight: int(words[2][0] - '0')}
			last := &table.Services[len(table.Services)-1]
			last.RealServers = append(last.RealServers, s)
		default:
			s := Service{ID: MustParseServiceID(words[0])}
			if len(words) > 1 {
				s.Scheduler = Scheduler(words[1])
			}
			table.Services = append(table.Services, TableService{Service: s})
		}
	}
	return table
}

func TestDiffSteps(t *testing.T) {
	const a = "tcp://10.1.0.1:80"
	for _, test := range []struct {
		name, have, want string
		o                TableOptions
		plan             string
	}{
		{"nothing", a + "\n> 10.2.0.2 1", a + " wlc\n> 10.2.0.2 1", TableOptions{}, "nothing to do"},
		{"a new service", "", a + "\n> 10.2.0.2 1\n> 10.2.0.3 0", TableOptions{},
			"+ " + a + " wlc\n+ " + a + " -> 10.2.0.2:80 dr weight 1\n+ " + a + " -> 10.2.0.3:80 dr weight 0"},
		{"another only server", a + "\n> 10.2.0.2 1", a + "\n> 10.2.0.3 1", TableOptions{},
			"+ " + a + " -> 10.2.0.3:80 dr weight 1\n- " + a + " -> 10.2.0.2:80"},
		{"weights change places", a + "\n> 10.2.0.2 1\n> 10.2.0.3 0", a + "\n> 10.2.0.2 0\n> 10.2.0.3 1", TableOptions{},
			"~ " + a + " -> 10.2.0.3:80 weight 0 → 1\n~ " + a + " -> 10.2.0.2:80 weight 1 → 0"},
		{"not pruned", a, "", TableOptions{Scope: ScopeAll()}, "nothing to do\n# remains, although it is not wanted: " + a},
		{"drained", a + "\n> 10.2.0.2 1", "", TableOptions{Scope: ScopeAll(), Prune: true, Drain: time.Minute},
			"- " + a + " with 1 real server, drained for at most 1m0s"},
		{"outside the scope", a + "\n> 10.2.0.2 1", "", TableOptions{Prune: true}, "nothing to do"},
		{"another order", a + " rr\n> 10.2.0.2 1\n> 10.2.0.3 1", a + " rr\n> 10.2.0.3 1\n> 10.2.0.2 1", TableOptions{},
			"nothing to do\n# remains in another order than the wanted one: the real servers of " + a},
		{"exact order", a + " rr\n> 10.2.0.2 1\n> 10.2.0.3 1", a + " rr\n> 10.2.0.3 1\n> 10.2.0.2 1", TableOptions{ExactOrder: true},
			"- " + a + " -> 10.2.0.2:80\n+ " + a + " -> 10.2.0.2:80 dr weight 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			plan, err := Diff(tableOf(t, test.have), tableOf(t, test.want), test.o)
			must(t, err)
			compare(t, "plan", test.plan, plan.String())
		})
	}
}
