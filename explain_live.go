package lvs

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// explainLive explains a flow by a copy of what the host has for it. What the host
// does not show is taken to be one way and then the other.
func (h *Host) explainLive(ctx context.Context, f Flow, p *simipvs.Packet) (Explanation, error) {
	c, err := excerptOf(ctx, h, f)
	if err != nil {
		return Explanation{}, err
	}
	g := guesser{explainer: explainer{kernel: c.to.kernel, packet: p, x: Explanation{Flow: f}}, excerpt: c, host: c.to.Host()}
	defer g.host.Close()
	if g.asleep, err = g.backupOnly(ctx); err != nil {
		return Explanation{}, err
	}
	if g.tracked, err = h.mayTrack(ctx); err != nil {
		return Explanation{}, err
	}
	if err := g.guess(); err != nil {
		return g.x, explainError(f, err)
	}
	err = g.finish(ctx, h)
	return g.x, err
}

// guesser makes an explanation of what a copy of a host knows.
type guesser struct {
	explainer
	*excerpt
	host    *Host // the copy
	asleep  bool  // backup_only lets requests pass
	tracked bool  // netfilter may have entries of connections
}

// backupOnly tells whether requests pass because a backup daemon runs. The copy
// has no daemons.
func (g *guesser) backupOnly(ctx context.Context) (bool, error) {
	if g.number(SysctlBackupOnly) == 0 {
		return false, nil
	}
	daemons, err := g.from.client.SyncDaemons(ctx)
	return slices.ContainsFunc(daemons, func(d SyncDaemon) bool { return d.Role == SyncBackup }), err
}

// number returns one of IPVS's switches as it was copied. What is not there is off.
func (g *guesser) number(key SysctlKey) int {
	n, _ := g.host.SysctlInt(context.Background(), key)
	return n
}

// without does something while a switch of the copy is off.
func (g *guesser) without(key SysctlKey, do func() error) error {
	was, ctx := g.number(key), context.Background()
	if err := g.host.SetSysctl(ctx, key, "0"); err != nil {
		return err
	}
	defer func() { _ = g.host.SetSysctl(ctx, key, strconv.Itoa(was)) }()
	return do()
}

func (g *guesser) guess() error {
	if err := g.byDropRate(); err != nil {
		return err
	}
	g.byClash()
	return nil
}

func (g *guesser) byDropRate() error {
	const inEffect = 2 // or 3: always
	dropping := g.number(SysctlDropPacket) >= inEffect
	if err := g.without(SysctlDropPacket, g.byConnection); err != nil || !dropping {
		return err
	}
	for _, v := range g.x.Verdicts {
		if !slices.Contains(undroppable, v.Reason) {
			g.unseen("whether this packet is one of those that drop_packet takes")
			g.x.Verdicts = append(g.x.Verdicts, Verdict{Action: ActionDropped, Reason: ReasonDropRate, Service: v.Service})
			return nil
		}
	}
	return nil
}

// undroppable are the fates of packets that drop_packet does not get to see.
var undroppable = []Reason{
	ReasonConnection, ReasonNoService, ReasonNotOpening, ReasonServerRemoved, ReasonConntrack, ReasonBackupOnly,
}

// byConnection looks for a connection of the flow.
func (g *guesser) byConnection() error {
	found, err := g.kernel.Explain(g.packet, simipvs.Suppose{})
	switch {
	case err != nil:
		return err
	case !g.hooked:
		g.add(simipvs.Verdict{Action: simipvs.Passed, Reason: simipvs.NoService})
		return nil
	case g.asleep && found.Verdict.Action != simipvs.Replied:
		g.describe(&found)
		g.x.Pick = nil
		g.add(simipvs.Verdict{Action: simipvs.Passed, Reason: simipvs.BackupOnly})
		return nil
	case g.own == nil || found.Verdict.Action == simipvs.Replied:
		return g.byRenewal(simipvs.Suppose{})
	}
	owners := g.owners(*g.own, &g.x.Flow.FWMark)
	for _, o := range owners {
		if err := g.byOwner(&o); err != nil {
			return err
		}
	}
	if len(owners) > 1 {
		g.unseen("of which service's server at %s the connection is", g.own.Server)
	}
	if len(owners) > 0 {
		if g.accounts(owners, Connection.isOwn, RealServerStatus.connections) {
			return nil
		}
		g.unseen("whether the connection is of a server that was removed: the table has another one of its address")
	}
	return g.byLost(g.own)
}

// byOwner explains by the flow's connection, which is of a server.
func (g *guesser) byOwner(o *simipvs.Owner) error {
	found, err := g.kernel.Explain(g.packet, simipvs.Suppose{Owner: o})
	if err != nil {
		return err
	}
	if !g.mayHaveEnded(&found) {
		return g.byRenewal(simipvs.Suppose{Owner: o})
	}
	for _, ended := range []bool{true, false} {
		if err := g.byRenewal(simipvs.Suppose{Owner: o, Ended: &ended}); err != nil {
			return err
		}
	}
	return nil
}

// byLost explains by a connection that is of no server in the table.
func (g *guesser) byLost(c *Connection) error {
	g.x.Connection = c
	ended := c.Protocol == ProtocolTCP && g.number(SysctlConnReuseMode) != 0 && (c.State == StateTimeWait || c.State == StateClose)
	v := Verdict{Action: ActionDropped, Reason: ReasonServerRemoved, Server: c.Server, Port: c.Server.Port(), State: c.State}
	switch {
	case c.Server.Addr().IsUnspecified() && !ended: // by cache_bypass
		v = Verdict{Action: ActionForwarded, Reason: ReasonConnection, Server: c.VIP, Port: c.VIP.Port(), Mode: ModeBypass, State: c.State}
	case c.Server.Addr().IsUnspecified():
		g.x.Ended = "it has ended"
		return g.renewLost()
	case g.number(SysctlExpireNoDestConn) != 0:
		g.x.Ended = "its server was removed"
		return g.renewLost()
	case ended:
		g.unseen("whether a persistence template controls the connection of before")
		if err := g.renewLost(); err != nil {
			return err
		}
	}
	g.addVerdict(v)
	if c.isEnding() {
		g.unseen("whether the connection, which ends within a second, is still there")
		return g.renewLost()
	}
	return nil
}

// renewLost explains without the flow's connection, which conntrack may know.
func (g *guesser) renewLost() error {
	if g.tracked {
		g.unseen("whether conntrack still knows the connection of before")
		g.add(simipvs.Verdict{Action: simipvs.Dropped, Reason: simipvs.Conntracked})
	}
	was, ended := g.x, true
	err := g.byService(simipvs.Suppose{Owner: &simipvs.Owner{}, Ended: &ended, Forgot: true})
	g.x.Connection, g.x.Ended = was.Connection, was.Ended
	return err
}

// mayHaveEnded tells whether the host does not show if the connection has ended,
// such that a new one may be opened. It depends on whether a template controls it,
// and on whether replies passed the director.
func (g *guesser) mayHaveEnded(found *simipvs.Explanation) bool {
	const evenFinWait = 2
	c, mode := found.Connection, g.number(SysctlConnReuseMode)
	if g.own.isEnding() && (found.Outdated == 0 || found.Outdated == simipvs.ServerRemoved) {
		g.unseen("whether the connection, which ends within a second, is still there")
		return true
	}
	if Protocol(c.Protocol) != ProtocolTCP || mode == 0 || found.Outdated != 0 && found.Outdated != simipvs.Reused {
		return false
	}
	switch state := ConnState(c.State); {
	case (state == StateTimeWait || state == StateClose) && g.hasTemplates(c.Server):
		g.unseen("whether a persistence template controls the connection of before")
		return true
	case state == StateFinWait && mode&evenFinWait != 0:
		g.unseen("whether replies of the connection of before passed the director")
		return true
	}
	return false
}

// hasTemplates tells whether clients are tied to a server.
func (g *guesser) hasTemplates(server netip.AddrPort) bool {
	for _, e := range g.entries {
		for _, s := range e.Servers {
			if s.Addr.Addr() == server.Addr() && s.PersistentConns > 0 {
				return true
			}
		}
	}
	return false
}

// byRenewal explains under a supposition, and if conntrack is in the way, as if it
// were not, too.
func (g *guesser) byRenewal(s simipvs.Suppose) error {
	found, err := g.kernel.Explain(g.packet, s)
	if err != nil {
		return err
	}
	if found.Verdict.Reason == simipvs.Conntracked {
		s.Forgot = true
		if g.tracked {
			g.unseen("whether conntrack still knows the connection of before")
			g.describe(&found)
			g.add(found.Verdict)
		}
	}
	return g.byService(s)
}

// byService lets the service decide: by a template or by its scheduler.
func (g *guesser) byService(s simipvs.Suppose) error {
	found, err := g.kernel.Explain(g.packet, s)
	if err != nil {
		return err
	}
	if found.Template == nil {
		return g.byScheduler(s)
	}
	template := connectionOf(found.Template)
	owners := g.owners(*template, nil)
	for _, o := range owners {
		s.Tied = &o
		if found, err = g.kernel.Explain(g.packet, s); err != nil {
			return err
		}
		if !found.Untied {
			g.keep(&found)
			g.add(found.Verdict)
		} else if err := g.byScheduler(s); err != nil {
			return err
		}
	}
	if len(owners) > 1 {
		g.unseen("to which server at %s the persistence template ties the client", template.Server.Addr())
	}
	switch {
	case template.isEnding():
		g.unseen("whether the persistence template, which ends within a second, is still there")
	case !g.accounts(owners, Connection.IsTemplate, RealServerStatus.templates):
		g.unseen("whether the persistence template is of a server that was removed: the table has another one of its address")
	default:
		return nil
	}
	kept := g.x
	s.Tied = &simipvs.Owner{}
	err = g.byScheduler(s)
	g.x.Template, g.x.TemplateInvalid = kept.Template, kept.TemplateInvalid
	return err
}

// byScheduler lets the scheduler decide. Servers that may be closed are open at
// first, and those that are picked are closed then.
func (g *guesser) byScheduler(s simipvs.Suppose) error {
	found, err := g.kernel.Explain(g.packet, s)
	if err != nil {
		return err
	}
	var doubtful []netip.AddrPort
	if service := found.Verdict.Service; service != nil && found.Scheduler != "" {
		doubtful = g.kernel.OpenDoubtful(*service)
	}
	for first := true; ; first = false {
		if found, err = g.kernel.Explain(g.packet, s); err != nil {
			return err
		}
		if first {
			g.keep(&found)
		}
		picked, err := g.byPick(s, &found)
		if err != nil || !g.close(found.Verdict.Service, picked, &doubtful) {
			return err
		}
	}
}

// close closes those of the picked servers that may be closed.
func (g *guesser) close(service *simipvs.ServiceName, picked []netip.AddrPort, doubtful *[]netip.AddrPort) (any bool) {
	for _, server := range picked {
		i := slices.Index(*doubtful, server)
		if i < 0 {
			continue
		}
		any = true
		*doubtful = slices.Delete(*doubtful, i, i+1)
		g.unseen("whether %s is closed since it reached its upper threshold", server)
		g.kernel.Close(*service, server)
	}
	return any
}

// keep describes what was found, without what a copy does not know.
func (g *guesser) keep(found *simipvs.Explanation) {
	g.describe(found)
	c := g.x.Pick
	if c == nil {
		return
	}
	c.Last, c.Round, c.Remembered, c.Drawn = netip.AddrPort{}, 0, nil, nil
	if s := g.scheduler(found); s != c.Scheduler {
		*c = Pick{Scheduler: s, Flags: c.Flags}
	}
	if c.Scheduler == MH && hasQuiesced(found.Pick.All) {
		c.Tried, c.Steps = nil, 0
	}
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

// byPick adds what becomes of the packet by each server that the scheduler, or the
// template, may give. It returns those of the scheduler.
func (g *guesser) byPick(s simipvs.Suppose, found *simipvs.Explanation) (picked []netip.AddrPort, err error) {
	if found.Scheduler == "" || found.Verdict.Service == nil {
		g.add(found.Verdict)
		return nil, nil
	}
	picked, none := g.mayPick(found)
	if err := g.each(s, picked); err != nil || !none && len(picked) > 0 {
		return picked, err
	}
	s.Server = new(netip.AddrPort)
	if err := g.suppose(s); err != nil || g.x.Verdicts[len(g.x.Verdicts)-1].Reason != ReasonBypass {
		return picked, err
	}
	g.unseen("whether %s is an address of the director", g.x.Flow.VIP.Addr())
	return picked, g.without(SysctlCacheBypass, func() error { return g.suppose(s) })
}

func (g *guesser) each(s simipvs.Suppose, servers []netip.AddrPort) error {
	for _, server := range servers {
		s.Server = &server
		if err := g.suppose(s); err != nil {
			return err
		}
	}
	return nil
}

// mayPick returns the servers that the scheduler may pick, and whether it may pick
// none although there are some.
func (g *guesser) mayPick(found *simipvs.Explanation) (servers []netip.AddrPort, none bool) {
	pick := &found.Pick
	usable := slices.DeleteFunc(slices.Clone(pick.All), func(s *sched.Server) bool { return s.Weight == 0 || s.Overloaded })
	scheduler := g.scheduler(found)
	switch {
	case scheduler != Scheduler(found.Scheduler):
		g.unseen("whom the scheduler %s picks, which is not simulated", scheduler)
		return addrs(pick.All), true
	case scheduler == RR:
		g.unseen("where in its round rr stands")
		return addrs(usable), false
	case scheduler == WRR:
		g.unseen("where in its round wrr stands, and its phase")
		return addrs(usable), false
	case scheduler == TWOS:
		g.unseen("which two servers twos draws")
		return addrs(usable), false
	case scheduler == MH && hasQuiesced(pick.All):
		g.unseen("which weights servers had before theirs was 0, by which mh gives them buckets")
		return addrs(usable), SchedulerFlags(found.Flags)&HashFallback == 0
	case scheduler == LBLC || scheduler == LBLCR:
		g.unseen("whether %s remembers a server for %s, and which", scheduler, g.x.Flow.VIP.Addr())
		servers = addrs(pick.Kept)
	}
	if pick.Server == nil {
		return servers, true
	}
	if !slices.Contains(servers, pick.Server.Addr) {
		servers = append(servers, pick.Server.Addr)
	}
	return servers, false
}

func hasQuiesced(servers []*sched.Server) bool {
	return slices.ContainsFunc(servers, func(s *sched.Server) bool { return s.Weight == 0 })
}

// unseen notes what the answer depends on.
func (e *explainer) unseen(format string, args ...any) {
	if what := fmt.Sprintf(format, args...); !slices.Contains(e.x.Unseen, what) {
		e.x.Unseen = append(e.x.Unseen, what)
	}
}
