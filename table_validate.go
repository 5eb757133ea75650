package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// TableError is the error of [Table.Validate], and of a table that [ParseTable] refuses.
// [errors.Is] and [errors.As] match it if they match any of its problems, as with
// [errors.Join].
type TableError struct {
	// Problems are all that is wrong with the table, in its order. There is at least
	// one. Each matches [ErrInvalid], and its Field is the path of what is wrong in
	// JSON and YAML, such as "services[3].realServers[0].mode".
	Problems []*Error
}

// Error returns the first problems, one a line. The error of a single problem reads as
// the problem does.
func (e *TableError) Error() string {
	const shown = 10
	if len(e.Problems) == 1 {
		return e.Problems[0].Error()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "lvs: the table has %d problems", len(e.Problems))
	for _, p := range e.Problems[:min(shown, len(e.Problems))] {
		b.WriteString("\n\t" + strings.TrimPrefix(p.Error(), "lvs: "+OpValidate.words()+" "))
	}
	if more := len(e.Problems) - shown; more > 0 {
		fmt.Fprintf(&b, "\n\tand %d more", more)
	}
	return b.String()
}

// Unwrap returns the problems.
func (e *TableError) Unwrap() []error {
	all := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p
	}
	return all
}

// Validate returns a [*TableError] with all problems of the table, or nil. They are:
//
//   - what [Service.Validate] and [RealServer.Validate] refuse;
//   - a service, or a real server of a service, that is there twice;
//   - [HashFallback] or [HashPort] with a scheduler of Linux other than [SH] and [MH],
//     on which they have no effect;
//   - the persistence engine "sip" for a service that is not for UDP, where it makes
//     the kernel drop every connection.
//
// A scheduler that is not part of Linux may use any flag. The kernel may refuse a valid
// table, such as one with a scheduler that it does not have.
func (t Table) Validate() error {
	if all := t.problems(); len(all) > 0 {
		return &TableError{all}
	}
	return nil
}

func (t Table) problems() problems {
	v := tableValidator{services: make(map[ServiceID]int, len(t.Services))}
	for i, s := range t.Services {
		v.service(i, s)
	}
	return v.problems
}

// tableValidator collects the problems of a table.
type tableValidator struct {
	services map[ServiceID]int // index of the first service of each ID
	problems problems
}

func (v *tableValidator) service(i int, s TableService) {
	found := s.problems(nil)
	found.add(s.flagsProblem())
	found.add(s.engineProblem())
	if first, twice := v.services[s.ID]; twice && s.ID.IsValid() {
		found.add(invalid("ID", "is already the ID of services[%d]", first))
	} else {
		v.services[s.ID] = i
	}
	for _, bad := range found {
		bad.Field = fmt.Sprintf("services[%d].%s", i, pathOf(bad.Field))
		v.problems.add(bad.about(OpValidate, s.ID.String()))
	}
	v.realServers(i, s)
}

func (v *tableValidator) realServers(i int, s TableService) {
	again := repeated(s.RealServers)
	for j, server := range s.RealServers {
		found := server.problems(s.ID, nil)
		if len(again) > 0 && again[0].at == j {
			if server.Addr.IsValid() {
				found.add(invalid("Addr", "is already the address of services[%d].realServers[%d]", i, again[0].first))
			}
			again = again[1:]
		}
		for _, bad := range found {
			bad.Field = fmt.Sprintf("services[%d].realServers[%d].%s", i, j, pathOf(bad.Field))
			v.problems.add(bad.about(OpValidate, s.ID.String()+" -> "+server.Addr.String()))
		}
	}
}

// repetition is a real server whose address an earlier one has, by their indexes.
type repetition struct{ at, first int }

// repeated returns the repetitions of real servers, in order.
func repeated(servers []RealServer) (again []repetition) {
	const few = 16 // are compared sooner than entered into a map
	if len(servers) <= few {
		var addrs [few]netip.AddrPort
		for j := range servers {
			addrs[j] = unmap(servers[j].Addr)
			if k := slices.Index(addrs[:j], addrs[j]); k >= 0 {
				again = append(again, repetition{j, k})
			}
		}
		return again
	}
	first := make(map[netip.AddrPort]int, len(servers))
	for j := range servers {
		addr := unmap(servers[j].Addr)
		if k, twice := first[addr]; twice {
			again = append(again, repetition{j, k})
		} else {
			first[addr] = j
		}
	}
	return again
}

// pathOf returns the name in JSON and YAML of a field of a service or real server.
func pathOf(field string) string {
	name, _, _ := strings.Cut(field, ".") // a persistence is one text
	if name == "ID" {
		return "id"
	}
	return strings.ToLower(name[:1]) + name[1:]
}

// flagless are the schedulers of Linux that have no flags.
var flagless = []Scheduler{"", RR, WRR, LC, WLC, SED, NQ, FO, OVF, LBLC, LBLCR, DH, TWOS, NoScheduler}

// flagsProblem refuses the flags of SH and MH on schedulers that do not look at them.
func (s Service) flagsProblem() *Error {
	if flags := s.SchedulerFlags & (HashFallback | HashPort); flags != 0 && slices.Contains(flagless, s.Scheduler) {
		return invalid("SchedulerFlags", "%s is for the schedulers %s and %s, and has no effect on %s", flags, SH, MH, s.normal().Scheduler)
	}
	return nil
}

// engineProblem refuses the engine that reads SIP in UDP packets for other services.
func (s Service) engineProblem() *Error {
	if s.Persistence.Engine == "sip" && s.ID.IsValid() && s.ID.mark == 0 && s.ID.protocol != ProtocolUDP {
		return invalid("Persistence", `the engine "sip" is for UDP: with it, the kernel would drop every connection of %s`, s.ID.protocol)
	}
	return nil
}
