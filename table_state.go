package lvs

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
)

// TableState is what a program remembers of the table that it applied: what in the
// kernel's table is its own. [ReadTableState] reads one from a file,
// [ApplyOptions.StateFile] keeps it there, and [TableOptions.Last] compares with it. The
// zero value owns nothing.
//
// In JSON it is an object with "version": 1, "applied" and "drains".
type TableState struct {
	// Applied is what was applied. While it is being applied, and after a change whose
	// outcome is unknown, it is that together with what was applied before: a service, a
	// real server or a field that one of the two has is the program's own.
	Applied Table `json:"applied"`

	// Drains are those that are under way. A real server that drains is in Applied too.
	Drains []Drain `json:"drains,omitempty"`
}

// Equal reports whether both states own the same, with the same drains in the same
// order.
func (s TableState) Equal(other TableState) bool {
	return s.Applied.Equal(other.Applied) && slices.EqualFunc(s.Drains, other.Drains, Drain.Equal)
}

const tableStateObject = "table state" // for errors

type plainTableState TableState // without its methods

type tableStateJSON struct {
	Version int `json:"version"`
	plainTableState
}

// MarshalJSON returns the state with the version of its format.
func (s TableState) MarshalJSON() ([]byte, error) {
	return json.Marshal(tableStateJSON{formatVersion, plainTableState(s)})
}

// UnmarshalJSON reads what MarshalJSON returns. Another version, or none, unknown
// fields, and services or real servers that are there twice match [ErrInvalid].
func (s *TableState) UnmarshalJSON(text []byte) error {
	var in tableStateJSON
	if err := unmarshalVersioned(tableStateObject, text, &in); err != nil {
		return err
	}
	read := TableState(in.plainTableState)
	if err := read.validate(); err != nil {
		return err.about(OpParse, tableStateObject)
	}
	*s = read
	return nil
}

// validate refuses a state in which it is not clear what is meant. Its values are not
// looked at: they may be those of two tables.
func (s TableState) validate() *Error {
	services := make(map[ServiceID]bool, len(s.Applied.Services))
	for i, service := range s.Applied.Services {
		path := fmt.Sprintf("applied.services[%d]", i)
		if !service.ID.IsValid() {
			return invalid(path+".id", "is missing")
		}
		if services[service.ID] {
			return invalid(path+".id", "%s is there twice", service.ID)
		}
		services[service.ID] = true
		servers := make(map[netip.AddrPort]bool, len(service.RealServers))
		for j, server := range service.RealServers {
			addr := unmap(server.Addr)
			if servers[addr] {
				return invalid(fmt.Sprintf("%s.realServers[%d].addr", path, j), "%s is there twice", addr)
			}
			servers[addr] = true
		}
	}
	return nil
}
