package lvs

import (
	"net/netip"
	"slices"
)

// Scope says which services a program owns. The table has no owners, so whoever
// compares it with what is wanted must say which services are its own: no other one is
// touched. The zero value contains the services that are wanted, and those of
// [TableOptions.Last]. No scope contains others that carry health checks: see
// [ServiceID.IsProbe].
type Scope struct {
	// contains reports whether a service is in the scope; known is whether it is wanted
	// or in Last. It is nil in the zero value.
	contains func(id ServiceID, known bool) bool
}

// Contains reports whether the scope contains a service; known is whether it is wanted
// or in [TableOptions.Last], which decides for the zero value.
func (s Scope) Contains(id ServiceID, known bool) bool {
	if s.contains == nil || id.IsProbe() && !known {
		return known
	}
	return s.contains(id, known)
}

// ScopeAll returns the scope of all services, for a program that is the only one that
// writes the table.
func ScopeAll() Scope { return ScopeFunc(func(ServiceID) bool { return true }) }

// ScopeServices returns the scope of certain services.
func ScopeServices(ids ...ServiceID) Scope {
	all := make(map[ServiceID]bool, len(ids))
	for _, id := range ids {
		all[id] = true
	}
	return ScopeFunc(func(id ServiceID) bool { return all[id] })
}

// ScopeVIPs returns the scope of the services whose VIP is in one of the prefixes.
// Services of a firewall mark have no VIP.
func ScopeVIPs(prefixes ...netip.Prefix) Scope {
	prefixes = slices.Clone(prefixes)
	return ScopeFunc(func(id ServiceID) bool {
		return id.FWMark() == 0 && slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(id.AddrPort().Addr()) })
	})
}

// ScopeMarks returns the scope of the services of the firewall marks first to last, of
// both address families.
func ScopeMarks(first, last uint32) Scope {
	return ScopeFunc(func(id ServiceID) bool { return id.FWMark() != 0 && first <= id.FWMark() && id.FWMark() <= last })
}

// ScopeAny returns the scope of the services that are in one of the scopes. Without
// scopes, it contains none.
func ScopeAny(scopes ...Scope) Scope {
	scopes = slices.Clone(scopes)
	return Scope{func(id ServiceID, known bool) bool {
		return slices.ContainsFunc(scopes, func(s Scope) bool { return s.Contains(id, known) })
	}}
}

// ScopeFunc returns the scope of the services for which contains returns true. It may
// be called from any goroutine, and must always return the same for the same service.
func ScopeFunc(contains func(ServiceID) bool) Scope {
	return Scope{func(id ServiceID, _ bool) bool { return contains(id) }}
}
