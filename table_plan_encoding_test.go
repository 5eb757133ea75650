package lvs

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// planOfAll returns a plan with steps of every kind, which PlanTable made.
func planOfAll(t testing.TB) TablePlan {
	t.Helper()
	l := newSimLab(t, SimOptions{})
	at := func(s string, weight int) RealServer {
		r := NewRealServer(netip.MustParseAddrPort(s), NAT())
		r.Weight = weight
		return r
	}
	web, dns, old := simWeb, UDP(netip.MustParseAddrPort("10.1.0.1:53")), FWMark(7)
	must(t, l.client.Do(t.Context(),
		AddService(Service{ID: web, Scheduler: MH}), AddRealServer(web, at("10.2.0.1:80", 1)), AddRealServer(web, at("10.2.0.2:80", 2)),
		AddService(Service{ID: old}), AddRealServer(old, at("10.2.0.1:0", 1)),
	))
	want := Table{Services: []TableService{
		{Service{ID: web, Scheduler: WRR, Persistence: Persistence{Timeout: time.Minute}}, []RealServer{at("10.2.0.2:80", 1), at("10.2.0.3:80", 1)}},
		{Service{ID: dns, Scheduler: RR}, []RealServer{at("10.2.0.1:53", 1)}},
	}}
	plan, err := l.client.PlanTable(t.Context(), want, TableOptions{Scope: ScopeAll(), Prune: true, Drain: time.Minute, Host: l.Host()})
	must(t, err)
	if len(plan.Steps) != 7 {
		t.Fatalf("the plan has %d steps:\n%s", len(plan.Steps), plan)
	}
	return plan
}

func TestPlanJSON(t *testing.T) {
	plan := planOfAll(t)
	text, err := json.Marshal(plan)
	must(t, err)
	var read TablePlan
	must(t, json.Unmarshal(text, &read))
	compare(t, "the text of a plan that was read", plan.String(), read.String())
	again, err := json.Marshal(read)
	must(t, err)
	compare(t, "a plan that was read", string(text), string(again))
	if !strings.Contains(string(text), `"version":1`) || !strings.Contains(string(text), `"drain":"1m0s"`) {
		t.Errorf("the JSON of a plan is %s", text)
	}
	if len(read.found) != len(plan.found) || read.found[0].Was != plan.found[0].Was || read.found[0].Way[0] != plan.found[0].Way[0] {
		t.Errorf("digests %v were read as %v", plan.found, read.found)
	}
}

// A plan that was changed by hand is refused with the path of what is wrong.
func TestPlanJSONRefuses(t *testing.T) {
	text, err := json.Marshal(planOfAll(t))
	must(t, err)
	for _, c := range []struct {
		name, field string
		edit        func(plan map[string]any, step func(op string) map[string]any)
	}{
		{"another version", "version", func(p map[string]any, _ func(string) map[string]any) { p["version"] = 2 }},
		{"no version", "version", func(p map[string]any, _ func(string) map[string]any) { delete(p, "version") }},
		{"unknown field", "stepz", func(p map[string]any, _ func(string) map[string]any) { p["stepz"] = 1 }},
		{"drained addition", "steps[1].drain", func(_ map[string]any, step func(string) map[string]any) {
			step("add-service")["drain"] = "1m"
		}},
		{"negative drain", "steps[5].drain", func(_ map[string]any, step func(string) map[string]any) {
			step("remove-real-server")["drain"] = "-1m"
		}},
		{"no digest", "want.services[1]", func(p map[string]any, _ func(string) map[string]any) {
			p["found"] = p["found"].([]any)[:1]
		}},
		{"no digest of a step", "steps[6].change", func(p map[string]any, _ func(string) map[string]any) {
			p["found"] = p["found"].([]any)[:2]
		}},
		{"digest twice", "found[3].id", func(p map[string]any, _ func(string) map[string]any) {
			p["found"] = append(p["found"].([]any), p["found"].([]any)[0])
		}},
		{"missing step", "found[0].way", func(p map[string]any, _ func(string) map[string]any) {
			p["steps"] = append(p["steps"].([]any)[:4:4], p["steps"].([]any)[5:]...)
		}},
		{"nothing before", "steps[5].was", func(_ map[string]any, step func(string) map[string]any) {
			delete(step("remove-real-server"), "was")
		}},
		{"other before", "steps[5].was", func(_ map[string]any, step func(string) map[string]any) {
			step("remove-real-server")["was"].(map[string]any)["id"] = "tcp://10.1.0.1:81"
		}},
		{"before an addition", "steps[1].was", func(_ map[string]any, step func(string) map[string]any) {
			step("add-service")["was"] = step("update-service")["was"]
		}},
		{"operation of no plan", "steps[1].change.op", func(_ map[string]any, step func(string) map[string]any) {
			step("add-service")["change"] = map[string]any{"op": "zero-counters", "id": "tcp://10.1.0.1:80"}
		}},
		{"another operation", "steps[5].change.addr", func(_ map[string]any, step func(string) map[string]any) {
			step("remove-real-server")["change"].(map[string]any)["op"] = "add-real-server"
		}},
		{"a digest in another form", "found[0].way[0]", func(p map[string]any, _ func(string) map[string]any) {
			p["found"].([]any)[0].(map[string]any)["way"].([]any)[0] = "y1"
		}},
		{"invalid value", "steps[4].change.weight", func(_ map[string]any, step func(string) map[string]any) {
			step("update-real-server")["change"].(map[string]any)["realServer"].(map[string]any)["weight"] = -1
		}},
		{"another mode", "steps[4].change.realServer.mode", func(_ map[string]any, step func(string) map[string]any) {
			step("update-real-server")["change"].(map[string]any)["realServer"].(map[string]any)["mode"] = "dr"
		}},
		{"another scheduler", "steps[3].change.service.scheduler", func(_ map[string]any, step func(string) map[string]any) {
			step("update-service")["change"].(map[string]any)["service"].(map[string]any)["scheduler"] = "rr"
		}},
		{"removal of what is wanted", "steps[5].change", func(p map[string]any, step func(string) map[string]any) {
			s := step("remove-real-server")
			s["change"].(map[string]any)["addr"] = "10.2.0.2:80"
			s["was"].(map[string]any)["realServer"].(map[string]any)["addr"] = "10.2.0.2:80"
		}},
		{"added twice", "steps[2].change", func(p map[string]any, step func(string) map[string]any) {
			steps := p["steps"].([]any)
			steps[2] = steps[1]
		}},
		{"invalid wish", "want.services[0].realServers[0].weight", func(p map[string]any, _ func(string) map[string]any) {
			service := p["want"].(map[string]any)["services"].([]any)[0].(map[string]any)
			service["realServers"].([]any)[0].(map[string]any)["weight"] = -1
		}},
	} {
		var plan map[string]any
		must(t, json.Unmarshal(text, &plan))
		c.edit(plan, func(op string) map[string]any {
			for _, s := range plan["steps"].([]any) {
				if s := s.(map[string]any); s["change"].(map[string]any)["op"] == op {
					return s
				}
			}
			t.Fatalf("no step is %s", op)
			return nil
		})
		edited, err := json.Marshal(plan)
		must(t, err)
		var read TablePlan
		err = json.Unmarshal(edited, &read)
		var bad *Error
		if !errors.As(err, &bad) || !errors.Is(err, ErrInvalid) || bad.Field != c.field {
			t.Errorf("%s: %v, want one about %s", c.name, err, c.field)
		}
	}
}

// planTableOf returns a small random table, so that others have much in common with it.
func planTableOf(r *rand.Rand) (t Table) {
	for _, id := range []ServiceID{simWeb, TCP(netip.MustParseAddrPort("10.1.0.2:80")), FWMark(7)} {
		if r.IntN(4) == 0 {
			continue
		}
		s := TableService{Service: Service{ID: id, Scheduler: []Scheduler{"", RR, WRR, SH}[r.IntN(4)]}}
		if r.IntN(3) == 0 {
			s.Persistence.Timeout = time.Minute
		}
		for _, i := range r.Perm(5)[:r.IntN(5)] {
			server := NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(1 + i)}), id.AddrPort().Port()), []Mode{NAT(), DR()}[r.IntN(2)])
			server.Weight, server.UpperThreshold = r.IntN(3), 10*r.IntN(2)
			s.RealServers = append(s.RealServers, server)
		}
		t.Services = append(t.Services, s)
	}
	return t
}

// Every plan that Diff makes can be written and read, and is not taken for an edited one.
func TestPlanJSONOfAny(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 0))
	steps := 0
	for n := range 1500 {
		have, want, last := planTableOf(r), planTableOf(r), planTableOf(r)
		o := TableOptions{Scope: ScopeAll(), Prune: r.IntN(2) == 0, KeepWeights: r.IntN(2) == 0, ExactOrder: r.IntN(3) == 0}
		if r.IntN(2) == 0 {
			o.Drain = time.Minute
		}
		if r.IntN(2) == 0 {
			o.Last = &TableState{Applied: last}
		}
		plan, err := Diff(have, want, o)
		must(t, err)
		steps += len(plan.Steps)
		text, err := json.Marshal(plan)
		must(t, err)
		var read TablePlan
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("plan %d, from\n%s\nto\n%s\nis\n%s\nand refused: %v", n, have, want, plan, err)
		}
		if again, err := json.Marshal(read); err != nil || string(again) != string(text) {
			t.Fatalf("plan %d\n%s\nis read as\n%s, %v", n, text, again, err)
		}
	}
	if steps < 5000 {
		t.Errorf("the plans have only %d steps", steps)
	}
}
