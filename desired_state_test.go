package lvs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// docs/desired-state.md shows what follows; internal/layout holds that both are the same.

// converge makes the wanted services what they should be. It removes only services and
// real servers that it added itself, and leaves alone the fields that others set.
func converge(ctx context.Context, client *lvs.Client, want lvs.Table, stateFile string) error {
	last, err := lvs.ReadTableState(stateFile) // without a file, nothing was applied yet
	if err != nil {
		return err
	}
	plan, err := client.PlanTable(ctx, want, lvs.TableOptions{
		Last:  &last,
		Prune: true, // remove services that are in last and not wanted
		Drain: 5 * time.Minute,
	})
	if err != nil {
		return err
	}
	if _, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{StateFile: stateFile}); err != nil {
		return err
	}
	return finishDrains(ctx, client, stateFile)
}

// finishDrains awaits the drains that are under way, also those of an earlier process.
func finishDrains(ctx context.Context, client *lvs.Client, stateFile string) error {
	state, err := lvs.ReadTableState(stateFile)
	if err != nil {
		return err
	}
	left, ended, err := client.AwaitDrains(ctx, state.Drains)
	for _, end := range ended {
		fmt.Println(end)
	}
	state.Drains = left // if the context ended first, the next process goes on
	return errors.Join(err, state.WriteFile(stateFile))
}

// review saves a plan for somewhere else, where approve applies it.
func review(ctx context.Context, client *lvs.Client, want lvs.Table) ([]byte, error) {
	plan, err := client.PlanTable(ctx, want, lvs.TableOptions{Scope: lvs.ScopeVIPs(siteVIPs)})
	if err != nil {
		return nil, err
	}
	fmt.Println(plan)
	return json.Marshal(plan)
}

func approve(ctx context.Context, client *lvs.Client, saved []byte) error {
	var plan lvs.TablePlan
	if err := json.Unmarshal(saved, &plan); err != nil {
		return err
	}
	result, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{RollBack: true})
	if errors.Is(err, lvs.ErrStale) {
		return fmt.Errorf("review again: %w", err) // nothing was done
	}
	fmt.Println(result)
	return err
}

var siteVIPs = netip.MustParsePrefix("10.168.0.0/24")

// restore makes the table that a save file of ipvsadm describes. The second time it
// changes nothing.
func restore(ctx context.Context, client *lvs.Client, saved []byte) error {
	file, err := ipvsadm.ParseFile(saved) // all of it, or an error with line and column
	if err != nil {
		return err
	}
	plan, err := client.PlanTable(ctx, file.Table, lvs.TableOptions{Scope: lvs.ScopeAll(), Prune: true})
	if err != nil {
		return err
	}
	commands, err := ipvsadm.Commands(plan.Changes()...)
	if err != nil {
		return err
	}
	fmt.Print(commands) // what ipvsadm would be called with
	_, err = client.ApplyTable(ctx, plan, lvs.ApplyOptions{})
	return err
}

// siteTable returns the service of web with some real servers.
func siteTable(servers ...netip.AddrPort) lvs.Table {
	s := lvs.TableService{Service: lvs.Service{ID: web}}
	for _, addr := range servers {
		s.RealServers = append(s.RealServers, lvs.NewRealServer(addr, lvs.DR()))
	}
	return lvs.Table{Services: []lvs.TableService{s}}
}

// live returns the table of a client.
func live(t *testing.T, client *lvs.Client) lvs.Table {
	t.Helper()
	now, err := client.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return now.Table()
}

func newSimulator(t *testing.T) *lvs.Simulator {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

// What another program sets and adds survives; what converge added goes when it is not
// wanted any more.
func TestConverge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, client := t.Context(), newSimulator(t).Client()
		file := filepath.Join(t.TempDir(), "table.json")
		if err := converge(ctx, client, siteTable(rs1, rs2), file); err != nil {
			t.Fatal(err)
		}
		_, err := client.ModifyService(ctx, web, func(s *lvs.Service) { s.Scheduler = lvs.WRR })
		if err == nil {
			err = client.AddRealServer(ctx, web, lvs.NewRealServer(rs3, lvs.DR()))
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := converge(ctx, client, siteTable(rs1), file); err != nil {
			t.Fatal(err)
		}
		want := siteTable(rs1, rs3)
		want.Services[0].Scheduler = lvs.WRR
		if got := live(t, client); !got.Equal(want) {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		state, err := lvs.ReadTableState(file)
		if err != nil || len(state.Drains) > 0 {
			t.Errorf("%v, %v", state, err)
		}
		if err := converge(ctx, client, lvs.Table{}, file); err != nil {
			t.Fatal(err)
		}
		if got, want := live(t, client), siteTable(rs3); len(got.Services) != 1 || len(got.Services[0].RealServers) != 1 {
			t.Errorf("got\n%s\nwant the service and the real server of the other program:\n%s", got, want)
		}
	})
}

// A reviewed plan is applied once, and refused when the table has changed.
func TestReview(t *testing.T) {
	ctx, client := t.Context(), newSimulator(t).Client()
	saved, err := review(ctx, client, siteTable(rs1, rs2))
	if err != nil {
		t.Fatal(err)
	}
	if err := approve(ctx, client, saved); err != nil {
		t.Fatal(err)
	}
	if got := live(t, client); !got.Equal(siteTable(rs1, rs2)) {
		t.Errorf("got\n%s", got)
	}
	if err := client.SetWeight(ctx, web, rs1, 9); err != nil {
		t.Fatal(err)
	}
	if err := approve(ctx, client, saved); !errors.Is(err, lvs.ErrStale) {
		t.Errorf("%v, want ErrStale", err)
	}
}

// A save file is restored once; the second time nothing changes.
func TestRestore(t *testing.T) {
	sim := newSimulator(t)
	ctx, client := t.Context(), sim.Client()
	if err := client.AddService(ctx, lvs.Service{ID: lvs.FWMark(7)}); err != nil {
		t.Fatal(err)
	}
	saved := "-A -t 10.168.0.91:80 -s wlc\n-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1\n"
	for range 2 {
		if err := restore(ctx, client, []byte(saved)); err != nil {
			t.Fatal(err)
		}
		if got := live(t, client); !got.Equal(siteTable(rs1)) {
			t.Errorf("got\n%s", got)
		}
	}
	if n := len(sim.Changes()); n != 4 {
		t.Errorf("%d changes, want 4: %v", n, sim.Changes())
	}
	if err := restore(ctx, client, []byte(saved+"-A -t nowhere\n")); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("%v does not name the line", err)
	}
}
