package lvs

import (
	"fmt"
	"strings"
)

// The sentences on services.

func (n *noter) serviceAdded(of Service) []string {
	id := of.ID
	const refused = "; they are refused until a real server is added."
	conns, from := connNoun(id)+"s", "the director's own stack"
	switch catchAll := allPorts(id.Protocol(), id.AddrPort().Addr()); {
	case of.Scheduler == NoScheduler:
		return sentences("It has no scheduler, so it refuses all new " + conns + ".")
	case id.FWMark() != 0:
		return sentences("New " + conns + " of packets with the mark come here from now on" + refused)
	case id == catchAll:
		conns += " to all ports without a service"
	case n.service(catchAll) != nil:
		conns += fmt.Sprintf(" to port %d", id.AddrPort().Port())
		from = catchAll.String()
	}
	return sentences("New " + conns + " come here, and no longer to " + from + refused)
}

func (n *noter) serviceRemoved(of *notedService) []string {
	return sentences(n.cutAll(of), n.goElsewhere(of.ID))
}

// cutAll returns what happens to the connections of a service that is removed.
func (n *noter) cutAll(of *notedService) string {
	conns := of.conns()
	what := quantity(conns, connNoun(of.ID))
	switch {
	case conns > 0 && n.left[familyIndex(of.ID)] == 0:
		return fmt.Sprintf("It is the last %s service, so IPVS leaves packets of its %s to the director's own stack%s.",
			familyName(of.ID.Is6()), what, resets(of.ID))
	case conns > 0 && of.ID.Protocol() == ProtocolUDP:
		return n.either(SysctlExpireNoDestConn, droppedFlows(what), "IPVS ends its "+what)
	}
	return n.cut(of, conns)
}

// goElsewhere returns where new connections go when a service is removed.
func (n *noter) goElsewhere(id ServiceID) string {
	conns := "New " + connNoun(id) + "s"
	switch catchAll := allPorts(id.Protocol(), id.AddrPort().Addr()); {
	case id.FWMark() != 0:
		return conns + " with the mark go to the service of their address, or to the director's own stack if there is none."
	case id != catchAll && n.service(catchAll) != nil:
		return fmt.Sprintf("%s go to %s.", conns, catchAll)
	}
	return conns + " go to the director's own stack."
}

func (n *noter) serviceDrained(of *notedService) []string {
	templates := 0
	for _, s := range of.servers {
		if s.Weight > 0 {
			templates += s.PersistentConns
		}
	}
	refused := ""
	if of.usable > 0 {
		refused = n.refused(of, " while it drains")
	}
	return sentences(of.finish(of.conns()), n.tied(of, templates), refused)
}

// conns returns how many connections the servers have.
func (s *notedService) conns() (all int) {
	for _, server := range s.servers {
		all += server.conns()
	}
	return all
}

// serviceEdited returns a sentence for each field that changes.
func (n *noter) serviceEdited(of *notedService, was Service) []string {
	return sentences(
		of.schedulerEdited(was), of.schedulerExchanged(was), of.flagsEdited(was), of.persistenceEdited(was), of.onePacketEdited(was),
	)
}

func (s *notedService) schedulerEdited(was Service) string {
	switch {
	case s.Scheduler == was.Scheduler:
		return ""
	case s.Scheduler == NoScheduler:
		return s.stay() + ", and new ones are " + refusal(s.ID) + "."
	case was.Scheduler == NoScheduler:
		return fmt.Sprintf("%s are no longer refused: %s picks servers for them.", capital(s.newConns()), s.Scheduler)
	}
	switch s.Scheduler {
	case SH, MH:
		return fmt.Sprintf("%s; %s gives each client the server of its hash, whatever server it had.", s.stay(), s.Scheduler)
	case DH:
		return s.stay() + "; dh gives each destination address one server."
	case RR, WRR:
		return fmt.Sprintf("%s; %s starts its round at the newest server.", s.stay(), s.Scheduler)
	case LBLC, LBLCR:
		return fmt.Sprintf("%s; %s remembers no server of a destination yet.", s.stay(), s.Scheduler)
	}
	return fmt.Sprintf("%s, and count for what %s picks next.", s.stay(), s.Scheduler)
}

// schedulerExchanged returns that the kernel waits for all of its CPUs to let go of the
// old scheduler before it sets the new one.
func (s *notedService) schedulerExchanged(was Service) string {
	if s.Scheduler == was.Scheduler || s.Scheduler == NoScheduler || was.Scheduler == NoScheduler {
		return ""
	}
	return "For a moment, while the kernel exchanges the scheduler, new " + connNoun(s.ID) + "s that need one are refused."
}

func (s *notedService) flagsEdited(was Service) string {
	changed := s.SchedulerFlags ^ was.SchedulerFlags
	switch {
	case changed == 0:
		return ""
	case s.Scheduler != SH && s.Scheduler != MH:
		return fmt.Sprintf("%s has no flags, so nothing changes.", s.Scheduler)
	case changed&(HashPort|HashFallback) == 0:
		return fmt.Sprintf("What %s does with these flags is not known.", s.Scheduler)
	}
	conns := connNoun(s.ID) + "s"
	hashes, servers := "hashes the address alone", "one server"
	if s.SchedulerFlags&HashPort != 0 {
		hashes, servers = "hashes the client's port too", "several servers"
	}
	fate := "are refused"
	if s.SchedulerFlags&HashFallback != 0 {
		fate = "go to another one"
	}
	var all []string
	if changed&HashPort != 0 {
		all = append(all, fmt.Sprintf("%s %s, so a client's next %s go to %s.", s.Scheduler, hashes, conns, servers))
	}
	if changed&HashFallback != 0 {
		all = append(all, fmt.Sprintf("From now on, new %s of a client whose server has weight 0 or is full %s.", conns, fate))
	}
	return strings.Join(all, " ")
}

func (s *notedService) persistenceEdited(was Service) string {
	now, old := s.Persistence, was.Persistence
	conns := connNoun(s.ID) + "s"
	untied := "persistence lets go of " + quantity(s.templates(), old.noun())
	switch {
	case now == old:
		return ""
	case old.Timeout == 0:
		return fmt.Sprintf("%s; each %s is tied to the server that %s picks for its next one.%s", s.stay(), now.noun(), s.Scheduler, now.untied())
	case now.Timeout == 0:
		return fmt.Sprintf("%s; %s picks servers for their next %s.", capital(untied), s.Scheduler, conns)
	case now.Engine != old.Engine:
		return fmt.Sprintf("Templates of another engine do not count, so %s; each %s is tied to the server that %s picks next.%s", untied, now.noun(), s.Scheduler, now.untied())
	case now.Mask != old.Mask:
		return fmt.Sprintf("Templates of another mask do not count, so %s, whose next %s are scheduled again.", untied, conns)
	}
	return fmt.Sprintf("%s keep the old timeout until their templates end.", quantity(s.templates(), now.noun()))
}

// noun is what persistence ties to a server. A call of sip is that of one client.
func (p Persistence) noun() string {
	if p.Engine == "sip" {
		return "call"
	}
	return "client"
}

// untied returns what happens to new flows that the engine cannot tie.
func (p Persistence) untied() string {
	if p.Engine == "sip" {
		return " Datagrams of new flows that have no Call-ID are dropped."
	}
	return ""
}

// templates returns how many clients persistence ties to the servers.
func (s *notedService) templates() (all int) {
	for _, server := range s.servers {
		all += server.PersistentConns
	}
	return all
}

func (s *notedService) onePacketEdited(was Service) string {
	switch {
	case s.OnePacket == was.OnePacket:
		return ""
	case s.OnePacket:
		return "Flows that exist go on until they have been silent for the UDP timeout; all other datagrams are scheduled one by one."
	}
	return "The next datagram of each client port opens a flow, which stays on its server."
}
