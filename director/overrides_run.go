package director

import (
	"time"

	"github.com/golvs/lvs/health"
)

// overridesInterval is the time between two looks at the file of overrides.
const overridesInterval = 500 * time.Millisecond

// beginOverrides makes the overrides of the file hold, before anything is applied.
func (r *run) beginOverrides() error {
	path := r.o.OverridesFile
	if path != "" {
		all, err := ReadOverrides(path)
		if err == nil {
			err = r.override(all)
		}
		if err != nil {
			return err
		}
		r.overridesWatch, r.overridesAt = fileWatch{path: path, optional: true}, time.Now()
	}
	r.publish(func(s *Status) { s.OverridesError = "" })
	r.decided = r.Overrides()
	return nil
}

// readOverrides takes what the file of overrides has, if it has changed.
func (r *run) readOverrides() {
	r.deciding.Lock() // so that what is read is not older than what holds
	_, err := r.overridesWatch.look(func(text []byte) error {
		all, err := parseOverrides(text)
		if err == nil {
			err = r.override(all)
		}
		return err
	})
	r.deciding.Unlock()
	switch {
	case err != nil:
		r.overridesBroken = true
		r.publish(func(s *Status) { s.OverridesError = err.Error() })
		r.emit(OverridesBroken{err})
	case r.overridesBroken && r.overridesWatch.broken == "":
		r.overridesBroken = false
		r.publish(func(s *Status) { s.OverridesError = "" })
		r.emit(OverridesRecovered{})
	}
}

// reportOverrides reports what operators have decided and taken back.
func (r *run) reportOverrides() {
	was, is := r.decided, r.Overrides()
	r.decided = is
	before, after := overridesByServer(was), overridesByServer(is)
	for _, o := range is {
		if earlier, known := before[keyOfOverride(o)]; !known || earlier != o {
			r.emit(Overridden{o})
		}
	}
	ended := hasEnded(time.Now())
	for _, o := range was {
		if _, holds := after[keyOfOverride(o)]; !holds && !ended(o) {
			r.emit(TakenBack{o})
		}
	}
}

func overridesByServer(all []health.Override) map[driftKey]health.Override {
	byServer := make(map[driftKey]health.Override, len(all))
	for _, o := range all {
		byServer[keyOfOverride(o)] = o
	}
	return byServer
}
