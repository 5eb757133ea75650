package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// settings compares the host with the setup.
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

// isMet reports whether the host has what a setting wants, or what does as well.
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
			return true // ifconfig's alias has it; packets find the VIP without
		}
	}
	if now == nil {
		return false
	}
	left, bad := want.complete(now)
	return bad == nil && left.matches(now)
}

// isOn reports whether a switch is on: for the kernel all values but 0 are.
func (s Sysctl) isOn() bool {
	code := findingOfSysctl(s)
	return (code == FindingForwardingOff || code == FindingNATConntrack) && s.Value != "0" && s.Value != ""
}

// followsRoute reports whether packets take the route that is wanted by another one, which
// has more options or another metric.
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

// hasVIP reports whether packets for a wanted address are delivered, wherever it
// is, or another host has it as the director.
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

// isLinkSpare reports whether a link that is wanted up is not needed: another one takes
// a tunnel's packets, or what it is for is there all the same.
func (j *judge) isLinkSpare(want Link) bool {
	if want.Kind == "dummy" || want.Kind == "" {
		down := j.own.interfaces[want.Name]
		return !down.Up && j.own.hasNoNetwork(want.Name) && !j.needsUp(want.Name)
	}
	if want.Remote.IsValid() {
		return false // no other one leads to that end
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

// isDirectorAddr reports whether an address may be that of a director; the zero address is any.
func (j *judge) isDirectorAddr(remote netip.Addr) bool {
	known := false
	for _, p := range j.hosts {
		if known = known || len(p.Services) > 0; len(p.Services) > 0 && p.has(remote) {
			return true
		}
	}
	return !remote.IsValid() || !known
}

// needsUp reports whether an interface has to be up: one that has only IPv4
// addresses which are delivered all the same has not.
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

// isARPSilent reports whether a parameter that silences ARP is not needed: the host
// does not announce the setup's VIPs.
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

// missingFinding is the finding of a setting that the host does not have.
func (j *judge) missingFinding(s Requirement, now Resource) Finding {
	code, severity := findingOfResource(s.Want), SeverityBroken
	want, isSysctl := s.Want.(Sysctl)
	switch {
	case code == FindingSendRedirects, code == FindingSettingMissing, code == FindingMTU:
		severity = SeverityRisk
	case code == FindingARPFlux && strings.HasSuffix(string(want.Key), ".arp_announce"):
		severity = SeverityRisk
	case code == FindingRPFilter && isSysctl && j.own.parameter(want.interfaceOf(), "rp_filter") != "1":
		severity = SeverityRisk // until it is turned on for all interfaces
	case code == FindingForwardingOff && !j.usesNAT():
		f := code.risk("%s: there is %s", s.Want, describeResource(now)).fix(s)
		f.Why = "what this host shall forward besides IPVS is dropped"
		return f
	}
	f := code.at(severity, "%s: there is %s", s.Want, describeResource(now)).fix(s)
	if a, ok := s.Want.(Address); ok && s.InSubnet && len(j.own.subnetsContaining(a.Prefix.Addr())) == 0 {
		if again := j.addressFix(a); len(again) > 0 {
			f = f.fix(again...)
		}
	}
	if _, ok := s.Want.(Route); ok && isForeign(now) {
		f = f.fix().run(fmt.Sprint(s.Want)) // its next hops or options cannot be put back
	}
	if port, ok := s.Want.(FOUPort); ok {
		f = f.run(j.own.freePortCommands(port)...)
	}
	return f
}

// addressFix are the settings that give the host an address whose network it has lost;
// none if nothing is known of that network.
func (j *judge) addressFix(a Address) Setup {
	s := j.networkFix(j.own, a.Prefix.Addr())
	if len(s) == 0 {
		s = j.own.enableFix(a.Interface, a.Prefix.Addr())
	}
	if len(s) == 0 {
		return nil
	}
	return append(s, Requirement{Want: a, Why: "packets for it are delivered only to a host that has it"})
}

// usesNAT reports whether the own host is a director that forwards answers, by its
// table or, if that is empty, by the setup.
func (j *judge) usesNAT() bool {
	for _, e := range j.own.Services {
		if slices.ContainsFunc(e.Servers, func(s RealServerStatus) bool { return s.Mode == NAT }) {
			return true
		}
	}
	return len(j.own.Services) == 0 && slices.ContainsFunc(j.setup, func(s Requirement) bool {
		return s.AnyPrefix
	})
}

// checkVIPsServed looks for VIPs of a director's setup that no service is for.
func (j *judge) checkVIPsServed() {
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if !ok || !j.isDirectorVIP(s, a) || slices.ContainsFunc(j.own.Services, func(e ServiceEntry) bool {
			return e.ID.FWMark() != 0 || e.ID.AddrPort().Addr() == a.Prefix.Addr() || e.ID.AddrPort().Addr().IsUnspecified()
		}) {
			continue
		}
		f := FindingNoService.broken("no service of the table is for %s, which the setup is for", a.Prefix.Addr())
		changes := j.moveService(a.Prefix.Addr())
		if len(changes) == 0 {
			changes = j.servicesOfStandby(a.Prefix.Addr())
		}
		j.add(j.own, f.change(changes...).advise("add the service, with its real servers"))
	}
}

// isDirectorVIP reports whether an address of the setup is a director's VIP: that is
// where clients reach it.
func (j *judge) isDirectorVIP(s Requirement, a Address) bool {
	return !a.Prefix.Addr().IsLoopback() && !j.own.hasNoNetwork(a.Interface) && (s.AnyPrefix || s.InSubnet || len(j.own.subnetsContaining(a.Prefix.Addr())) > 0)
}

// findingOfResource names what goes wrong without a fact.
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
	return FindingSettingMissing
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
	return FindingSettingMissing
}
