package lvs

import "fmt"

// The sentences on real servers: first what happens to connections, then what happens to
// clients that open new ones.

func (n *noter) serverAdded(of *notedService, r RealServer) []string {
	server := &notedServer{RealServerStatus: RealServerStatus{RealServer: r}}
	if kept := of.gone[unmap(server.Addr)]; kept != nil {
		server.ActiveConns, server.InactiveConns = kept.ActiveConns, kept.InactiveConns
		return sentences("It comes back with those of its "+connNoun(of.ID)+"s that are left.", n.shift(of, server, r.Weight))
	}
	return sentences(n.shift(of, server, r.Weight))
}

func (n *noter) serverRemoved(of *notedService, server *notedServer) []string {
	key := serverKey{of.ID, server.Addr}
	_, again := n.added[key]
	other := ""
	if at, moved := n.added[key.withoutPort()]; moved && !again {
		other = fmt.Sprintf("%s is another server to the kernel, and has none of its %ss.", at, connNoun(of.ID))
	}
	cut := n.cut(of, server.conns())
	if again {
		cut = n.cutForNow(of, server.conns())
	}
	tied := ""
	if c := server.PersistentConns; c > 0 && of.Persistence.Timeout != 0 {
		tied = fmt.Sprintf("Persistence lets go of %s, whose next %ss are scheduled again.", quantity(c, of.Persistence.noun()), connNoun(of.ID))
	}
	return sentences(cut, other, tied, n.shift(of, server, removed))
}

// cut returns what happens to connections whose server is removed.
func (n *noter) cut(of *notedService, conns int) string {
	what := quantity(conns, connNoun(of.ID))
	switch {
	case conns == 0:
		return of.noConns()
	case of.ID.Protocol() == ProtocolUDP:
		return n.either(SysctlExpireNoDestConn, droppedFlows(what), "IPVS ends its "+what+", and the next datagrams are scheduled again")
	}
	return n.either(SysctlExpireNoDestConn,
		"packets of its "+what+" are dropped, without an error to the client",
		"IPVS ends its "+what+", and leaves further packets to the director's own stack"+resets(of.ID))
}

// droppedFlows returns what happens to datagrams whose server is not there.
func droppedFlows(flows string) string {
	return "datagrams of its " + flows + " are dropped, each flow's until the UDP timeout after the last one that was forwarded"
}

// resets returns what the director's own stack does with packets of connections that it
// does not know.
func resets(id ServiceID) string {
	if id.Protocol() == ProtocolTCP || id.FWMark() != 0 {
		return ", which resets TCP"
	}
	return ""
}

// cutForNow is cut of a server that a later step adds again.
func (n *noter) cutForNow(of *notedService, conns int) string {
	if conns == 0 {
		return of.noConns()
	}
	what := quantity(conns, connNoun(of.ID))
	return n.either(SysctlExpireNoDestConn,
		"packets of its "+what+" are dropped until it is added again",
		"IPVS may end its "+what+" before it is added again")
}

func (s *notedService) noConns() string {
	if s.OnePacket {
		return ""
	}
	return "It has no " + connNoun(s.ID) + "s now."
}

func (n *noter) serverDrained(of *notedService, server *notedServer) []string {
	return sentences(of.finish(server.conns()), n.reused(of, server), n.tied(of, server.PersistentConns), n.shift(of, server, 0))
}

// reused returns what happens to clients of a quiesced server that use a port again.
func (n *noter) reused(of *notedService, server *notedServer) string {
	isTCP := of.ID.Protocol() == ProtocolTCP || of.ID.FWMark() != 0
	if !isTCP || server.conns() == 0 || !n.mayBeOff(SysctlConnReuseMode) || !n.mayBeOff(SysctlExpireNoDestConn) {
		return ""
	}
	return fmt.Sprintf("While %s and %s are 0, a client that uses a port again keeps reaching it.",
		SysctlConnReuseMode, SysctlExpireNoDestConn)
}

// finish returns what happens to connections while a drain lasts.
func (s *notedService) finish(conns int) string {
	switch {
	case conns == 0:
		return s.noConns()
	case s.ID.Protocol() == ProtocolUDP:
		return fmt.Sprintf("It keeps its %s for as long as clients keep sending; what is left at the deadline is cut.", quantity(conns, "flow"))
	}
	return fmt.Sprintf("It keeps its %s; what is left at the deadline is cut.", quantity(conns, "connection"))
}

// tied returns what happens to clients that persistence ties to a server whose weight
// becomes 0.
func (n *noter) tied(of *notedService, clients int) string {
	if clients == 0 || of.Persistence.Timeout == 0 {
		return ""
	}
	who, conns := quantity(clients, of.Persistence.noun()), connNoun(of.ID)+"s"
	return n.either(SysctlExpireQuiescentTemplate,
		"persistence keeps sending it new "+conns+" of "+who,
		"persistence lets go of "+who+", whose next "+conns+" are scheduled again")
}

func (n *noter) serverEdited(of *notedService, server *notedServer, now RealServer) []string {
	was := server.RealServer
	var all []string
	if now.Mode != was.Mode {
		all = append(all, of.modeEdited(was.Mode, now.Mode, server.conns()))
	}
	if now.Weight == 0 && was.Weight != 0 {
		all = append(all, n.reused(of, server), n.tied(of, server.PersistentConns))
	}
	shift := ""
	if now.Weight != was.Weight || of.Scheduler == WRR {
		shift = n.shift(of, server, now.Weight)
	}
	all = append(all, shift)
	server.RealServer = now
	server.Addr = unmap(now.Addr)
	if now.UpperThreshold != was.UpperThreshold || now.LowerThreshold != was.LowerThreshold {
		all = append(all, n.thresholdsEdited(of, server, was))
	}
	return sentences(all...)
}

// modeEdited returns what happens to the connections of a server whose mode changes.
// They keep the method. The tunnel is that of the server, which has one with every
// method: IPIP beside another method than a tunnel.
func (s *notedService) modeEdited(was, now Mode, conns int) string {
	what := quantity(conns, connNoun(s.ID))
	switch {
	case conns == 0:
		return s.noConns()
	case was.method() == now.method():
		return fmt.Sprintf("Packets of its %s go by %s from now on, too.", what, now)
	case was.IsTunnel():
		was = newMode(was.method(), now.tunnel, now.port, uint16(now.flags))
	}
	return fmt.Sprintf("Packets of its %s still go by %s, and new ones by %s.", what, was, now)
}

// thresholdsEdited returns when a server whose thresholds change gets new connections.
func (n *noter) thresholdsEdited(of *notedService, server *notedServer, was RealServer) string {
	conns, upper := server.conns(), server.UpperThreshold
	floor := server.LowerThreshold
	if floor == 0 {
		floor = upper - upper/4
	}
	totals := n.totals()
	older := n.release != nil && !totals
	reopened := totals && conns < floor || older && upper > was.UpperThreshold
	neverFull := was.UpperThreshold == 0 && conns < upper
	text, noun := "", connNoun(of.ID)
	switch {
	case upper == 0:
		return "It gets new " + noun + "s, however many it has."
	case conns >= upper && totals:
		text = fmt.Sprintf("It has %s, so it gets no new ones until it has fewer than %d.", quantity(conns, noun), floor)
	case conns >= upper:
		text = fmt.Sprintf("It has %s, so after at most one more it gets none until it has fewer than %d.", quantity(conns, noun), floor)
	case reopened || neverFull:
		text = fmt.Sprintf("It gets new %ss until it has %d.", noun, upper)
	default:
		text = fmt.Sprintf("It gets new %ss until it has %d; if it is full already, none until it has fewer than %d.", noun, upper, floor)
	}
	switch {
	case of.Persistence.Timeout != 0:
		text += " Clients that persistence ties to it reach it nevertheless."
	case of.Scheduler == LBLC:
		text += " lblc sends it the destinations that it has even if it is full."
	}
	return text
}
