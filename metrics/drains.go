package metrics

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

var (
	drains    = gauge("lvs_drains", "Drains that are under way.")
	drainLeft = gauge("lvs_drain_remaining_seconds", "Time until what drains is removed with its connections; less than 0 if no program has done so. "+
		"Without a real server, the whole service drains, or real servers have no metrics.", "real_server", "service")
)

// drainEnd is when what has a name has drained.
type drainEnd struct {
	name
	deadline time.Time
}

// compare orders those that last longest first.
func (a drainEnd) compare(b drainEnd) int {
	return cmp.Or(b.deadline.Compare(a.deadline), cmp.Compare(a.service, b.service), cmp.Compare(a.server, b.server))
}

// addDrains shows drains. Those that have the same name are one, which ends when the last
// of them does. Of the busiest real servers, as many drains are shown, those that last
// longest.
func (s *scrape) addDrains(all []lvs.Drain) {
	s.addWith(drains, float64(len(all)))
	last := map[name]time.Time{}
	for _, d := range all {
		n := s.o.nameOf(d)
		if t, ok := last[n]; !ok || t.Before(d.Deadline) {
			last[n] = d.Deadline
		}
	}
	ends := make([]drainEnd, 0, len(last))
	for n, deadline := range last {
		ends = append(ends, drainEnd{n, deadline})
	}
	slices.SortFunc(ends, drainEnd.compare)
	if most := s.o.Servers.busiest; most > 0 {
		ends = ends[:min(most, len(ends))]
	}
	for _, e := range ends {
		s.addWith(drainLeft, e.deadline.Sub(s.start).Seconds(), e.server, e.service)
	}
}

// nameOf returns the labels of what drains.
func (o *Options) nameOf(d lvs.Drain) name {
	n := name{service: d.Service.String()}
	if o.ServiceName != nil {
		n.service = cmp.Or(o.ServiceName(d.Service), n.service)
	}
	if !d.RealServer.IsValid() || o.Servers.none {
		return n
	}
	n.server = d.RealServer.String()
	if o.ServerName != nil {
		n.server = cmp.Or(o.ServerName(d.Service, d.RealServer), n.server)
	}
	return n
}

// stateFile is a state file as it was read last.
type stateFile struct {
	info   fs.FileInfo // nil if it does not exist, or was not read
	drains []lvs.Drain
}

// drainsOfFile shows the drains of the state file. Because it has the whole table as well,
// it is read only if it has changed.
func (s *scrape) drainsOfFile() error {
	info, err := os.Stat(s.o.StateFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if was := s.state.info; err != nil || was == nil || !os.SameFile(was, info) || !was.ModTime().Equal(info.ModTime()) || was.Size() != info.Size() {
		s.state = stateFile{}
		state, err := lvs.ReadTableState(s.o.StateFile)
		if err != nil {
			return err
		}
		s.state = stateFile{info, state.Drains}
	}
	s.addDrains(s.state.drains)
	return nil
}
