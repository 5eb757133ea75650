package lvs

import (
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// A kernel takes back, refuses and continues what the simulator does. The failure is real:
// it has no such scheduler.
func TestApplyTableKernel(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	l := &applyLab{t: t, client: openIn(t, ns), other: openIn(t, ns)}
	have, want := rollBackTables()
	o := rollBackPlan
	for _, drain := range []time.Duration{0, time.Minute} {
		o.Drain = drain
		for _, apply := range []ApplyOptions{{RollBack: true}, {RollBack: true, Stop: true}} {
			l.fill(have)
			broken := Table{append([]TableService{}, want.Services...)}
			broken.Services[1].Scheduler = "none-such"
			r, err := l.client.ApplyTable(t.Context(), l.plan(broken, o), apply)
			ofKind(t, "an unknown scheduler", Ignore(err, ErrSkipped), ErrScheduler)
			if r.Count(StepTakenBack) == 0 || r.Count(StepMade, StepUnknown, StepFound) > 0 || strings.Contains(err.Error(), "taken back") {
				t.Errorf("%+v, drain %v: %v, %v", apply, drain, r, err)
			}
			l.sameServices("taken back", have)
		}
		plan := l.plan(want, o)
		r, err := l.client.ApplyTable(t.Context(), plan, ApplyOptions{Stop: drain > 0})
		must(t, err)
		if r.Count(StepMade) != len(plan.Steps) || (len(r.Drains) > 0) != (drain > 0) {
			t.Errorf("drain %v: %v", drain, r)
		}
		if drain == 0 {
			l.sameServices("applied", want)
		}
		r, err = l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
		must(t, err)
		if r.Count(StepFound) != len(plan.Steps) {
			t.Errorf("drain %v, the second time: %v", drain, r)
		}
		must(t, l.other.RemoveService(t.Context(), applyID(3)))
		_, err = l.client.ApplyTable(t.Context(), plan, ApplyOptions{})
		ofKind(t, "a service is gone", err, ErrStale)
	}
}
