package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// explainLive explains a flow by a copy of what the host has for it. What the host
// does not show may be one way or another.
func (h *Host) explainLive(ctx context.Context, x Explanation, p *simipvs.Packet) (Explanation, error) {
	f := x.Flow
	c, err := excerptOf(ctx, h, f)
	if err != nil {
		return Explanation{}, err
	}
	g := guesser{explainer: explainer{kernel: c.to.kernel, packet: p, x: x}, excerpt: c, copy: c.to.Host()}
	defer g.copy.Close()
	g.conceal = g.concealPick
	if g.own != nil {
		g.owners = c.owners(*g.own, &f.FWMark)
		if g.synced, err = g.isSynced(ctx, h); err != nil {
			return Explanation{}, err
		}
	}
	if g.tracked, err = h.mayTrack(ctx); err != nil {
		return Explanation{}, err
	}
	if g.x.Verdicts, err = g.explore(simipvs.Suppose{}, g.questions()); err != nil {
		return g.x, explainError(f, err)
	}
	if x.Error == nil {
		g.addClash()
	}
	err = g.finish(ctx, h)
	return g.x, err
}

// guesser makes an explanation of what a copy of a host knows.
type guesser struct {
	explainer
	*excerpt
	copy    *Host
	owners  []simipvs.Owner // servers of which the flow's connection may be
	tracked bool            // netfilter may have entries of connections
	synced  bool            // another director told of the flow's connection, whose server may not be in the table
}

// isSynced reports whether another director told of the flow's connection. It is not asked
// for if the connection's server is in the table for certain.
func (g *guesser) isSynced(ctx context.Context, h *Host) (bool, error) {
	if len(g.owners) > 0 && g.accounts(g.owners, Connection.isOwn, RealServerStatus.connections) {
		return false, nil
	}
	all, err := CollectConnections(h.Connections(ctx, ConnectionFilter{Origin: OriginSync}))
	return slices.ContainsFunc(all, func(c Connection) bool {
		return c.Protocol == g.own.Protocol && c.Client == g.own.Client && c.VIP == g.own.VIP
	}), err
}

// number returns a parameter of IPVS as it was copied. One that does not exist is off.
func (g *guesser) number(key SysctlKey) int {
	n, _ := g.copy.SysctlInt(context.Background(), key)
	return n
}

// defends reports whether a defence is in effect.
func (g *guesser) defends(by SysctlKey) bool {
	const inEffect = 2 // or 3: always
	return g.number(by) >= inEffect
}

// questions are asked in the order in which the answers matter to IPVS.
func (g *guesser) questions() []question {
	return []question{
		g.dropRate,
		g.connectionEnds, g.connectionDropped, g.connectionIsLost, g.connectionOwner, g.connectionBound, g.connectionMode, g.connectionEnded, g.connectionTracked,
		g.key, g.templateEnds, g.templateDropped, g.templateIsLost, g.templateOwner,
		g.overload, g.pick, g.bypass,
	}
}

func (g *guesser) dropRate(w simipvs.Suppose, _ *simipvs.Explanation) unknown {
	if !g.defends(SysctlDropPacket) {
		return unknown{}
	}
	kept, dropped := w, w
	kept.Sampled, dropped.Sampled = new(bool), new(bool)
	*dropped.Sampled = true
	return unknown{name: "whether this packet is one of those that drop_packet drops", worlds: []simipvs.Suppose{kept, dropped}}
}

// follows reports whether the packet may follow the flow's connection. A reply is of
// another one, but for errors about packets to the server.
func (g *guesser) follows(w simipvs.Suppose, found *simipvs.Explanation) bool {
	return g.own != nil && !w.Gone && (g.x.Error != nil || found.Verdict.Action != simipvs.Replied)
}

func (g *guesser) connectionEnds(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.follows(w, found) || !g.own.isEnding() {
		return unknown{}
	}
	return unknown{name: "whether the connection, which ends within a second, is still there", worlds: gone(w)}
}

func (g *guesser) connectionDropped(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.defends(SysctlDropEntry) || !g.follows(w, found) || !found.ConnectionExposed {
		return unknown{}
	}
	return unknown{name: "whether drop_entry has ended the connection", worlds: gone(w)}
}

// gone returns a world and the one in which the packet's connection has ended.
func gone(w simipvs.Suppose) []simipvs.Suppose {
	without := w
	without.Gone = true
	return []simipvs.Suppose{w, without}
}

func (g *guesser) connectionIsLost(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.follows(w, found) || len(g.owners) == 0 || g.accounts(g.owners, Connection.isOwn, RealServerStatus.connections) {
		return unknown{}
	}
	lost := w
	lost.Owner = &simipvs.Owner{}
	return unknown{
		name:   "whether the connection's server was removed: the table has another one of its address",
		worlds: []simipvs.Suppose{w, lost},
	}
}

func (g *guesser) connectionOwner(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.follows(w, found) || w.Owner != nil || len(g.owners) < 2 {
		return unknown{}
	}
	u := unknown{name: fmt.Sprintf("which service's server at %s has the connection", g.own.Server)}
	for _, o := range g.owners {
		w.Owner = &o
		u.worlds = append(u.worlds, w)
	}
	return u
}

// connectionBound asks whether the server was removed. If no service had it when another
// director told of the connection, packets go to it nevertheless, by a mode that is not
// shown.
func (g *guesser) connectionBound(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.synced || !g.follows(w, found) || !g.isLost(w) || g.own.Server.Addr().IsUnspecified() {
		return unknown{}
	}
	u := unknown{
		name:   fmt.Sprintf("whether a service had %s when another director told of the connection, and by which mode it gets packets", g.own.Server),
		worlds: []simipvs.Suppose{w},
	}
	for _, m := range []Mode{NAT(), DR(), IPIP()} {
		method := uint8(m.method())
		w.Method, w.Unbound = &method, true
		u.worlds = append(u.worlds, w)
	}
	return u
}

// connectionMode asks how the server got its packets from which an ICMP error comes, or to
// which it goes, if it was removed. A tunnel is of any kind.
func (g *guesser) connectionMode(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if g.x.Error == nil || w.Method != nil || !g.follows(w, found) || !g.isLost(w) || g.own.Server.Addr().IsUnspecified() {
		return unknown{}
	}
	u := unknown{name: fmt.Sprintf("by which mode %s, which was removed, got its packets", g.own.Server)}
	for _, m := range []Mode{NAT(), DR(), IPIP()} {
		method := uint8(m.method())
		w.Method = &method
		u.worlds = append(u.worlds, w)
	}
	return u
}

// connectionEnded asks whether the connection has ended, so that a new one may be opened.
func (g *guesser) connectionEnded(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	const evenFinWait = 2
	mode := g.number(SysctlConnReuseMode)
	if !g.follows(w, found) || g.own.Protocol == ProtocolUDP || mode == 0 || g.own.Server.Addr().IsUnspecified() {
		return unknown{}
	}
	var name string
	switch state := g.own.State; {
	case (state == StateTimeWait || state == StateClose || state == StateSCTPClosed) && (g.isLost(w) || g.hasTemplates(g.own.Server)):
		name = "whether a persistence template controls the previous connection"
	case state == StateFinWait && mode&evenFinWait != 0:
		name = "whether replies of the previous connection passed the director"
	default:
		return unknown{}
	}
	ended, alive := w, w
	ended.Ended, alive.Ended = new(bool), new(bool)
	*ended.Ended = true
	return unknown{name: name, worlds: []simipvs.Suppose{ended, alive}}
}

// isLost reports whether the connection is of a server that was removed.
func (g *guesser) isLost(w simipvs.Suppose) bool {
	return len(g.owners) == 0 || w.Owner != nil && *w.Owner == simipvs.Owner{}
}

// hasTemplates reports whether templates tie clients to a server.
func (g *guesser) hasTemplates(server netip.AddrPort) bool {
	for _, e := range g.entries {
		for _, s := range e.RealServers {
			if s.Addr.Addr() == server.Addr() && s.PersistentConns > 0 {
				return true
			}
		}
	}
	return false
}

func (g *guesser) connectionTracked(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.follows(w, found) || found.Outdated == 0 {
		return unknown{}
	}
	known, forgotten := w, w
	known.Tracked, forgotten.Tracked = new(bool), new(bool)
	*known.Tracked = true
	if !g.tracked {
		return unknown{worlds: []simipvs.Suppose{forgotten}}
	}
	return unknown{name: "whether netfilter still knows the previous connection", worlds: []simipvs.Suppose{known, forgotten}}
}

func (g *guesser) templateEnds(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if found.Template == nil || !connectionOf(found.Template).isEnding() {
		return unknown{}
	}
	return unknown{name: "whether the persistence template, which ends within a second, is still there", worlds: untied(w)}
}

func (g *guesser) templateDropped(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if !g.defends(SysctlDropEntry) || found.Template == nil || w.Tied != nil || !found.TemplateExposed {
		return unknown{}
	}
	return unknown{name: "whether drop_entry has ended the persistence template", worlds: untied(w)}
}

// untied returns a world and the one in which the template ties the client to no server.
func untied(w simipvs.Suppose) []simipvs.Suppose {
	free := w
	free.Tied = &simipvs.Owner{}
	return []simipvs.Suppose{w, free}
}

func (g *guesser) templateIsLost(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if found.Template == nil || w.Tied != nil {
		return unknown{}
	}
	owners := g.excerpt.owners(*connectionOf(found.Template), nil)
	if g.accounts(owners, Connection.IsTemplate, RealServerStatus.templates) {
		return unknown{}
	}
	return unknown{
		name:   "whether the persistence template's server was removed: the table has another one of its address",
		worlds: untied(w),
	}
}

func (g *guesser) templateOwner(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if found.Template == nil || w.Tied != nil {
		return unknown{}
	}
	owners := g.excerpt.owners(*connectionOf(found.Template), nil)
	if len(owners) < 2 {
		return unknown{}
	}
	u := unknown{name: fmt.Sprintf("to which server at %s the persistence template ties the client", found.Template.Server.Addr())}
	for _, o := range owners {
		w.Tied = &o
		u.worlds = append(u.worlds, w)
	}
	return u
}

// overload asks whether the servers are overloaded that would be picked if none were, and
// if they are, the same about those that would be picked then.
func (g *guesser) overload(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if found.Scheduler == "" {
		return unknown{}
	}
	doubtful := g.doubtful[serviceIDOf(found.Verdict.Service)]
	if len(doubtful) == 0 {
		return unknown{}
	}
	servers, _ := g.mayPick(found)
	servers = slices.DeleteFunc(servers, func(s netip.AddrPort) bool {
		return slices.Contains(w.Closed, s) || !slices.Contains(doubtful, s)
	})
	if len(servers) == 0 {
		return unknown{}
	}
	closed := w
	closed.Closed = slices.Concat(w.Closed, servers)
	return unknown{
		name:   fmt.Sprintf("whether %s is overloaded since it reached its upper threshold", list(servers)),
		worlds: []simipvs.Suppose{w, closed}, repeats: true,
	}
}

func (g *guesser) pick(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if found.Scheduler == "" {
		return unknown{}
	}
	servers, name := g.mayPick(found)
	return unknown{name: name, worlds: picking(w, servers)}
}

// mayPick returns the servers that the scheduler may pick, an invalid one if it may pick
// none, and what that depends on.
func (g *guesser) mayPick(found *simipvs.Explanation) (servers []netip.AddrPort, name string) {
	pick := &found.Pick
	usable := addrs(slices.DeleteFunc(slices.Clone(pick.All), func(s *sched.Server) bool { return s.Weight == 0 || s.Overloaded }))
	if len(usable) == 0 {
		usable = []netip.AddrPort{{}}
	}
	switch scheduler := g.scheduler(found); {
	case scheduler != Scheduler(found.Scheduler):
		return append(addrs(pick.All), netip.AddrPort{}), fmt.Sprintf("which server the scheduler %s picks, which is not simulated", scheduler)
	case scheduler == RR:
		return usable, "where in its round rr stands"
	case scheduler == WRR:
		return usable, "where in its round wrr stands, and its phase"
	case scheduler == TWOS:
		return usable, "which two servers twos draws"
	case scheduler == MH && hasQuiesced(pick.All):
		if SchedulerFlags(found.Flags)&HashFallback == 0 {
			usable = append(usable, netip.AddrPort{})
		}
		return usable, "which weights servers had before theirs was 0, by which mh gives them buckets"
	case scheduler == LBLC || scheduler == LBLCR:
		servers = addrs(pick.Kept)
		name = fmt.Sprintf("whether %s remembers a server for %s, and which", scheduler, g.x.Flow.VIP.Addr())
	}
	var picked netip.AddrPort
	if pick.Server != nil {
		picked = pick.Server.Addr
	}
	if !slices.Contains(servers, picked) {
		servers = append(servers, picked)
	}
	return servers, name
}

func hasQuiesced(servers []*sched.Server) bool {
	return slices.ContainsFunc(servers, func(s *sched.Server) bool { return s.Weight == 0 })
}

// scheduler returns the service's scheduler on the host. The copy may not have it.
func (g *guesser) scheduler(found *simipvs.Explanation) Scheduler {
	id := serviceIDOf(found.Verdict.Service)
	for _, e := range g.entries {
		if e.ID == id {
			return e.Scheduler
		}
	}
	return Scheduler(found.Scheduler)
}

func (g *guesser) bypass(w simipvs.Suppose, found *simipvs.Explanation) unknown {
	if found.Verdict.Reason != simipvs.Bypassed {
		return unknown{}
	}
	local := w
	local.Local = true
	return unknown{
		name:   fmt.Sprintf("whether %s is an address of the director", g.x.Flow.VIP.Addr()),
		worlds: []simipvs.Suppose{w, local},
	}
}

// concealPick removes from a pick what a copy does not know.
func (g *guesser) concealPick(found *simipvs.Explanation, p *Pick) {
	p.Last, p.Round, p.Remembered, p.Drawn = netip.AddrPort{}, 0, nil, nil
	if s := g.scheduler(found); s != p.Scheduler {
		*p = Pick{Scheduler: s, Flags: p.Flags}
	}
	if p.Scheduler == MH && hasQuiesced(found.Pick.All) {
		p.Tried, p.Steps = nil, 0
	}
}
