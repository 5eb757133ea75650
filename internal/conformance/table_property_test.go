package conformance

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	tableCases = flag.Int("table.cases", 0, "how many random tables are planned and applied on each ground; 0 is 3,334, and 100 in a kernel")
	tableSeed  = flag.Uint64("table.seed", 1, "seed of the first random table")
)

// TestTables applies plans of random tables, for random scopes and options, and holds
// what they promise:
//   - afterwards the scope is as wanted, and what is outside is the same, byte for byte;
//   - no step is superfluous, and a second plan has none;
//   - after each change, a service that has a usable real server before and after the
//     plan has one.
func TestTables(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		n := *tableCases
		switch {
		case n > 0:
		case testbed.Inside():
			n = 100
		default:
			n = 3334 // 10,000 on all simulators
		}
		b := tableBench{g: g, c: groundClient(t, g), conn: dialRaw(t, g.Dial), each: testbed.Inside()}
		for seed := *tableSeed; seed < *tableSeed+uint64(n) && !t.Failed(); seed++ {
			c := makeTableCase(seed)
			if err := b.try(t, c); err != nil {
				c, err = b.shrink(t, c, err)
				t.Errorf("-table.seed %d -table.cases 1, without what does not matter:\n%s\n%v", seed, c, err)
			}
		}
	})
}

// tableBench tries cases, one after the other.
type tableBench struct {
	g    ground
	c    *lvs.Client
	conn *rawConn
	each bool // read the table after every change
}

// try returns what is wrong with a case, or nil.
func (b *tableBench) try(t testing.TB, c tableCase) error {
	ctx := groundContext(t)
	b.lay(t, c)
	snapshot, err := b.c.Snapshot(ctx)
	must(t, err)
	j := tableJudge{c, snapshot.Table()}
	before := b.raw(c, j)

	plan, err := b.c.PlanTable(ctx, c.want, c.optionsFor(c.last))
	if err != nil {
		return err
	}
	about := func(err error) error { return fmt.Errorf("plan\n%s\nfound\n%s\n%w", plan, j.found, err) }
	if err := checkPrefixes(j.found, plan.Changes()); err != nil {
		return about(err)
	}
	if err := checkMinimal(j.found, plan, c.options.ExactOrder); err != nil {
		return about(err)
	}
	result, err := b.apply(t, j, plan)
	if err != nil {
		return about(err)
	}
	snapshot, err = b.c.Snapshot(ctx)
	must(t, err)
	now := snapshot.Table()
	if err := j.check(plan, now); err != nil {
		return about(err)
	}
	if after := b.raw(c, j); !slices.Equal(before, after) {
		return about(fmt.Errorf("outside of the scope there was\n%s\nand is\n%s", strings.Join(before, "\n"), strings.Join(after, "\n")))
	}
	if err := b.plansNothing(ctx, c, j.stateAfter(result)); err != nil {
		return about(err)
	}
	if c.last == nil && c.options.Drain == 0 {
		if err := b.plansNothing(ctx, c, nil); err != nil {
			return about(err)
		}
	}
	if err := b.appliesAgain(ctx, plan, now); err != nil {
		return about(err)
	}
	return nil
}

// plansNothing returns an error if a second plan has steps.
func (b *tableBench) plansNothing(ctx context.Context, c tableCase, last *lvs.TableState) error {
	again, err := b.c.PlanTable(ctx, c.want, c.optionsFor(last))
	if err == nil && again.HasChanges() {
		err = fmt.Errorf("the second plan is\n%s", again)
	}
	return err
}

// appliesAgain returns an error if the plan, which was applied, cannot be applied again
// or changes something then, or if it can be applied when a service has changed since.
func (b *tableBench) appliesAgain(ctx context.Context, plan lvs.TablePlan, was lvs.Table) error {
	if result, err := b.c.ApplyTable(ctx, plan, lvs.ApplyOptions{}); err != nil {
		return fmt.Errorf("applied again: %s, %w", result, err)
	}
	now, err := b.c.Snapshot(ctx)
	if err != nil || !now.Table().Equal(was) {
		return fmt.Errorf("applied again, %w, the plan makes of\n%s\nthis:\n%s", err, was, now.Table())
	}
	for _, s := range plan.Want.Services {
		if len(s.RealServers) == 0 {
			continue
		}
		other := s.RealServers[0]
		other.Weight = 77
		if err := b.c.UpdateRealServer(ctx, s.ID, other); err != nil {
			return err
		}
		if _, err := b.c.ApplyTable(ctx, plan, lvs.ApplyOptions{}); !errors.Is(err, lvs.ErrStale) {
			return fmt.Errorf("applied after another program has changed %s: %w", s.ID, err)
		}
		break
	}
	return nil
}

// lay makes the table of a case.
func (b *tableBench) lay(t testing.TB, c tableCase) {
	changes := []lvs.Change{lvs.Flush()}
	for _, s := range c.have.Services {
		changes = append(changes, lvs.AddService(s.Service))
		for _, server := range s.RealServers {
			changes = append(changes, lvs.AddRealServer(s.ID, server))
		}
	}
	must(t, b.c.Do(groundContext(t), changes...))
	for _, f := range c.foreign {
		if s := serviceIn(c.have, f.id); s != nil {
			b.foreignEdit(f, serverAt(s.RealServers, f.addr))
		}
	}
}

// foreignEdit writes a service, or the real server of a place in the order in which they
// were added, as it is listed, with other attributes.
func (b *tableBench) foreignEdit(f foreignEdit, place int) {
	set := func(object attributes) attributes {
		for _, a := range f.set {
			object = object.set(a.number, a.value)
		}
		return object
	}
	for _, service := range b.conn.read(listServices()) {
		key := keyIn(service)
		switch {
		case key.String() != keyIn(rawID(f.id)).String():
		case !f.addr.IsValid():
			b.conn.must(setService(set(service.without(sStats, sStats64))))
		case place >= 0:
			dests := b.conn.read(listDests(key)) // the newest is first
			b.conn.must(setDest(key, set(dests[len(dests)-1-place].without(destCounters...))))
		}
	}
}

var destCounters = []uint16{dActive, dInactive, dPersist, dStats, dStats64}

// keyIn returns the identity in the attributes of a service.
func keyIn(service attributes) attributes {
	return service.only(attributes{{sAF, u8(0)}, {sProtocol, u8(0)}, {sAddr, u8(0)}, {sPort, u8(0)}, {sFWMark, u8(0)}})
}

// rawID returns the identity of a service as the kernel lists it.
func rawID(id lvs.ServiceID) attributes {
	if mark := id.FWMark(); mark != 0 {
		af := uint16(inet4)
		if id.Is6() {
			af = inet6
		}
		return attributes{{sAF, u16(af)}, {sFWMark, u32(mark)}}
	}
	vip := id.AddrPort()
	return attributes{
		{sAF, u16(afOf(vip.Addr()))}, {sProtocol, u16(uint16(id.Protocol()))},
		{sAddr, address16(vip.Addr().String())}, {sPort, be16(vip.Port())},
	}
}

// raw returns the raw listing, without counters, of the services that no plan may touch.
func (b *tableBench) raw(c tableCase, j tableJudge) (all []string) {
	for _, s := range b.conn.read(listServices()) {
		key := keyIn(s)
		if !slices.ContainsFunc(j.found.Services, func(f lvs.TableService) bool {
			return !j.inScope(f.ID) && keyIn(rawID(f.ID)).String() == key.String()
		}) {
			continue
		}
		all = append(all, s.without(sStats, sStats64).String())
		for _, d := range b.conn.read(listDests(key)) {
			all = append(all, "  "+d.without(destCounters...).String())
		}
	}
	return all
}

// apply applies a plan. If there is nothing that only the plan may write, some of the
// changes are made before, one at a time, as an interrupted ApplyTable would have left
// them.
func (b *tableBench) apply(t testing.TB, j tableJudge, plan lvs.TablePlan) (lvs.ApplyResult, error) {
	ctx := groundContext(t)
	changes := plan.Changes()
	if len(j.foreign) > 0 {
		changes = nil
	}
	made := len(changes)
	if !b.each {
		made = int(j.seed % uint64(len(changes)+1))
	}
	at := modelOf(j.found)
	for _, ch := range changes[:made] {
		if err := b.c.Do(ctx, ch); err != nil {
			return lvs.ApplyResult{}, err
		}
		if !b.each {
			continue
		}
		must(t, at.make(ch))
		now, err := b.c.Snapshot(ctx)
		must(t, err)
		if !now.Table().Equal(at.Table) {
			return lvs.ApplyResult{}, fmt.Errorf("after %s there is\n%s\nwant\n%s", ch, now.Table(), at.Table)
		}
	}
	return b.c.ApplyTable(ctx, plan, lvs.ApplyOptions{})
}

// shrink leaves out of a case, as long as it still fails, what it can.
func (b *tableBench) shrink(t testing.TB, c tableCase, err error) (tableCase, error) {
	for smaller := true; smaller; {
		smaller = false
		for _, less := range c.smaller() {
			if other := b.try(t, less); other != nil {
				c, err, smaller = less, other, true
				break
			}
		}
	}
	return c, err
}

// smaller returns the cases that lack one thing.
func (c tableCase) smaller() (all []tableCase) {
	lack := func(change func(less *tableCase)) {
		less := c
		if c.last != nil {
			less.last = &lvs.TableState{Applied: c.last.Applied, Drains: c.last.Drains}
		}
		change(&less)
		all = append(all, less)
	}
	for i := range c.foreign {
		lack(func(less *tableCase) { less.foreign = lacking(c.foreign, i) })
	}
	tables := []func(*tableCase) *lvs.Table{
		func(c *tableCase) *lvs.Table { return &c.have }, func(c *tableCase) *lvs.Table { return &c.want },
	}
	if c.last != nil {
		tables = append(tables, func(c *tableCase) *lvs.Table { return &c.last.Applied })
		for i := range c.last.Drains {
			lack(func(less *tableCase) { less.last.Drains = lacking(c.last.Drains, i) })
		}
	}
	for _, table := range tables {
		for i, s := range table(&c).Services {
			lack(func(less *tableCase) { table(less).Services = lacking(table(&c).Services, i) })
			for n := range s.RealServers {
				lack(func(less *tableCase) {
					*table(less) = modelOf(*table(&c)).Table
					table(less).Services[i].RealServers = lacking(s.RealServers, n)
				})
			}
		}
	}
	return all
}

func lacking[T any](all []T, i int) []T { return slices.Delete(slices.Clone(all), i, i+1) }
