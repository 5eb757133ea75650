package lvs

import (
	"context"
	"errors"
	"fmt"
)

// ServiceEntry is a service with its real servers, as [Client.Snapshot] finds
// them.
type ServiceEntry struct {
	ServiceStatus
	Servers []RealServerStatus `json:"servers" yaml:"servers"` // in the order in which they were added
}

// snapshotRounds is how often a snapshot reads again what changed before it
// gives up.
const snapshotRounds = 5

// Snapshot reads the whole table: services, ordered by [ServiceID.Compare], and
// their real servers.
//
// The kernel does not say when a table changes while it is read. So Snapshot
// reads the services again at the end, reads the servers again of those that
// changed meanwhile, and after some rounds of that gives up with [ErrUnstable].
// What leaves no trace in the list of services cannot be seen: a real server
// that is added or removed meanwhile may or may not be there.
func (c *Client) Snapshot(ctx context.Context) ([]ServiceEntry, error) {
	return c.snapshot(ctx, c.Services)
}

// snapshot reads the services that a listing has.
func (c *Client) snapshot(ctx context.Context, list func(context.Context) ([]ServiceStatus, error)) ([]ServiceEntry, error) {
	services, err := list(ctx)
	if err != nil {
		return nil, err
	}
	known := make(map[ServiceID]ServiceEntry, len(services))
	for range snapshotRounds {
		if err := c.readServers(ctx, services, known); err != nil {
			return nil, err
		}
		again, err := list(ctx)
		if err != nil {
			return nil, err
		}
		if table, ok := assemble(again, known); ok {
			return table, nil
		}
		services = again
	}
	return nil, &Error{
		Op: OpSnapshot, kind: ErrUnstable, hint: "try again when fewer changes are made",
		detail: fmt.Sprintf("services changed during each of %d readings", snapshotRounds),
	}
}

// readServers reads the servers of the services that are not known as they are.
// One that was removed meanwhile is left out; the next round tells.
func (c *Client) readServers(ctx context.Context, services []ServiceStatus, known map[ServiceID]ServiceEntry) error {
	for _, s := range services {
		if entry, ok := known[s.ID]; ok && entry.Service == s.Service {
			continue
		}
		servers, err := c.RealServers(ctx, s.ID)
		if errors.Is(err, ErrNotFound) {
			delete(known, s.ID)
			continue
		}
		if err != nil {
			return err
		}
		known[s.ID] = ServiceEntry{s, servers}
	}
	return nil
}

// assemble puts the newest reading of the services together with what is known
// of their servers. It fails when a service is not known as it is now.
func assemble(services []ServiceStatus, known map[ServiceID]ServiceEntry) ([]ServiceEntry, bool) {
	table := make([]ServiceEntry, 0, len(services))
	for _, s := range services {
		entry, ok := known[s.ID]
		if !ok || entry.Service != s.Service {
			return nil, false
		}
		table = append(table, ServiceEntry{s, entry.Servers})
	}
	return table, true
}
