package lvs

import (
	"cmp"
	"net/netip"
)

// tableClaim says what of a service or a real server is the program's own.
type tableClaim uint8

const (
	claimBoth  tableClaim = iota // what was applied before, and what is wanted
	claimWant                    // what is wanted, so nothing if it is not
	claimPrior                   // what was applied before
)

// tableOwner decides what of each service and real server is the program's own. A key
// without a real server is that of the service.
type tableOwner func(key serverKey, wanted bool) tableClaim

// own returns the part of two tables that is the program's own: of what is wanted, and of
// what was applied before.
func (o tableOwner) own(want, prior Table) (own Table) {
	before := make(map[ServiceID]*TableService, len(prior.Services))
	for i := range prior.Services {
		before[prior.Services[i].ID] = &prior.Services[i]
	}
	for i := range want.Services {
		id := want.Services[i].ID
		own.Services = o.appendService(own.Services, id, &want.Services[i], before[id])
		delete(before, id)
	}
	for i := range prior.Services {
		if id := prior.Services[i].ID; before[id] != nil {
			own.Services = o.appendService(own.Services, id, nil, before[id])
		}
	}
	return own
}

// appendService appends what is owned of a service. Either value may be nil.
func (o tableOwner) appendService(all []TableService, id ServiceID, want, prior *TableService) []TableService {
	var wantService, priorService *Service
	var wantServers, priorServers []RealServer
	if want != nil {
		wantService, wantServers = &want.Service, want.RealServers
	}
	if prior != nil {
		priorService, priorServers = &prior.Service, prior.RealServers
	}
	service, ok := owned(o(serverKey{service: id}, want != nil), wantService, priorService, ownedService)
	if !ok {
		return all
	}
	return append(all, TableService{service, o.servers(id, wantServers, priorServers)})
}

func (o tableOwner) servers(id ServiceID, want, prior []RealServer) (own []RealServer) {
	before := make(map[netip.AddrPort]*RealServer, len(prior))
	for i := range prior {
		before[unmap(prior[i].Addr)] = &prior[i]
	}
	add := func(addr netip.AddrPort, want, prior *RealServer) {
		if s, ok := owned(o(serverKey{id, addr}, want != nil), want, prior, ownedServer); ok {
			own = append(own, s)
		}
	}
	for i := range want {
		addr := unmap(want[i].Addr)
		add(addr, &want[i], before[addr])
		delete(before, addr)
	}
	for i := range prior {
		if addr := unmap(prior[i].Addr); before[addr] != nil {
			add(addr, nil, before[addr])
		}
	}
	return own
}

// owned returns what is owned of a value that is wanted, or was applied before, or both.
func owned[T any](claim tableClaim, want, prior *T, both func(want, prior T) T) (own T, ok bool) {
	switch claim {
	case claimWant:
		prior = nil
	case claimPrior:
		want = nil
	}
	switch {
	case want != nil && prior != nil:
		return both(*want, *prior), true
	case want != nil:
		return *want, true
	case prior != nil:
		return *prior, true
	}
	return own, false
}

// ownedService returns a service with each field that is set in one of the two: a field
// that is zero in what was applied last is another program's.
func ownedService(want, prior Service) Service {
	want.Scheduler = cmp.Or(want.Scheduler, prior.Scheduler)
	want.SchedulerFlags |= prior.SchedulerFlags
	if want.Persistence == (Persistence{}) {
		want.Persistence = prior.Persistence
	}
	want.OnePacket = want.OnePacket || prior.OnePacket
	return want
}

// ownedServer does for a real server what ownedService does for a service. Its mode and
// its weight are always the program's own.
func ownedServer(want, prior RealServer) RealServer {
	if want.UpperThreshold == 0 && want.LowerThreshold == 0 {
		want.UpperThreshold, want.LowerThreshold = prior.UpperThreshold, prior.LowerThreshold
	}
	return want
}
