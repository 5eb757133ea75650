package lvs

import "net/netip"

// serviceDiff is the comparison of one service.
type serviceDiff struct {
	*tableDiff
	id     ServiceID
	is     liveService // the zero value if it does not exist
	want   *TableService
	last   lastService
	phases [tablePhases][]TableStep
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
	return &serviceDiff{tableDiff: d, id: id, is: is, want: want, last: d.last.services[id]}
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
func (d *tableDiff) service(is *liveService, want *TableService) error {
	if is.equal(want) && !d.last.given {
		d.found = append(d.found, foundService{ID: want.ID, Was: is.digest(nil)})
		return nil
	}
	s := d.begin(want.ID, *is, want)
	s.service = s.mergeService(*is.service, want.Service, &s.last)
	if !s.service.Equal(*is.service) {
		s.step(phaseEdit, TableStep{Change: UpdateService(s.service), Was: AddService(*is.service)})
	}
	if err := s.match(); err != nil {
		return err
	}
	for _, server := range s.extra {
		s.removeServer(server)
	}
	s.order()
	s.end()
	return nil
}

// match finds the wanted real servers among those that exist.
func (s *serviceDiff) match() error {
	at := make(map[netip.AddrPort]int, s.is.len())
	for i := range s.is.len() {
		addr := unmap(s.is.server(i).Addr)
		if _, twice := at[addr]; twice {
			return planError(invalid("have", "has %s twice in %s", addr, s.id))
		}
		at[addr] = i
	}
	s.wanted = make([]wantedServer, len(s.want.RealServers))
	for i, server := range s.want.RealServers {
		server.Addr = unmap(server.Addr)
		s.wanted[i] = wantedServer{RealServer: server}
		if j, ok := at[server.Addr]; ok {
			is := s.is.server(j)
			s.wanted[i] = wantedServer{s.mergeServer(*is, server, &s.last), is, j}
			delete(at, server.Addr)
		}
	}
	for i := range s.is.len() {
		server := s.is.server(i)
		if _, unwanted := at[unmap(server.Addr)]; unwanted {
			s.extra = append(s.extra, server)
		}
	}
	return nil
}

// removeServer removes a real server that is not wanted, unless another program added
// it or a drain will remove it.
func (s *serviceDiff) removeServer(server *RealServer) {
	addr := unmap(server.Addr)
	switch {
	case s.last.drains(server):
		s.ending = append(s.ending, addr)
	case !s.tableDiff.last.given || s.last.owns(addr):
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
	s := d.begin(id, *is, nil)
	switch applied := s.last.service.ID.IsValid(); {
	case s.last.ends(is) || !d.Scope.Contains(id, d.last.knows(id)):
	case !d.Prune || d.last.given && !applied:
		d.unwanted = append(d.unwanted, id)
	case s.hasOthers():
		d.unwanted = append(d.unwanted, id)
		for i := range is.len() {
			s.removeServer(is.server(i))
		}
		s.end()
	default:
		s.removeService()
		s.end()
	}
}

// hasOthers reports whether the service has real servers of another program.
func (s *serviceDiff) hasOthers() bool {
	if !s.tableDiff.last.given {
		return false
	}
	for i := range s.is.len() {
		if server := s.is.server(i); !s.last.drains(server) && !s.last.owns(unmap(server.Addr)) {
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
		if server := &step.RealServers[i]; s.last.drains(server) {
			s.ending = append(s.ending, unmap(server.Addr))
		}
	}
	s.step(phase, step)
}

func (s *serviceDiff) step(phase tablePhase, step TableStep) {
	s.phases[phase] = append(s.phases[phase], step)
}

// end adds the steps of the service to the plan, and how it was found.
func (s *serviceDiff) end() {
	found := foundService{ID: s.id, Was: s.is.digest(s.ending), Ending: s.ending}
	state := newServiceDigest(&s.is, s.ending)
	for phase, steps := range s.phases {
		for i := range steps {
			found.Way = append(found.Way, state.after(&steps[i]))
		}
		s.tableDiff.phases[phase] = append(s.tableDiff.phases[phase], steps...)
	}
	s.found = append(s.found, found)
}
