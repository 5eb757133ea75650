package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// tableFlags are the flags of the commands that compare the table with a wanted one. They
// mean the same for each of them.
type tableFlags struct {
	given  *flag.FlagSet
	table  lvs.TableOptions
	state  string
	shared bool
	most   float64
}

func (t *tableFlags) flags(f *flag.FlagSet) {
	t.given = f
	f.Func("scope", "your own services, the only ones that are touched: all, or `SCOPES` with commas between, each a VIP, "+
		"a prefix of VIPs, a service, or a range of marks such as fwmark://1-9 (default: those in FILE, and with -state those before)",
		func(text string) (err error) {
			t.table.Scope, err = parseScope(text)
			return err
		})
	f.BoolVar(&t.table.Prune, "prune", false, "remove services in scope that are not in FILE")
	f.BoolVar(&t.table.KeepWeights, "keep-weights", false, "leave the weights of real servers as they are")
	f.BoolVar(&t.table.ExactOrder, "exact-order", false, "put real servers in the order of FILE, which cuts connections")
	f.DurationVar(&t.table.Drain, "drain", 0, "let connections to removed real servers last for at most `TIME`")
	f.StringVar(&t.state, "state", "", "remember in the file `STATE` what was applied and what drains")
	f.BoolVar(&t.shared, "shared", false, "leave what other programs add to your services; needs -state")
	f.Float64Var(&t.most, "max-removal", 0.5, "refuse to take more than a `SHARE` of the real servers out of service at once; 1 allows all")
}

// check refuses values that cannot work.
func (t *tableFlags) check() error {
	switch {
	case t.shared && t.state == "":
		return cli.Usagef("-shared needs -state, which remembers what is yours")
	case t.table.Drain < 0:
		return cli.Usagef("-drain cannot be negative")
	case !(t.most > 0 && t.most <= 1):
		return cli.Usagef("-max-removal is a share: more than 0, and 1 for all")
	}
	return nil
}

// findStateFolder refuses a state file whose folder does not exist.
func (t *tableFlags) findStateFolder() error {
	return findFolder("-state", t.state)
}

// findFolder refuses the file of a flag whose folder does not exist.
func findFolder(name, path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return fmt.Errorf("%s %s: %w; make its folder first", name, path, err)
	}
	return nil
}

// refuseFor refuses flags that a saved plan has settled.
func (t *tableFlags) refuseFor(w wanted) (err error) {
	t.given.Visit(func(f *flag.Flag) {
		if slices.Contains([]string{"scope", "prune", "keep-weights", "exact-order", "drain", "shared"}, f.Name) {
			err = cli.Usagef("%s is a saved plan, which has settled -%s: give the flag to 'lvs plan' instead", w.name, f.Name)
		}
	})
	return err
}

// plan reads the table and returns how it becomes what is wanted, and what was applied
// last. A saved plan is returned as it is.
func (t *tableFlags) plan(ctx context.Context, host *lvs.Host, w wanted) (lvs.TablePlan, error) {
	if err := cmp.Or(t.check(), t.findStateFolder()); err != nil {
		return lvs.TablePlan{}, err
	}
	if w.plan != nil {
		return *w.plan, t.refuseFor(w)
	}
	o := t.table
	o.Host = host
	client := host.Client()
	if t.state != "" {
		last, err := t.last(ctx, client, w.file.Table)
		if err != nil {
			return lvs.TablePlan{}, err
		}
		o.Last = &last
	}
	return client.PlanTable(ctx, w.file.Table, o)
}

// last returns what was applied last. Unless the services are shared, all that they have
// counts as applied, so that what is not wanted goes, as with package director.
func (t *tableFlags) last(ctx context.Context, client *lvs.Client, want lvs.Table) (lvs.TableState, error) {
	last, err := lvs.ReadTableState(t.state)
	if err != nil || t.shared {
		return last, err
	}
	known := map[lvs.ServiceID]bool{}
	for _, s := range slices.Concat(want.Services, last.Applied.Services) {
		known[s.ID] = true
	}
	for _, d := range last.Drains {
		known[d.Service] = true
	}
	now, err := client.Snapshot(ctx)
	last.Applied = now.Table()
	last.Applied.Services = slices.DeleteFunc(last.Applied.Services, func(s lvs.TableService) bool {
		return !t.table.Scope.Contains(s.ID, known[s.ID])
	})
	return last, err
}

// parseScope returns the scope that a text says.
func parseScope(text string) (lvs.Scope, error) {
	if text == "all" {
		return lvs.ScopeAll(), nil
	}
	var all []lvs.Scope
	for part := range strings.SplitSeq(text, ",") {
		s, err := parseScopePart(part)
		if err != nil {
			return lvs.Scope{}, err
		}
		all = append(all, s)
	}
	return lvs.ScopeAny(all...), nil
}

var errScope = errors.New("want all, a VIP, a prefix such as 10.168.0.0/24, a service such as tcp://10.168.0.91:80, or marks such as fwmark://1-9")

func parseScopePart(text string) (lvs.Scope, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return lvs.ScopeVIPs(netip.PrefixFrom(addr, addr.BitLen())), nil
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return lvs.ScopeVIPs(prefix.Masked()), nil
	}
	if marks, ok := strings.CutPrefix(text, "fwmark://"); ok {
		if first, last, ok := strings.Cut(marks, "-"); ok {
			a, err1 := strconv.ParseUint(first, 10, 32)
			b, err2 := strconv.ParseUint(last, 10, 32)
			if err1 != nil || err2 != nil || a == 0 || a > b {
				return lvs.Scope{}, fmt.Errorf("%q is not a range of marks, such as fwmark://1-9", text)
			}
			return lvs.ScopeMarks(uint32(a), uint32(b)), nil
		}
	}
	id, err := lvs.ParseServiceID(text)
	if err != nil {
		return lvs.Scope{}, errScope
	}
	return lvs.ScopeServices(id), nil
}
