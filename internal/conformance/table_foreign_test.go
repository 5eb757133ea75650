package conformance

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// A table that the client would refuse to make can be planned from, whether it is in
// scope or not. What is not ours stays as it is, and what is becomes what is wanted.
func TestConformanceForeignPlans(t *testing.T) {
	server := lvs.NewRealServer(webRIP, lvs.NAT())
	ours := func(id lvs.ServiceID) lvs.TableService {
		return lvs.TableService{Service: lvs.Service{ID: id, Scheduler: lvs.RR}, RealServers: []lvs.RealServer{server}}
	}
	other := lvs.Table{Services: []lvs.TableService{{Service: lvs.Service{ID: dnsID, Scheduler: lvs.WRR}}}}
	conformOne(t, func(t *testing.T, g ground) {
		c, ctx, conn, host := groundClient(t, g), groundContext(t), dialRaw(t, g.Dial), g.Host(t)
		var lay []func()
		for _, f := range foreignServices() {
			lay = append(lay, func() { conn.must(newService(f.put)) })
		}
		for _, f := range foreignServers(g.Release()) {
			lay = append(lay, func() { conn.must(newService(serviceOf(web)), newDest(keyOf(web), f.put)) })
		}
		for _, foreign := range lay {
			foreign()
			have, err := c.Snapshot(ctx)
			must(t, err)
			before := conn.table()
			plan := planAndApply(ctx, t, c, other, lvs.TableOptions{Host: host})
			if len(plan.Steps) != 1 {
				t.Errorf("a plan beside %s has\n%s", have, plan)
			}
			must(t, c.RemoveService(ctx, dnsID))
			compare(t, "what is not in scope", before, conn.table())

			want := other
			if want.Services = append(want.Services, ours(have.Services[0].ID)); want.Validate() != nil {
				want = other
			}
			planAndApply(ctx, t, c, want, lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true, Drain: time.Minute, ExactOrder: true})
			foreignToo := func(id lvs.ServiceID) bool { return id == have.Services[0].ID || id == dnsID }
			planAndApply(ctx, t, c, want, lvs.TableOptions{Scope: lvs.ScopeFunc(foreignToo), Prune: true, Host: host})
			now, err := c.Snapshot(ctx)
			must(t, err)
			if !now.Table().Equal(want) {
				t.Errorf("after a plan from\n%s\nthe table is\n%s\nwant\n%s", have, now, want)
			}
			must(t, c.Flush(ctx))
		}
	})
}

// planAndApply plans, writes and reads the plan, and applies it.
func planAndApply(ctx context.Context, t *testing.T, c *lvs.Client, want lvs.Table, o lvs.TableOptions) lvs.TablePlan {
	t.Helper()
	plan, err := c.PlanTable(ctx, want, o)
	must(t, err)
	text, err := json.Marshal(plan)
	must(t, err)
	if read := plan; !slices.ContainsFunc(plan.Steps, isMapped) {
		if err := json.Unmarshal(text, &read); err != nil || read.String() != plan.String() {
			t.Fatalf("%v: read\n%s\nwant\n%s", err, read, plan)
		}
		plan = read
	}
	if _, err := c.ApplyTable(ctx, plan, lvs.ApplyOptions{}); err != nil {
		t.Fatalf("%v: applying\n%s", err, plan)
	}
	return plan
}

// isMapped reports whether a step is about [mappedVIP], whose text is that of an IPv4
// service.
func isMapped(s lvs.TableStep) bool { return s.Change.ServiceID().AddrPort() == mappedVIP }
