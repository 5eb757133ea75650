package lvs

import (
	"context"
	"fmt"
	"strings"
)

// settings compares the host with the setup.
func (c *checker) settings(ctx context.Context) error {
	for _, s := range c.setup {
		now, err := c.host.find(ctx, s.Want)
		if err != nil {
			return err
		}
		if ok, err := c.isSo(ctx, s.Want, now); err != nil {
			return err
		} else if !ok {
			c.found(c.missing(ctx, s, now))
		}
	}
	return c.masks(ctx)
}

// isSo tells whether the host has what a setting wants, or what does as well.
func (c *checker) isSo(ctx context.Context, want, now Fact) (bool, error) {
	switch want := want.(type) {
	case Address:
		if now != nil {
			return true, nil // its label does not matter
		}
		all, err := within(ctx, c.host.network.Addresses)
		for _, a := range all {
			if want.AnyPrefix && a.Interface == want.Interface && a.Prefix.Addr() == want.Prefix.Addr() {
				return true, nil
			}
		}
		return false, settingError("list", want, err)
	}
	if now == nil {
		return false, nil
	}
	left, bad := want.complete(now)
	return bad == nil && left.matches(now), nil
}

// strict tells whether an interface filters strictly: the greater of its value
// and that of all counts, and 1 is strict.
func (c *checker) strict(ctx context.Context, want Sysctl) bool {
	own, all := c.sysctl(ctx, want.Key), c.sysctl(ctx, InterfaceSysctl("all", "rp_filter", false))
	return max(own, all) == "1" // of one digit each
}

// missing is the finding of a setting that the host does not have.
func (c *checker) missing(ctx context.Context, s Setting, now Fact) Finding {
	code, severity := codeOf(s.Want), SeverityBroken
	want, isSysctl := s.Want.(Sysctl)
	switch {
	case code == "send-redirects", code == "setting-missing", code == "mtu", code == "alias-route":
		severity = SeverityRisk
	case code == "rp-filter" && isSysctl && !c.strict(ctx, want):
		severity = SeverityRisk // until somebody turns it on for all interfaces
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
func (c *checker) masks(ctx context.Context) error {
	all, err := within(ctx, c.host.network.Addresses)
	if err != nil {
		return settingError("list", nil, err)
	}
	for _, s := range c.setup {
		want, ok := s.Want.(Address)
		if !ok || want.AnyPrefix || want.InSubnet {
			continue
		}
		for _, a := range all {
			if a.Prefix.Addr() == want.Prefix.Addr() && !a.Prefix.IsSingleIP() {
				c.found(finding("vip-mask", SeverityBroken, "%s is on %s", a.Prefix, a.Interface).mend(s).
					run(fmt.Sprintf("ip addr del %s dev %s", a.Prefix, a.Interface)))
			}
		}
	}
	return nil
}

// elsewhere lists what this host cannot tell of itself.
func (c *checker) elsewhere() {
	c.cannotSee("arp-other", "ask from a client's network: arping -D -I IFACE VIP")
	c.cannotSee("path-mtu", "try from a client: ping -M do -s 1472 VIP; let ICMP 'fragmentation needed' and 'packet too big' through, or lower the MSS on the real servers")
	c.cannotSee("same-subnet", "clients in the servers' own network need FullNAT")
	c.cannotSee("clients-hidden", "masquerading in somebody else's table is not looked at: nft list ruleset")
	c.cannotSee("server-order", "compare the tables of all directors: sh and mh depend on the order in which servers were added")
	c.cannotSee("other-writers", "keepalived, ldirectord and kube-proxy write the table too")
	c.cannotSee("clients-behind-nat", "clients that share an address share a server")
}
