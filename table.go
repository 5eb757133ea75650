package lvs

import (
	"slices"
	"strings"
)

// Table is a wanted state of the kernel's table, or of a part of it: services with
// their real servers. The zero value has no services. [Client.Snapshot] reads a table
// from the kernel, and [Client.PlanTable] finds the changes that lead to one.
//
// In JSON and YAML a table is an object with "version": 1, which must be there, and
// "services". A field that is unknown or there twice matches [ErrInvalid], and the error
// names its path, such as "services[3].realServers[0].weigth". Reading a table does not
// validate it: see [Table.Validate].
type Table struct {
	Services []TableService // each ID only once, in any order
}

// TableService is a service of a [Table].
type TableService struct {
	Service `yaml:",inline"` // its fields are those of the object in JSON and YAML, beside realServers

	// RealServers are in the order in which they are added, on which the picks of some
	// schedulers depend. Each address is there only once.
	RealServers []RealServer `json:"realServers,omitempty" yaml:"realServers,omitempty"`
}

// Equal reports whether the kernel would see the same table, with real servers in the
// same order. The order of services does not count.
func (t Table) Equal(other Table) bool {
	return slices.EqualFunc(t.sorted(), other.sorted(), TableService.Equal)
}

func (t Table) sorted() []TableService {
	return slices.SortedFunc(slices.Values(t.Services), func(a, b TableService) int { return a.ID.Compare(b.ID) })
}

// String returns the services with their real servers, one a line.
func (t Table) String() string {
	lines := make([]string, len(t.Services))
	for i, s := range t.Services {
		lines[i] = s.String()
	}
	return strings.Join(lines, "\n")
}

// Equal reports whether the kernel would see the same service with the same real
// servers, in the same order.
func (s TableService) Equal(other TableService) bool {
	return s.Service.Equal(other.Service) && slices.EqualFunc(s.RealServers, other.RealServers, RealServer.Equal)
}

// String returns the service in one line, and below it each real server in another.
func (s TableService) String() string {
	var b strings.Builder
	b.WriteString(s.Service.String())
	for _, server := range s.RealServers {
		b.WriteString("\n  -> " + server.String())
	}
	return b.String()
}
