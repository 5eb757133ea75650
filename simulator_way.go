package lvs

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/simipvs"
)

// simulatedWays is where packets of a simulated host go, before IPVS and after it.
// It does not change.
type simulatedWays struct {
	*netstate.Routing
	network   *simulatedNetwork
	addresses []netstate.Address // in use, by interface in the order of their making
	mtus      map[string]int     // by interface
}

// findWays returns the ways of packets, nil where no interfaces were given: then each
// packet reaches IPVS, and whatever it forwards gets there.
func (n *simulatedNetwork) findWays() (*simulatedWays, netstate.Observed, error) {
	seen, err := n.Observe(context.Background())
	if err != nil || !n.routed {
		return nil, seen, err
	}
	w := &simulatedWays{Routing: netstate.NewRouting(seen.Routes, seen.Rules), network: n, mtus: make(map[string]int)}
	up := make(map[string]bool)
	for _, r := range seen.Resources {
		switch r := r.(type) {
		case netstate.Link:
			w.mtus[r.Name], up[r.Name] = r.MTU, r.Up
		case netstate.Address:
			if up[r.Interface] || r.Prefix.Addr().Is4() {
				w.addresses = append(w.addresses, r)
			}
		}
	}
	return w, seen, nil
}

func (w *simulatedWays) to(a netip.Addr, mark uint32) netstate.Way {
	return w.Resolve(netstate.Question{To: a, Mark: mark})
}

// stopsBefore returns what happens to a packet that does not come to IPVS, and notes where
// the packet comes from, and whether IPVS read it. What is for another host comes only as
// an answer, on its way to be forwarded.
func (w *simulatedWays) stopsBefore(p *simipvs.Packet, told *simipvs.Verdict) (v Verdict, stops bool, err error) {
	source, destination := p.Source.Addr(), p.Destination.Addr()
	way := w.to(destination, p.Mark)
	p.Own = w.to(source, p.Mark).Local()
	switch {
	case p.Own:
		return Verdict{Action: ActionDropped, Reason: ReasonNoRoute}, !way.Found || !way.Local() && !way.Onward(), nil
	case destination.IsLoopback() && !w.isOn(w.to(source, 0).Interface, "route_localnet", destination):
		return Verdict{Action: ActionDropped, Reason: ReasonLoopback}, true, nil
	case way.Local():
		return v, false, nil
	}
	if p.ICMP != nil {
		p.ICMP.Onward = true
	}
	x, err := w.network.kernel.Explain(p, simipvs.Suppose{Tracked: new(bool)})
	told.Read = x.Verdict.Read
	switch {
	case err != nil:
		return v, false, err
	case p.ICMP != nil && x.Verdict.Action != simipvs.Passed:
		return Verdict{Action: ActionDropped, Reason: ReasonForwardingOff}, !w.isOn(w.to(source, 0).Interface, "forwarding", destination), nil
	case x.Verdict.Action != simipvs.Replied && x.Verdict.Reason != simipvs.NoConnection:
		v, err = w.passOn(p, way)
		return v, true, err
	case !w.isOn(w.to(source, 0).Interface, "forwarding", destination):
		return Verdict{Action: ActionDropped, Reason: ReasonForwardingOff}, true, nil
	}
	return Verdict{Action: ActionDropped, Reason: ReasonNoRoute}, !way.Onward(), nil
}

// passOn lets a packet for another host pass the director, without IPVS.
func (w *simulatedWays) passOn(p *simipvs.Packet, way netstate.Way) (v Verdict, err error) {
	v = Verdict{Action: ActionPassed, Reason: ReasonNotLocal}
	if p.ICMP != nil || !way.Onward() || !w.isOn(w.to(p.Source.Addr(), 0).Interface, "forwarding", p.Destination.Addr()) {
		return v, nil
	}
	var told simipvs.Verdict
	if err = w.network.kernel.PassOn(p, &told); told.Action == simipvs.Dropped {
		v = Verdict{Action: ActionDropped, Reason: ReasonConntrack}
	}
	return v, err
}

// passesAgain reports whether IPVS, which left a packet to the director's own stack, sees
// it again, and counts it again. What a program sends to the director itself passes on its
// way out and on its way in.
func (w *simulatedWays) passesAgain(p *simipvs.Packet, told *simipvs.Verdict) bool {
	if told.Action != simipvs.Passed {
		return false
	}
	switch told.Reason {
	case simipvs.NoTransmitter, simipvs.FTPData, simipvs.FromFTPData, simipvs.NotOpening:
		return p.Own && w.to(p.Destination.Addr(), p.Mark).Local()
	}
	return false
}

// isOn reports whether a parameter of an interface is on. IPv6 has one for all of
// them, and nothing like route_localnet.
func (w *simulatedWays) isOn(iface, parameter string, family netip.Addr) bool {
	path := "/proc/sys/net/ipv4/conf/" + iface + "/" + parameter
	if family.Is6() {
		path = "/proc/sys/net/ipv6/conf/all/" + parameter
	}
	text, err := w.network.Network.ReadFile(path)
	return err == nil && string(text) != "0\n"
}

// stopAfter changes the verdict on a packet that IPVS forwards, and that gets no
// further.
func (w *simulatedWays) stopAfter(p *simipvs.Packet, told *simipvs.Verdict, v *Verdict) {
	if v.Action != ActionForwarded {
		return
	}
	server := v.Server.Addr()
	way, localNode := w.to(wayTo(told), 0), v.Mode == ModeLocalNode()
	switch {
	case (way.Local() || localNode) && !w.to(p.Destination.Addr(), p.Mark).Local():
		v.Action, v.Reason = ActionDropped, ReasonOwnStack
	case localNode:
	case way.Local() && (v.Mode != NAT() || !server.IsLoopback() || p.Own):
	case way.Local(), way.Onward() && p.Source.Addr().IsLoopback():
		v.Action, v.Reason = ActionDropped, ReasonLoopback
	case !way.Onward():
		v.Action, v.Reason = ActionRefused, ReasonNoRoute
	case v.Mode == DR() && way.Via.IsValid():
		v.Action, v.Reason = ActionDropped, ReasonNotOnLink
	}
}

// wayTo returns the real server by whose route a packet leaves. The data of FTP may go to
// another address.
func wayTo(told *simipvs.Verdict) netip.Addr {
	if told.Way != nil {
		return told.Way.Server.Addr()
	}
	return told.Server.Addr()
}
