package top

import (
	"context"
	"time"

	"github.com/golvs/lvs"
)

// statesTime is how long connections are counted at most, and fewConns are so many that
// counting them costs little.
const (
	statesTime = 2 * time.Second
	fewConns   = 20_000
)

// States counts connections by state. It stops when that takes too long.
func (r *Reader) States(ctx context.Context) (*States, error) {
	began := time.Now()
	states := &States{At: began, Counts: map[lvs.ConnState]int{}}
	for c, err := range r.Host.Connections(ctx, lvs.ConnectionFilter{Templates: lvs.ConnectionsOnly}) {
		if err != nil {
			return nil, err
		}
		if c.IsTemplate() {
			continue
		}
		states.Counts[c.State]++
		if time.Since(began) > statesTime {
			states.Partial = true
			break
		}
	}
	return states, nil
}

// isSmall reports whether counting the connections costs little.
func (m *Model) isSmall() bool {
	all := 0
	for i := range m.Reading.Services {
		active, inactive := m.Reading.Services[i].conns()
		all += active + inactive
	}
	return all <= fewConns
}
