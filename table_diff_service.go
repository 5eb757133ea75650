package lvs

import (
	"iter"
	"net/netip"
)

// serviceDiff is the comparison of one service.
type serviceDiff struct {
	*tableDiff
	id     ServiceID
	is     liveService // the zero value if it does not exist
	want   *TableService
	was    lastService      // applied last
	begin  [tablePhases]int // where the steps of the service begin
	ending []netip.AddrPort // real servers whose drains go on

	service Service        // as it will be
	wanted  []wantedServer // in the wanted order
	extra   []*RealServer  // the others
}

// wantedServer is a real server as it will be.
type wantedServer struct {
	RealServer
	is *RealServer // nil if it does not exist
	at int         // its place in the order in which real servers were added
}

func (d *tableDiff) begin(id ServiceID, is liveService, want *TableService) *serviceDiff {
	s := &serviceDiff{tableDiff: d, id: id, is: is, want: want, was: d.last.services[id]}
	for phase, steps := range d.phases {
		s.begin[phase] = len(steps)
	}
	return s
}

// missingService adds a service that does not exist.
func (d *tableDiff) missingService(want *TableService) {
	s := d.begin(want.ID, liveService{}, want)
	s.step(phaseAdd, TableStep{Change: AddService(want.Service)})
	for _, server := range want.RealServers {
		s.step(phaseAdd, TableStep{Change: AddRealServer(s.id, server)})
	}
	s.end()
}

// service changes a service that exists to what is wanted.
func (d *tableDiff) service(is *liveService, want *TableService) {
	if is.equal(want) && !d.last.drains(want.ID) {
		d.found = append(d.found, foundService{ID: want.ID, Was: is.digest(nil)})
		return
	}
	s := d.begin(want.ID, *is, want)
	s.service = s.mergeService(*is.service, want.Service, &s.was)
	if !s.service.Equal(*is.service) {
		s.step(phaseEdit, TableStep{Change: UpdateService(s.service), Was: AddService(*is.service)})
	}
	s.match()
	for _, server := range s.extra {
		s.removeServer(server)
	}
	s.order()
	s.end()
}

// match finds the wanted real servers among those that exist.
func (s *serviceDiff) match() {
	s.wanted = make([]wantedServer, len(s.want.RealServers))
	at := s.places()
	for i, server := range s.want.RealServers {
		server.Addr = unmap(server.Addr)
		s.wanted[i] = wantedServer{RealServer: server}
		place, exists := at[server.Addr]
		if at == nil {
			place, exists = i, i < s.is.len()
		}
		if exists {
			is := s.is.server(place)
			s.wanted[i] = wantedServer{s.mergeServer(*is, server, &s.was), is, place}
			delete(at, server.Addr)
		}
	}
	for i := range s.is.len() {
		server := s.is.server(i)
		if _, unwanted := at[unmap(server.Addr)]; unwanted {
			s.extra = append(s.extra, server)
		}
	}
}

// places returns the places of the real servers that exist, or nil if these are the
// first of the wanted ones, in the same order, which is the most frequent case.
func (s *serviceDiff) places() map[netip.AddrPort]int {
	n, same := s.is.len(), 0
	for same < min(n, len(s.want.RealServers)) && unmap(s.is.server(same).Addr) == unmap(s.want.RealServers[same].Addr) {
		same++
	}
	if same == n {
		return nil
	}
	at := make(map[netip.AddrPort]int, n)
	for i := range n {
		at[unmap(s.is.server(i).Addr)] = i
	}
	return at
}

// removeServer removes a real server that is not wanted, unless another program added
// it or a drain will remove it.
func (s *serviceDiff) removeServer(server *RealServer) {
	addr := unmap(server.Addr)
	switch {
	case s.was.drains(server):
		s.ending = append(s.ending, addr)
	case !s.last.given || s.was.owns(addr):
		s.step(s.removal(), TableStep{Change: RemoveRealServer(s.id, addr), Was: AddRealServer(s.id, *server), Drain: s.Drain})
	}
}

// removal returns the phase of removals.
func (d *tableDiff) removal() tablePhase {
	if d.Drain > 0 {
		return phaseDrain
	}
	return phaseRemove
}

// unwantedService removes a service that is in scope and not wanted, if it may.
func (d *tableDiff) unwantedService(is *liveService) {
	id := is.service.ID
	was := d.last.services[id]
	switch applied := was.service.ID.IsValid(); {
	case was.ends(is) || !d.Scope.Contains(id, d.last.knows(id)):
	case !d.Prune || d.last.given && !applied:
		d.unwanted = append(d.unwanted, id)
	default:
		d.begin(id, *is, nil).prune()
	}
}

// prune removes the service, or what of it is the program's own.
func (s *serviceDiff) prune() {
	if s.hasOthers() {
		s.unwanted = append(s.unwanted, s.id)
		for i := range s.is.len() {
			s.removeServer(s.is.server(i))
		}
	} else {
		s.removeService()
	}
	s.end()
}

// hasOthers reports whether the service has real servers of another program.
func (s *serviceDiff) hasOthers() bool {
	if !s.last.given {
		return false
	}
	for i := range s.is.len() {
		if server := s.is.server(i); !s.was.drains(server) && !s.was.owns(unmap(server.Addr)) {
			return true
		}
	}
	return false
}

// removeService removes the service with its real servers, of which some may be
// draining already.
func (s *serviceDiff) removeService() {
	step := TableStep{Change: RemoveService(s.id), Was: AddService(*s.is.service), RealServers: s.is.servers()}
	phase := phaseRemove
	if len(step.RealServers) > 0 {
		phase, step.Drain = s.removal(), s.Drain
	}
	for i := range step.RealServers {
		if server := &step.RealServers[i]; s.was.drains(server) {
			s.ending = append(s.ending, unmap(server.Addr))
		}
	}
	s.step(phase, step)
}

func (s *serviceDiff) step(phase tablePhase, step TableStep) {
	s.phases[phase] = append(s.phases[phase], step)
}

// steps returns the steps of the service, in order.
func (s *serviceDiff) steps() iter.Seq[*TableStep] {
	return func(yield func(*TableStep) bool) {
		for phase, begin := range s.begin {
			own := s.phases[phase][begin:]
			for i := range own {
				if !yield(&own[i]) {
					return
				}
			}
		}
	}
}

// end notes how the service was found, and how it is after each of its steps.
func (s *serviceDiff) end() {
	found := foundService{ID: s.id, Was: s.is.digest(s.ending), Ending: s.ending}
	state := &s.state
	state.reset(&s.is, s.ending)
	n := 0
	for phase, begin := range s.begin {
		n += len(s.phases[phase]) - begin
	}
	found.Way = make([]uint64, 0, n)
	for step := range s.steps() {
		found.Way = append(found.Way, state.after(step))
	}
	s.found = append(s.found, found)
}
