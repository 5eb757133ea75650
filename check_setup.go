package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// settings compares the host with the setup.
func (j *judge) requirements() {
	for i, s := range j.setup {
		if !j.isSo(s.Want, j.found[i]) {
			j.add(j.own, j.missing(s, j.found[i]))
		}
	}
	for _, s := range j.setup {
		if a, ok := s.Want.(Address); ok && !a.AnyPrefix {
			j.masked(j.own, a.Prefix.Addr(), nil)
		}
	}
	j.unserved()
}

// isSo reports whether the host has what a setting wants, or what does as well.
func (j *judge) isSo(want, now Resource) bool {
	switch want := want.(type) {
	case Address:
		return now != nil && j.own.delivers(want.Prefix.Addr()) || j.hasVIP(want)
	case Link:
		if j.isOpen(want) {
			return true
		}
	case Sysctl:
		if s, ok := now.(Sysctl); ok && want.Value == "1" && s.isOn() || j.isSilent(want) {
			return true
		}
	case Route:
		if j.own.goesAs(want) {
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
	code := codeOfSysctl(s)
	return (code == FindingForwardingOff || code == FindingNATConntrack) && s.Value != "0" && s.Value != ""
}

// goesAs reports whether packets take the route that is wanted by another one, which
// has more options or another metric.
func (p *party) goesAs(want Route) bool {
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

// isOpen reports whether a link that is wanted up is not needed: another one takes
// a tunnel's packets, or what it is for is there all the same.
func (j *judge) isOpen(want Link) bool {
	if want.Kind == "dummy" || want.Kind == "" {
		down := j.own.interfaces[want.Name]
		return !down.Up && j.own.isBlind(want.Name) && !j.needsUp(want.Name)
	}
	if want.Remote.IsValid() {
		return false // no other one leads to that end
	}
	for _, l := range j.own.links {
		if !j.isKnown(l.Remote) {
			continue
		}
		if server := want.Local; l.Up && j.own.takes(l, want, server) {
			return true
		}
		if l.Up && !want.Local.IsValid() && j.own.takes(l, want, l.Local) && j.own.has(l.Local) {
			return true
		}
	}
	return false
}

// isKnown reports whether an address may be that of a director; the zero address is any.
func (j *judge) isKnown(remote netip.Addr) bool {
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

// isSilent reports whether a parameter that silences ARP is not needed: the host
// does not announce the setup's VIPs.
func (j *judge) isSilent(want Sysctl) bool {
	if code := codeOfSysctl(want); code != FindingARPFlux {
		return false
	}
	announces := strings.HasSuffix(string(want.Key), ".arp_announce")
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if !ok || !a.Prefix.Addr().Is4() {
			continue
		}
		for _, i := range j.own.Interfaces {
			if j.own.isBlind(i.Name) || i.NoARP {
				continue
			}
			what, severity := j.own.tells(j.own.having(a.Prefix.Addr()), a.Prefix.Addr(), i.Name)
			if what != "" && announces == (severity == SeverityRisk) {
				return false
			}
		}
	}
	return true
}

// missing is the finding of a setting that the host does not have.
func (j *judge) missing(s Requirement, now Resource) Finding {
	code, severity := codeOf(s.Want), SeverityBroken
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
	if a, ok := s.Want.(Address); ok && a.InSubnet && len(j.own.networks(a.Prefix.Addr())) == 0 {
		if again := j.regained(a); len(again) > 0 {
			f = f.fix(again...)
		}
	}
	if was, ok := now.(Route); ok && was.Other {
		f = f.fix().run(fmt.Sprint(s.Want)) // its next hops or options cannot be put back
	}
	if port, ok := s.Want.(FOUPort); ok {
		f = f.run(j.own.freePort(port)...)
	}
	return f
}

// regained are the settings that give the host an address whose network it has lost;
// none if nothing is known of that network.
func (j *judge) regained(a Address) Setup {
	s := j.regain(j.own, a.Prefix.Addr())
	if len(s) == 0 {
		s = j.own.enabled(a.Interface, a.Prefix.Addr())
	}
	if len(s) == 0 {
		return nil
	}
	a.InSubnet = false
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
		a, ok := s.Want.(Address)
		return ok && a.AnyPrefix
	})
}

// unserved looks for VIPs of a director's setup that no service is for.
func (j *judge) unserved() {
	for _, s := range j.setup {
		a, ok := s.Want.(Address)
		if !ok || !j.isDirectors(a) || slices.ContainsFunc(j.own.Services, func(e ServiceEntry) bool {
			return e.ID.FWMark() != 0 || e.ID.AddrPort().Addr() == a.Prefix.Addr() || e.ID.AddrPort().Addr().IsUnspecified()
		}) {
			continue
		}
		f := FindingNoService.broken("no service of the table is for %s, which the setup is for", a.Prefix.Addr())
		changes := j.misplaced(a.Prefix.Addr())
		if len(changes) == 0 {
			changes = j.standIn(a.Prefix.Addr())
		}
		j.add(j.own, f.change(changes...).advise("add the service, with its real servers"))
	}
}

// isDirectors reports whether an address of the setup is a director's VIP: that is
// where clients reach it.
func (j *judge) isDirectors(a Address) bool {
	return !a.Prefix.Addr().IsLoopback() && !j.own.isBlind(a.Interface) && (a.AnyPrefix || a.InSubnet || len(j.own.networks(a.Prefix.Addr())) > 0)
}

// misplaced returns the changes that give a service to a VIP that has none: those
// of a service whose VIP the host does not have.
func (j *judge) misplaced(vip netip.Addr) (changes []Change) {
	for _, e := range j.own.Services {
		if e.ID.FWMark() != 0 || e.ID.Is6() != vip.Is6() || j.own.delivers(e.ID.AddrPort().Addr()) {
			continue
		}
		if changes != nil {
			return nil // which of them is not known
		}
		service := e.Service
		service.ID = addressID(e.ID.Protocol(), netip.AddrPortFrom(vip, e.ID.AddrPort().Port()))
		changes = append(changes, AddService(service))
		for _, s := range e.Servers {
			changes = append(changes, AddRealServer(service.ID, s.RealServer))
		}
	}
	return changes
}

// codeOf names what goes wrong without a fact.
func codeOf(f Resource) FindingCode {
	switch f := f.(type) {
	case Sysctl:
		return codeOfSysctl(f)
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

func codeOfSysctl(s Sysctl) FindingCode {
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
