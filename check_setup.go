package lvs

import (
	"fmt"
	"strings"
)

// settings compares the host with the setup.
func (j *judge) settings() {
	for i, s := range j.setup {
		if !j.isSo(s.Want, j.found[i]) {
			j.add(j.own, j.missing(s, j.found[i]))
		}
	}
	j.masks()
}

// isSo reports whether the host has what a setting wants, or what does as well.
func (j *judge) isSo(want, now Fact) bool {
	if want, ok := want.(Address); ok {
		if now != nil {
			return true // its label does not matter
		}
		for _, a := range j.own.having(want.Prefix.Addr()) {
			if want.AnyPrefix && a.Interface == want.Interface {
				return true
			}
		}
		return false
	}
	if now == nil {
		return false
	}
	left, bad := want.complete(now)
	return bad == nil && left.matches(now)
}

// missing is the finding of a setting that the host does not have.
func (j *judge) missing(s Setting, now Fact) Finding {
	code, severity := codeOf(s.Want), SeverityBroken
	want, isSysctl := s.Want.(Sysctl)
	switch {
	case code == "send-redirects", code == "setting-missing", code == "mtu", code == "alias-route":
		severity = SeverityRisk
	case code == "rp-filter" && isSysctl && j.own.parameter(want.interfaceOf(), "rp_filter") != "1":
		severity = SeverityRisk // until it is turned on for all interfaces
	}
	return finding(code, severity, "%s: there is %s", s.Want, show(now)).mend(s)
}

// codeOf names what goes wrong without a fact.
func codeOf(f Fact) string {
	switch f := f.(type) {
	case Sysctl:
		return codeOfSysctl(f)
	case Address:
		return "vip-missing"
	case Link:
		if f.Kind == "" || f.Kind == "dummy" {
			return "link-down"
		}
		return "tunnel-down"
	case FOUPort:
		return "fou-missing"
	case Module:
		return "module-missing"
	case SourceNAT:
		return "nat-missing"
	case Rule:
		return "mtu"
	case SecurityPolicy:
		return "clear-text"
	case SecurityAssociation:
		return "key-missing"
	case Route:
		switch {
		case f.AdvMSS != 0:
			return "mtu"
		case !f.Via.IsValid():
			return "alias-route"
		}
		return "return-route"
	}
	return "setting-missing"
}

func codeOfSysctl(s Sysctl) string {
	switch s.Key {
	case IPForward, IPv6Forwarding:
		return "forwarding-off"
	case VSConntrack.Key:
		return "nat-conntrack"
	}
	switch s.Key[strings.LastIndexByte(s.Key, '.')+1:] {
	case "arp_ignore", "arp_announce":
		return "arp-flux"
	case "rp_filter":
		return "rp-filter"
	case "send_redirects":
		return "send-redirects"
	}
	return "setting-missing"
}

// masks looks for VIPs of the setup that are there with a network around them, on
// a device that no network is behind.
func (j *judge) masks() {
	for _, s := range j.setup {
		want, ok := s.Want.(Address)
		if !ok || want.AnyPrefix || want.InSubnet {
			continue
		}
		for _, a := range j.own.having(want.Prefix.Addr()) {
			if !a.Prefix.IsSingleIP() {
				j.add(j.own, finding("vip-mask", SeverityBroken, "%s is on %s", a.Prefix, a.Interface).mend(s).
					run(fmt.Sprintf("ip addr del %s dev %s", a.Prefix, a.Interface)))
			}
		}
	}
}
