package lvs

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/golvs/lvs/internal/hostnet"
)

// filters follows the packets of a service through the firewall of the director.
func (j *judge) filters(director *party, e ServiceEntry) {
	if e.ID.FWMark() != 0 {
		j.marks(director, e)
	}
	for _, vip := range j.vipsOf(director, e) {
		if !director.delivers(vip) {
			continue
		}
		names := director.askedOn(vip)
		if len(names) == 0 {
			names = []string{""}
		}
		for _, name := range names {
			p := packetTo(e, netip.AddrPortFrom(vip, e.ID.VIP().Port()))
			p.in = name
			j.sieve(director, p, j.clientsOf(director, vip), fmt.Sprintf("packets for %s", e.ID), "ingress", "prerouting", "input")
			j.bypasses(director, name)
		}
	}
}

// packetTo is the first packet to an address, as a firewall sees it.
func packetTo(e ServiceEntry, to netip.AddrPort) parcel {
	protocol := uint8(e.ID.Protocol())
	if e.ID.FWMark() != 0 {
		protocol = uint8(ProtocolTCP)
	}
	return parcel{to: to, is6: to.Addr().Is6(), protocol: protocol, state: hostnet.StateNew}
}

// sieve adds findings about what a firewall does to packets, from clients that are
// known and from others.
func (j *judge) sieve(host *party, p parcel, clients []netip.Addr, what string, hooks ...string) {
	if why, _ := host.unread("firewall"); why != "" {
		j.doubt(host, why)
	}
	const most = 16 // clients, of which few differ in a firewall's eyes
	for _, client := range append(slices.Clone(clients[:min(len(clients), most)]), netip.Addr{}) {
		one := p
		if client.IsValid() {
			one.from = netip.AddrPortFrom(client, 0)
		}
		f := host.firewall.follow(one, hooks...)
		if j.sieved(host, f, one, what) {
			return
		}
	}
}

// sieved adds the finding about what becomes of a packet, and reports whether it
// does not arrive.
func (j *judge) sieved(host *party, f fate, p parcel, what string) bool {
	p.from = netip.AddrPort{}
	switch {
	case f.drops != nil:
		j.add(host, finding("firewall", SeverityBroken, "%s are dropped by %s", what, f.drops).run(f.drops.allow(p)))
		return true
	case f.sends != nil:
		j.add(host, finding("firewall", SeverityBroken, "%s are sent elsewhere by %s", what, f.sends).run(f.sends.allow(p)))
		return true
	case f.may != nil && f.may.rule != nil && !f.may.rule.Partial && len(f.may.rule.From) > 0 && f.may.rule.Verdict != "other":
		j.add(host, finding("firewall", SeverityRisk, "%s are dropped for some clients by %s", what, f.may).advise("look whether these clients are to be kept out"))
	case f.may != nil:
		j.doubt(host, f.may.String()+" may drop "+what)
	case f.maySend != nil:
		j.doubt(host, f.maySend.String()+" may send "+what+" elsewhere")
	}
	return false
}

// doubt notes why it is not known what a host's firewall does.
func (j *judge) doubt(host *party, why string) {
	at := "here"
	if label := host.label(); label != "" {
		at = "on " + label
	}
	_, command := host.unread("firewall")
	j.doubts = append(j.doubts, fmt.Sprintf("%s: %s (%s)", at, why, cmp.Or(command, "nft list ruleset; iptables-save")))
}

// bypasses notes what sees the packets of an interface besides the firewall.
func (j *judge) bypasses(host *party, name string) {
	i := host.interfaces[name]
	where := "here"
	if label := host.label(); label != "" {
		where = "on " + label
	}
	if i.XDP {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: a program at XDP sees packets of %s first (bpftool net)", where, name))
	}
	if i.Ingress {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: traffic control sees what comes in by %s first (tc filter show dev %s ingress)", where, name, name))
	}
	if i.Queue != "" {
		j.doubts = append(j.doubts, fmt.Sprintf("%s: the queue %s of %s may drop packets (tc -s qdisc show dev %s)", where, i.Queue, name, name))
	}
}

// marks looks whether packets get the mark of a service.
func (j *judge) marks(director *party, e ServiceEntry) {
	if why, _ := director.unread("firewall"); why != "" {
		j.doubt(director, why)
		return
	}
	if len(director.firewall.marking(e.ID)) > 0 {
		return
	}
	if slices.ContainsFunc(director.FirewallRules, func(r FirewallRule) bool { return r.Verdict == "other" }) {
		j.doubt(director, "no rule is known that marks packets for "+e.ID.String())
		return
	}
	j.add(director, finding("mark-missing", SeverityBroken, "no rule gives packets the mark of %s", e.ID).
		advise("add one: iptables -t mangle -A PREROUTING -d VIP -p tcp --dport PORT -j MARK --set-mark %d", e.ID.FWMark()))
}

// sent follows packets to a real server through the firewall of the director, and
// through the server's.
func (j *judge) sent(director *party, e ServiceEntry, s RealServer, host *party) {
	out := director.route(s.Addr.Addr(), netip.Addr{}).Interface
	what := fmt.Sprintf("packets of %s to %s", e.ID, s.Addr)
	state := uint8(hostnet.StateUntracked)
	if director.sysctl(VSConntrack.Key) != "0" {
		state = hostnet.StateNew
	}
	for _, p := range j.forwardedPackets(director, e, s) {
		p.out, p.state = out, state
		j.sieve(director, p, nil, what, "output", "postrouting")
		j.bypasses(director, out)
		if host == nil {
			continue
		}
		p.in, p.out, p.state = host.interfaceOn(s.Addr.Addr()), "", hostnet.StateNew
		if f := host.firewall.follow(p, "ingress", "prerouting", "input"); f.sends == nil && f.maySend == nil {
			j.sieve(host, p, nil, what, "ingress", "prerouting", "input")
		}
		j.bypasses(host, p.in)
	}
	if s.Mode == NAT {
		j.sentBack(director, e, s, out)
	}
}

// forwardedPackets are those that leave the director for a real server.
func (j *judge) forwardedPackets(director *party, e ServiceEntry, s RealServer) (all []parcel) {
	switch {
	case s.Mode == NAT:
		to := s.Addr
		if to.Port() == 0 {
			to = netip.AddrPortFrom(to.Addr(), e.ID.VIP().Port())
		}
		return []parcel{packetTo(e, to)}
	case s.Mode.isTunnel():
		p := packetTo(e, netip.AddrPortFrom(s.Addr.Addr(), s.Mode.tunnelPort()))
		p.protocol = outerProtocol(s.Mode, e.ID.Is6())
		if src := director.route(s.Addr.Addr(), netip.Addr{}).Source; src.IsValid() {
			p.from = netip.AddrPortFrom(src, 0)
		}
		return []parcel{p}
	}
	for _, vip := range j.vipsOf(director, e) {
		all = append(all, packetTo(e, netip.AddrPortFrom(vip, e.ID.VIP().Port())))
	}
	return all
}

// sentBack follows a NAT server's answers through the director's firewall, which
// sees them before IPVS gives them the VIP.
func (j *judge) sentBack(director *party, e ServiceEntry, s RealServer, in string) {
	state := uint8(hostnet.StateInvalid | hostnet.StateUntracked)
	if director.sysctl(VSConntrack.Key) != "0" {
		state = hostnet.StateEstablished
	}
	p := parcel{in: in, from: s.Addr, is6: e.ID.Is6(), protocol: uint8(e.ID.Protocol()), state: state}
	f := director.firewall.follow(p, "prerouting", "forward")
	what := fmt.Sprintf("answers of %s", s.Addr)
	if f.drops != nil {
		command := f.drops.allow(parcel{from: netip.AddrPortFrom(s.Addr.Addr(), 0), is6: p.is6, protocol: p.protocol})
		j.add(director, finding("firewall", SeverityBroken, "%s are dropped by %s", what, f.drops).run(command))
	} else if f.may != nil {
		j.doubt(director, f.may.String()+" may drop "+what)
	}
}

// translates reports whether what goes to a server gets the director's address, so
// that it answers there whatever its routes. Where that may be so, it is not told
// what its routes should be.
func (j *judge) translates(director *party, e ServiceEntry, s RealServer, host *party) bool {
	server := s.Addr.Addr()
	planned := director.isOwn && slices.ContainsFunc(j.setup, func(s Setting) bool {
		nat, ok := s.Want.(SourceNAT)
		return ok && nat.To.IsValid() && nat.To.Contains(server)
	})
	if planned {
		return true
	}
	p := packetTo(e, s.Addr)
	p.out = director.route(server, netip.Addr{}).Interface
	f := director.firewall.follow(p, "postrouting")
	why, _ := director.unread("firewall")
	tracked := director.sysctl(VSConntrack.Key) != "0"
	switch {
	case !f.maySource && why == "":
		return false
	case !tracked && f.maySource && !host.hasHop(director):
		j.add(director, finding("nat-conntrack", SeverityBroken, "rules give %s another source, and %s is 0", s.Addr, VSConntrack.Key).
			mend(VSConntrack.Setting(1, "source NAT sees only connections that netfilter tracks")))
		return true
	case !tracked:
		return false
	case f.sources:
		return true
	}
	j.unclear["return-route"], j.unclear["same-subnet"] = true, true
	return true
}

// firewalls lists what firewalls may do, where that is not known.
func (j *judge) firewalls() {
	slices.Sort(j.doubts)
	if all := slices.Compact(j.doubts); len(all) > 0 {
		const most = 5
		text := strings.Join(all[:min(len(all), most)], "; ")
		if more := len(all) - most; more > 0 {
			text += fmt.Sprintf("; and %d more", more)
		}
		j.cannotSee("firewall", "%s", text)
		return
	}
	if len(j.hosts) == 1 || len(j.absent) > 0 {
		j.cannotSee("firewall", "look at the firewalls of the real servers, and of what is between: nft list ruleset; iptables-save")
	}
}
