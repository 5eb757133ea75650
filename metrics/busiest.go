package metrics

import (
	"cmp"
	"slices"
	"time"
)

// stay is how long a real server that was selected stays so, at least.
const stay = 10 * time.Minute

// busiest selects the real servers with the most connections, and the same ones for
// some time.
type busiest struct {
	most  int                 // how many; 0 is all
	since map[thing]time.Time // when those that are selected were
}

// load is how busy a real server is.
type load struct {
	thing
	conns int
}

// compare orders the busiest first.
func (a load) compare(b load) int {
	return cmp.Or(cmp.Compare(b.conns, a.conns), a.service.Compare(b.service), a.server.Compare(b.server))
}

// choose returns which real servers are selected, nil for all.
func (b *busiest) choose(entries []entry, now time.Time) map[thing]time.Time {
	if b.most == 0 {
		return nil
	}
	var in, out []load
	left := map[thing]time.Time{}
	for _, e := range entries {
		for _, s := range e.servers {
			l := load{thing{e.ID, s.addr}, s.active + s.inactive}
			if since, ok := b.since[l.thing]; ok {
				left[l.thing] = since
				in = append(in, l)
			} else {
				out = append(out, l)
			}
		}
	}
	b.since = left
	slices.SortFunc(in, load.compare)
	slices.SortFunc(out, load.compare)
	for len(out) > 0 && len(b.since) < b.most {
		b.since[out[0].thing] = now
		out = out[1:]
	}
	b.replace(in, out, now)
	return b.since
}

// replace exchanges the least busy ones for others that are much busier, as far as they
// have stayed for long enough.
func (b *busiest) replace(in, out []load, now time.Time) {
	for i := len(in) - 1; i >= 0 && len(out) > 0; i-- {
		was, next := in[i], out[0]
		if next.conns*2 <= was.conns*3 {
			return
		}
		if now.Sub(b.since[was.thing]) < stay {
			continue
		}
		delete(b.since, was.thing)
		b.since[next.thing] = now
		out = out[1:]
	}
}
