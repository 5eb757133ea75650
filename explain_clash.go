package lvs

import (
	"context"
	"net/netip"
	"slices"
)

// mayTrack reports whether netfilter may have entries of connections. A host that does
// not show how many is taken to have some.
func (h *Host) mayTrack(ctx context.Context) (bool, error) {
	count, err := h.readOptional(ctx, "/proc/sys/net/netfilter/nf_conntrack_count")
	return count != "0", err
}

// addClash adds that netfilter may drop the packet: the entry that it begins would have
// the packets of another, which the host does not show.
func (g *guesser) addClash() {
	if !g.tracked || !g.kernel.DropsClashes(g.packet.Protocol) {
		return
	}
	for _, v := range slices.Clone(g.x.Verdicts) {
		if peer := g.answers(v); peer.IsValid() {
			g.unseen("whether netfilter knows another connection of %s with %s", g.x.Flow.Client, peer)
			g.addVerdict(Verdict{Action: ActionDropped, Reason: ReasonConntrack, Service: v.Service})
		}
	}
}

// answers returns from where netfilter would expect answers to the packet, if there may
// be another entry of those. IPVS has the packets of its connections tracked only with
// conntrack=1; those of NAT may also have been sent by the server unasked.
func (g *guesser) answers(v Verdict) netip.AddrPort {
	f, left := g.x.Flow, g.number(SysctlConntrack) != 0
	isOther := func(c Connection) bool {
		return c.Protocol == f.Protocol && c.Client == f.Client && c.Server == f.VIP && c.VIP != f.VIP
	}
	switch {
	case left && v.Action == ActionForwarded && v.Mode == NAT():
		return v.Target()
	case left && v.Action == ActionReplied, (left && v.Action == ActionForwarded || v.Action == ActionPassed) && slices.ContainsFunc(g.listed, isOther):
		return f.VIP
	}
	return netip.AddrPort{}
}
