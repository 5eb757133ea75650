package lvs

import (
	"slices"
	"strings"
)

// Snapshot is a table as the kernel has it: a [Table] with counters and counts. In JSON
// and YAML it is an object with "version": 1 and "services".
type Snapshot struct {
	Services []ServiceEntry // ordered by [ServiceID.Compare]
}

// Table returns the services and real servers without counters and counts, in the
// same order. The kernel can have what [Table.Validate] refuses, if another program made
// it; then the table cannot be a wanted one as it is.
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
