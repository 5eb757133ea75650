package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// checkSetup compares the host with the setup.
func (j *judge) checkSetup() {
	for i, s := range j.setup {
		if !j.isMet(s.Want, j.found[i]) {
			j.add(j.own, j.missingFinding(s, j.found[i]))
		}
	}
	for _, s := range j.setup {
		if a, ok := s.Want.(Address); ok && !s.AnyPrefix {
			j.checkMask(j.own, a.Prefix.Addr(), nil)
		}
	}
	j.checkVIPsServed()
}

// isMet reports whether the host holds what a requirement wants, or something equivalent.
func (j *judge) isMet(want, now Resource) bool {
	switch want := want.(type) {
	case Address:
		return now != nil && j.own.delivers(want.Prefix.Addr()) || j.hasVIP(want)
	case Link:
		if j.isLinkSpare(want) {
			return true
		}
	case Sysctl:
		if s, ok := now.(Sysctl); ok && want.Value == "1" && s.isOn() || j.isARPSilent(want) {
			return true
		}
	case Route:
		if j.own.followsRoute(want) {
			return true
		}
		if want.To.IsSingleIP() && !want.Via.IsValid() && j.vips[want.To.Addr()] {
			return true // ifconfig adds that route to an alias; packets do not need it
		}
	}
	if now == nil {
		return false
	}
	left, bad := want.complete(now)
	return bad == nil && left.matches(now)
}

// isOn reports whether a switch is on: to the kernel every value but 0 is on.
func (s Sysctl) isOn() bool {
	code := findingOfSysctl(s)
	return (code == FindingForwardingOff || code == FindingNATConntrack) && s.Value != "0" && s.Value != ""
}

// followsRoute reports whether packets go as a route wants, by one that has other options or
// another metric.
func (p *hostView) followsRoute(want Route) bool {
	want = want.normal()
	var first *RouteEntry
	for i := range p.Routes {
		if r := &p.Routes[i]; r.To == want.To && r.Table == want.Table && (first == nil || r.Metric < first.Metric) {
			first = r
		}
	}
	fits := func(want, has int) bool { return want == 0 || has != 0 && has <= want }
	return first != nil && first.Via == want.Via && (want.Interface == "" || first.Interface == want.Interface) &&
		(first.Type == "local") == want.Local && (first.Type == "" || want.Local) && first.Weight == 0 && !first.Partial &&
		(!want.Source.IsValid() || first.Source == want.Source) && fits(want.MTU, first.MTU) && fits(want.AdvMSS, first.AdvMSS)
}

// hasVIP reports whether packets for a wanted address are delivered, whatever interface has
// it, or another director has it now.
func (j *judge) hasVIP(want Address) bool {
	vip := want.Prefix.Addr()
	if j.own.delivers(vip) {
		return true
	}
	for _, e := range j.own.Services {
		if slices.Contains(j.vipsOf(j.own, e), vip) && j.standsBy(j.own, e.ID, vip) {
			return true
		}
	}
	return false
}

// isLinkSpare reports whether a link that is wanted up is not needed: another device unpacks
// the tunnel, or the addresses on it work while it is down.
func (j *judge) isLinkSpare(want Link) bool {
	if want.Kind == "dummy" || want.Kind == "" {
		down := j.own.interfaces[want.Name]
		return !down.Up && j.own.hasNoNetwork(want.Name) && !j.needsUp(want.Name)
	}
	if want.Remote.IsValid() {
		return false // no other device leads to that end
	}
	for _, l := range j.own.links {
		if !j.isDirectorAddr(l.Remote) {
			continue
		}
		if server := want.Local; l.Up && j.own.unpacks(l, want, server) {
			return true
		}
		if l.Up && !want.Local.IsValid() && j.own.unpacks(l, want, l.Local) && j.own.has(l.Local) {
			return true
		}
	}
	return false
}

// isDirectorAddr reports whether an address may be a director's; the zero address is any.
func (j *judge) isDirectorAddr(remote netip.Addr) bool {
	known := false
	for _, p := range j.hosts {
		if known = known || len(p.Services) > 0; len(p.Services) > 0 && p.has(remote) {
			return true
		}
	}
	return !remote.IsValid() || !known
}

// needsUp reports whether an interface has to be up. IPv4 addresses can work while it is
// down.
func (j *judge) needsUp(name string) bool {
	if _, known := j.own.interfaces[name]; !known {
		return true
	}
	spare := false
	for _, s := range j.setup {
		if a, ok := s.Want.(Address); ok && a.Interface == name {
			if a.Prefix.Addr().Is6() || !j.own.delivers(a.Prefix.Addr()) {
				return true
			}
			spare = true
		}
	}
	return !spare
}

// isARPSilent reports whether a sysctl that suppresses ARP is not needed: the host does not
// announce the setup's VIPs.
func (j *judge) isARPSilent(want Sysctl) bool {
	if code := findingOfSysctl(want); code != FindingARPFlux {
		return false
	}
	announces := strings.HasSuffix(string(want.Key), ".arp_announce")
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if !ok || !a.Prefix.Addr().Is4() {
			continue
		}
		for _, i := range j.own.Interfaces {
			if j.own.hasNoNetwork(i.Name) || i.NoARP {
				continue
			}
			what, severity := j.own.announces(j.own.addrsEqual(a.Prefix.Addr()), a.Prefix.Addr(), i.Name)
			if what != "" && announces == (severity == SeverityRisk) {
				return false
			}
		}
	}
	return true
}

// missingFinding returns the finding about a requirement that the host does not meet.
func (j *judge) missingFinding(s Requirement, now Resource) Finding {
	code, severity := findingOfResource(s.Want), SeverityBroken
	want, isSysctl := s.Want.(Sysctl)
	switch {
	case code == FindingSendRedirects, code == FindingRequirementMissing, code == FindingMTU:
		severity = SeverityRisk
	case code == FindingARPFlux && strings.HasSuffix(string(want.Key), ".arp_announce"):
		severity = SeverityRisk
	case code == FindingRPFilter && isSysctl && j.own.parameter(want.interfaceOf(), "rp_filter") != "1":
		severity = SeverityRisk // broken once the filter is on for all interfaces
	case code == FindingForwardingOff && !j.usesNAT():
		f := code.risk("required: %s; found: %s", s.Want, describeResource(now)).fix(s)
		f.Why = "packets that the host should forward besides IPVS are dropped"
		return f
	}
	f := code.at(severity, "required: %s; found: %s", s.Want, describeResource(now)).fix(s)
	if a, ok := s.Want.(Address); ok && s.InSubnet && len(j.own.subnetsContaining(a.Prefix.Addr())) == 0 {
		if again := j.addressFix(a); len(again) > 0 {
			f = f.fix(again...)
		}
	}
	if _, ok := s.Want.(Route); ok && isForeign(now) {
		f = f.fix().run(fmt.Sprint(s.Want)) // an Undo could not restore its next hops or options
	}
	if port, ok := s.Want.(FOUPort); ok {
		f = f.run(j.own.freePortCommands(port)...)
	}
	return f
}

// addressFix returns the requirements that give the host an address whose network it has
// lost; none if nothing is known of that network.
func (j *judge) addressFix(a Address) Setup {
	s := j.networkFix(j.own, a.Prefix.Addr())
	if len(s) == 0 {
		s = j.own.enableFix(a.Interface, a.Prefix.Addr())
	}
	if len(s) == 0 {
		return nil
	}
	return append(s, Requirement{Want: a, Why: "only a host that has the address receives its packets"})
}

// usesNAT reports whether the own host is a director that forwards answers, by its table or,
// if that is empty, by the setup.
func (j *judge) usesNAT() bool {
	for _, e := range j.own.Services {
		if slices.ContainsFunc(e.RealServers, func(s RealServerStatus) bool { return s.Mode == NAT() }) {
			return true
		}
	}
	return len(j.own.Services) == 0 && slices.ContainsFunc(j.setup, func(s Requirement) bool {
		return s.AnyPrefix
	})
}

// checkVIPsServed looks for VIPs of a director's setup that have no service.
func (j *judge) checkVIPsServed() {
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if !ok || !j.isDirectorVIP(s, a) || slices.ContainsFunc(j.own.Services, func(e ServiceEntry) bool {
			return e.ID.FWMark() != 0 || e.ID.AddrPort().Addr() == a.Prefix.Addr() || e.ID.AddrPort().Addr().IsUnspecified()
		}) {
			continue
		}
		f := FindingNoService.broken("the setup is for %s, but the table has no service for it", a.Prefix.Addr())
		changes := j.moveService(a.Prefix.Addr())
		if len(changes) == 0 {
			changes = j.servicesOfStandby(a.Prefix.Addr())
		}
		j.add(j.own, f.change(changes...).advise("add the service, with its real servers"))
	}
}

// isDirectorVIP reports whether an address of the setup is a director's VIP, where clients
// reach it.
func (j *judge) isDirectorVIP(s Requirement, a Address) bool {
	return !a.Prefix.Addr().IsLoopback() && !j.own.hasNoNetwork(a.Interface) && (s.AnyPrefix || s.InSubnet || len(j.own.subnetsContaining(a.Prefix.Addr())) > 0)
}

// findingOfResource returns the code of what goes wrong without a resource.
func findingOfResource(f Resource) FindingCode {
	switch f := f.(type) {
	case Sysctl:
		return findingOfSysctl(f)
	case Address:
		return FindingVIPMissing
	case Link:
		if f.Kind == "" || f.Kind == "dummy" {
			return FindingLinkDown
		}
		return FindingTunnelDown
	case FOUPort:
		return FindingFOUMissing
	case PacketMark:
		return FindingMarkMissing
	case Module:
		return FindingModuleMissing
	case SourceNAT:
		return FindingNATMissing
	case Rule:
		return FindingMTU
	case IPsecPolicy:
		return FindingClearText
	case IPsecAssociation:
		return FindingKeyMissing
	case Route:
		if f.AdvMSS != 0 {
			return FindingMTU
		}
		return FindingReturnRoute
	}
	return FindingRequirementMissing
}

func findingOfSysctl(s Sysctl) FindingCode {
	switch s.Key {
	case SysctlIPForward, SysctlIPv6Forwarding:
		return FindingForwardingOff
	case SysctlConntrack:
		return FindingNATConntrack
	}
	switch key := string(s.Key); key[strings.LastIndexByte(key, '.')+1:] {
	case "arp_ignore", "arp_announce":
		return FindingARPFlux
	case "rp_filter":
		return FindingRPFilter
	case "send_redirects":
		return FindingSendRedirects
	}
	return FindingRequirementMissing
}
