package workload

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/golvs/lvs"
)

// follow notes what something else has changed in the service: see
// [Workload.Wait].
func (r *run) follow() error {
	if len(r.sim.Changes()) == 0 {
		return nil
	}
	servers, err := r.client.RealServers(r.ctx, r.Service)
	if err != nil {
		return fmt.Errorf("workload: %w", err)
	}
	d := r.beginDisruption()
	listed := make(map[netip.AddrPort]bool, len(servers))
	for _, s := range servers {
		listed[s.Addr] = true
		if event := r.seen(s.RealServer); event != "" {
			d.Events = append(d.Events, event)
		}
	}
	for _, b := range r.backends {
		if b.inTable && !listed[b.Addr] {
			b.inTable = false
			r.cut(b)
			d.Events = append(d.Events, occurrenceNames[remove]+" "+b.Addr.String())
		}
	}
	if len(d.Events) == 0 {
		r.shares = r.weightShares()
		return nil
	}
	r.endDisruption(d, true)
	return nil
}

// seen notes a real server as it is in the table now. It returns an event in words if the
// server began to get connections or gets none any more; steps of its weight are not
// events.
func (r *run) seen(s lvs.RealServer) string {
	b := r.backend(s)
	was := b.effective()
	b.Weight, b.inTable = s.Weight, true
	switch {
	case was == 0 && s.Weight > 0:
		return occurrenceNames[weigh] + " " + s.Addr.String() + " " + strconv.Itoa(s.Weight)
	case was > 0 && s.Weight == 0:
		return occurrenceNames[drain] + " " + s.Addr.String()
	}
	return ""
}
