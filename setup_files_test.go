package lvs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// Whatever a file says, nothing panics: what was read is printed, applied, undone
// and checked. Each value of the files that are written is spoiled in turn.
func TestSpoiledFiles(t *testing.T) {
	n := 0
	for _, text := range savedFiles(t) {
		var file any
		if err := json.Unmarshal(text, &file); err != nil {
			t.Fatal(err)
		}
		spoil(file, func() {
			if n++; n%testbed.Stride() != 0 {
				return
			}
			spoiled, err := json.Marshal(file)
			if err != nil {
				t.Fatal(err)
			}
			useFile(t, spoiled)
		})
	}
}

func FuzzFiles(f *testing.F) {
	for _, text := range savedFiles(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) { useFile(t, text) })
}

// savedFiles are plans with facts of all kinds, and the facts of a host.
func savedFiles(t testing.TB) (all [][]byte) {
	t.Helper()
	ctx := context.Background()
	s, h := simulatedHost(t)
	save := func(v any) {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	for _, name := range []string{"NAT director with masquerade", "encrypted director", "GUE real server", "IPIP real server 4 in 6"} {
		plan, err := h.Plan(ctx, mustSetup(t, caseOf(name)))
		if err != nil {
			t.Fatal(err)
		}
		save(plan)
	}
	l := simLab{TB: t, Simulator: s, client: s.Client(), id: simWeb}
	l.serve(Service{ID: simWeb, Scheduler: SH}, GUE(6080), 1, 2)
	state, err := h.State(ctx)
	if err != nil {
		t.Fatal(err)
	}
	save(state)
	return all
}

// spoil puts other values in the place of each value in turn, but for those of list
// elements that are like an earlier one.
func spoil(v any, use func()) {
	try := func(was any, put func(any)) {
		for _, other := range []any{nil, "x", -1, []any{nil}, map[string]any{}} {
			put(other)
			use()
		}
		put(was)
		spoil(was, use)
	}
	switch v := v.(type) {
	case map[string]any:
		for key, was := range v {
			try(was, func(other any) { v[key] = other })
		}
	case []any:
		seen := make(map[string]bool)
		for i, was := range v {
			if s := shape(was); !seen[s] {
				seen[s] = true
				try(was, func(other any) { v[i] = other })
			}
		}
	}
}

// shape names the fields of a value, and the types that they have.
func shape(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for key, value := range v {
			fields = append(fields, key+":"+shape(value))
		}
		slices.Sort(fields)
		return "{" + strings.Join(fields, ",") + "}"
	case []any:
		var elements []string
		for _, e := range v {
			elements = append(elements, shape(e))
		}
		slices.Sort(elements)
		return "[" + strings.Join(slices.Compact(elements), ",") + "]"
	}
	return fmt.Sprintf("%T", v)
}

// useFile does with a file all that can be done with one. Errors are as good.
func useFile(t testing.TB, text []byte) {
	ctx := context.Background()
	_, h := briefHost(t)
	defer h.Close()
	var plan SetupPlan
	err := json.Unmarshal(text, &plan)
	_ = plan.String()
	if err == nil && len(plan.Steps) > 0 {
		_ = h.Apply(ctx, plan)
		_, _ = h.Undo(ctx, plan)
	}
	var setup Setup
	_ = json.Unmarshal(text, &setup)
	_ = setup.String()
	var state HostState
	if json.Unmarshal(text, &state) == nil {
		_, _ = h.Check(ctx, CheckOptions{Setup: setup, Peers: []HostState{state}})
	}
}
