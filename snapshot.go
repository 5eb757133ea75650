package lvs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Snapshot is a table as the kernel has it: a [Table] with counters and counts. In JSON
// and YAML it is an object with "version": 1 and "services".
type Snapshot struct {
	Services []ServiceEntry // ordered by [ServiceID.Compare]
}

// Table returns the services and real servers without counters and counts, in the
// same order.
func (s Snapshot) Table() Table {
	t := Table{Services: make([]TableService, len(s.Services))}
	for i, e := range s.Services {
		t.Services[i] = e.tableService()
	}
	return t
}

// Equal reports whether the services and real servers are equal, in the same order,
// and so are all counters and counts.
func (s Snapshot) Equal(other Snapshot) bool {
	return slices.EqualFunc(s.Services, other.Services, ServiceEntry.Equal)
}

// String returns the services with their real servers, one a line, with all counters.
func (s Snapshot) String() string {
	lines := make([]string, len(s.Services))
	for i, e := range s.Services {
		lines[i] = e.String()
	}
	return strings.Join(lines, "\n")
}

// ServiceEntry is a service with its real servers, as the kernel has them.
type ServiceEntry struct {
	ServiceStatus `yaml:",inline"`

	RealServers []RealServerStatus `json:"realServers" yaml:"realServers"` // in the order in which they were added
}

func (e ServiceEntry) tableService() TableService {
	s := TableService{Service: e.Service, RealServers: make([]RealServer, len(e.RealServers))}
	for i, server := range e.RealServers {
		s.RealServers[i] = server.RealServer
	}
	return s
}

// Equal reports whether the services are equal, and so are their real servers,
// in the same order, and all counters.
func (e ServiceEntry) Equal(other ServiceEntry) bool {
	return e.ServiceStatus.Equal(other.ServiceStatus) &&
		slices.EqualFunc(e.RealServers, other.RealServers, RealServerStatus.Equal)
}

// String returns the service in one line, and below it each real server in
// another, with all counters.
func (e ServiceEntry) String() string {
	var b strings.Builder
	b.WriteString(e.ServiceStatus.String())
	for _, s := range e.RealServers {
		b.WriteString("\n  -> " + s.String())
	}
	return b.String()
}

// snapshotRounds is how many times a snapshot reads the services before it gives
// up.
const snapshotRounds = 5

// Snapshot reads the whole table: services, ordered by [ServiceID.Compare], and
// their real servers.
//
// The kernel does not report that a table changes while it is read. So Snapshot
// lists the services again at the end, and reads the servers of those that have
// changed once more. After some rounds it gives up with [ErrUnstable]. A change
// that the list of services does not show goes unnoticed: a real server that is
// added or removed at the same time may be missing or present.
func (c *Client) Snapshot(ctx context.Context) (Snapshot, error) {
	all, err := c.snapshot(ctx, c.Services)
	return Snapshot{Services: all}, err
}

// snapshot reads the services that list returns.
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

// readServers reads the servers of the services that are not known, or have
// changed. It leaves out services that have been removed; the next round notices.
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

// assemble joins the newest list of services with the servers that are known. It
// reports false if one of the services has changed since its servers were read.
func assemble(services []ServiceStatus, known map[ServiceID]ServiceEntry) ([]ServiceEntry, bool) {
	table := make([]ServiceEntry, 0, len(services))
	for _, s := range services {
		entry, ok := known[s.ID]
		if !ok || entry.Service != s.Service {
			return nil, false
		}
		table = append(table, ServiceEntry{s, entry.RealServers})
	}
	return table, true
}
