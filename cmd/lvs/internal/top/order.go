package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Sort is the order of services, and of servers in each.
type Sort int

// The orders.
const (
	ByRate Sort = iota // most new connections first
	ByActive
	ByAddress
	ByWeight // most first; services by the sum
	sorts
)

var sortNames = [...]string{ByRate: "rate", ByActive: "active", ByAddress: "address", ByWeight: "weight"}

// String returns the name.
func (s Sort) String() string { return sortNames[s] }

// MarshalText returns the name.
func (s Sort) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the name.
func (s *Sort) UnmarshalText(text []byte) error {
	i := slices.Index(sortNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("want one of %s", strings.Join(sortNames[:], ", "))
	}
	*s = Sort(i)
	return nil
}

// services returns the services in order.
func (s Sort) services(all []Service) []*Service {
	type ranked struct {
		*Service
		rank int
	}
	ranking := make([]ranked, len(all))
	for i := range all {
		ranking[i] = ranked{&all[i], s.rank(&all[i])}
	}
	slices.SortStableFunc(ranking, func(a, b ranked) int { return cmp.Compare(b.rank, a.rank) }) // by address before
	ordered := make([]*Service, len(all))
	for i, r := range ranking {
		ordered[i] = r.Service
	}
	return ordered
}

// rank returns a number that is larger for services that come first.
func (s Sort) rank(service *Service) (rank int) {
	switch s {
	case ByRate:
		return int(service.Stats.Rates.Conns)
	case ByActive:
		rank, _ = service.conns()
	case ByWeight:
		for i := range service.Servers {
			rank += service.Servers[i].Weight
		}
	}
	return rank
}

// servers orders servers, given by their places in the service.
func (s Sort) servers(service *Service, places []int) {
	rank := func(server *Server) int {
		switch {
		case s == ByRate && server.Details != nil:
			return int(server.Details.Stats.Rates.Conns)
		case s == ByActive:
			return server.Active
		case s == ByWeight:
			return server.Weight
		}
		return 0
	}
	slices.SortFunc(places, func(i, j int) int {
		a, b := &service.Servers[i], &service.Servers[j]
		return cmp.Or(cmp.Compare(rank(b), rank(a)), a.Addr.Compare(b.Addr))
	})
}
