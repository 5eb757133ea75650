package lvs

import (
	"context"
	"fmt"
	"slices"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/wire"
)

// Snapshot reads the whole table: services, ordered by [ServiceID.Compare], and
// their real servers.
//
// The kernel does not report that a table changes while it is read. So Snapshot
// lists the services again at the end. If they have changed, it starts again, and
// keeps the servers of services that have not. After about a second it gives up
// with [ErrUnstable]. A change that the list of services does not show goes
// unnoticed: a real server that is added or removed at the same time may be missing
// or present.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	all, err := c.snapshot(ctx, func(ServiceID) bool { return true })
	return Snapshot{Services: all}, err
}

// snapshot reads all services, and the real servers of those that wants selects. wants
// may still be called when snapshot has returned.
func (c *Client) snapshot(ctx context.Context, wants func(ServiceID) bool) ([]ServiceEntry, error) {
	what := call{op: OpSnapshot}
	r := tableReading{wants: wants, room: int(c.listed.Load())}
	for round := range listRounds {
		last := r
		var err error
		if r, err = read(ctx, c, what.op, ServiceID{}, last.next); err != nil {
			return nil, err
		}
		if r.isConsistent {
			c.listed.Store(int32(len(r.entries)))
			return r.entries, nil
		}
		if err := pause(ctx, firstPause<<round); err != nil {
			return nil, what.explain(err)
		}
	}
	return nil, &Error{
		Op: what.op, kind: ErrUnstable, hint: "try again when fewer changes are made",
		detail: fmt.Sprintf("services changed during each of %d readings", listRounds),
	}
}

// tableReading is a reading of the whole table.
type tableReading struct {
	wants        func(ServiceID) bool // whose servers are read
	room         int                  // for how many services there is room at first
	entries      []ServiceEntry
	isConsistent bool // the services did not change while it was made
}

// next reads the table again, except for servers of services that have not changed.
func (t tableReading) next(r *genl.Reader) (tableReading, error) {
	read := tableReading{wants: t.wants, room: t.room, isConsistent: true}
	if err := read.listServices(r); err != nil {
		return read, err
	}
	if err := read.listServers(r, t.servers()); err != nil {
		return read, err
	}
	if err := read.confirm(r); err != nil {
		return read, err
	}
	read.sort()
	return read, nil
}

// servers returns the entries whose servers have been read.
func (t *tableReading) servers() map[ServiceID]*ServiceEntry {
	known := make(map[ServiceID]*ServiceEntry, len(t.entries))
	for i := range t.entries {
		if e := &t.entries[i]; t.wants(e.ID) {
			known[e.ID] = e
		}
	}
	return known
}

// listServices reads the services, in the kernel's order.
func (t *tableReading) listServices(r *genl.Reader) error {
	err := r.Dump(command(wire.CmdGetService), func(msg []byte) error {
		s, err := decodeService(msg)
		if len(t.entries) == cap(t.entries) {
			t.entries = slices.Grow(t.entries, max(1, t.room))
		}
		t.entries = append(t.entries, ServiceEntry{ServiceStatus: s})
		return err
	})
	return attempt(OpListServices, ServiceID{}, err)
}

// listServers reads the servers of the services, as far as they are not known.
func (t *tableReading) listServers(r *genl.Reader, known map[ServiceID]*ServiceEntry) error {
	var servers serverList
	for i := range t.entries {
		e := &t.entries[i]
		if !t.wants(e.ID) {
			continue
		}
		if k := known[e.ID]; k != nil && k.Service == e.Service {
			e.RealServers = k.RealServers
			continue
		}
		if err := servers.read(r, e.ID); err != nil {
			return err
		}
		e.RealServers = servers.inOrderAdded()
	}
	return nil
}

// confirm lists the services again, which the kernel does in the same order unless
// they have changed, and adopts their newer counters.
func (t *tableReading) confirm(r *genl.Reader) error {
	listed := 0
	err := r.Dump(command(wire.CmdGetService), func(msg []byte) error {
		s, err := decodeService(msg)
		if listed < len(t.entries) && t.isSame(&t.entries[listed].Service, &s.Service) {
			t.entries[listed].ServiceStatus = s
		} else {
			t.isConsistent = false
		}
		listed++
		return err
	})
	if listed != len(t.entries) {
		t.isConsistent = false
	}
	return attempt(OpListServices, ServiceID{}, err)
}

// isSame reports whether a service has not changed, as far as it matters.
func (t *tableReading) isSame(was, is *Service) bool {
	return *was == *is || was.ID == is.ID && !t.wants(is.ID)
}

// sort orders the services, and looks for one that the kernel has listed twice.
func (t *tableReading) sort() {
	sortByID(t.entries, func(e *ServiceEntry) ServiceID { return e.ID })
	for i := 1; i < len(t.entries); i++ {
		if t.entries[i].ID == t.entries[i-1].ID {
			t.isConsistent = false
		}
	}
}
