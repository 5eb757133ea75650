package lvs

import (
	"fmt"
	"slices"
)

// linkFault returns the finding about an interface that packets need but that does not
// pass them, and false if it does.
func (p *hostView) linkFault(name, need string) (Finding, bool) {
	i, known := p.interfaces[name]
	master := p.interfaces[i.Master]
	up := func(name string) Requirement { return Requirement{Want: Link{Name: name, Up: true}, Why: need} }
	switch {
	case !known:
	case !i.Up:
		f := FindingLinkDown.broken("%s is down: %s", name, need).fix(up(name))
		if below := p.interfaces[i.Below]; i.Below != "" && !below.Up {
			f = f.fix(up(i.Below), up(name))
		}
		return f, true
	case i.Below != "" && !p.interfaces[i.Below].Up:
		return FindingLinkDown.broken("%s is carried by %s, which is down: %s", name, i.Below, need).fix(up(i.Below)), true
	case p.interfaceOnTop(name) != "":
		return FindingLinkTaken.broken("%s, on top of %s, receives its packets: %s", p.interfaceOnTop(name), name, need).
			run("ip link del dev " + p.interfaceOnTop(name)), true
	case hasPorts(master.Kind), master.Kind == "vrf" && !p.hasVRFRoutes(name):
		return FindingLinkTaken.broken("%s belongs to %s, which receives its packets: %s", name, i.Master, need).
			run("ip link set dev " + name + " nomaster"), true
	case hasPorts(i.Kind) && !i.Carrier:
		return p.portFault(name, need)
	case !i.Carrier:
		return FindingLinkDown.broken("%s has no carrier: %s", name, need).advise("check the cable and the other end"), true
	}
	return Finding{}, false
}

// linkFault is that of the host. It adds the default route, which is lost with an interface
// that goes down, and does not come back with it.
func (j *judge) linkFault(p *hostView, name, need string) (Finding, bool) {
	f, bad := p.linkFault(name, need)
	if len(f.Fix) == 0 && f.Code != FindingLinkTaken {
		return f, bad
	}
	for _, a := range p.subnets {
		if a.Interface == name && a.Prefix.Addr().Is4() {
			f = f.fix(append(f.Fix, j.defaultRouteFix(p, a.Prefix)...)...)
			break
		}
	}
	return f, bad
}

// hasVRFRoutes reports whether an administrator gave the VRF of an interface routes by it,
// so that the interface is meant to be there.
func (p *hostView) hasVRFRoutes(iface string) bool {
	return slices.ContainsFunc(p.Routes, func(r RouteEntry) bool {
		return r.Interface == iface && isCustomTable(r.Table) && r.Type == "" && !r.ByKernel
	})
}

// hasPorts reports whether interfaces of a kind have other interfaces as ports.
func hasPorts(kind string) bool { return kind == "bridge" || kind == "bond" || kind == "team" }

// interfaceOnTop returns the interface on top of another one that receives all its packets;
// "" if none does.
func (p *hostView) interfaceOnTop(name string) string {
	for _, i := range p.Interfaces {
		if i.Takes && i.Below == name {
			return i.Name
		}
	}
	return ""
}

// portFault returns the finding about a bridge, bond or team that has no port which passes
// packets.
func (p *hostView) portFault(name, need string) (Finding, bool) {
	f := FindingLinkDown.broken("no port of the %s %s passes packets: %s", p.interfaces[name].Kind, name, need)
	ports := false
	for _, i := range p.Interfaces {
		if i.Master == name && !i.Up {
			return f.fix(Requirement{Want: Link{Name: i.Name, Up: true}, Why: need}), true
		}
		ports = ports || i.Master == name
	}
	if port := p.unusedInterface(); port != "" && !ports {
		f.Detail += fmt.Sprintf(", and %s is not used for anything", port)
		commands := []string{fmt.Sprintf("ip link set dev %s master %s", port, name)}
		if p.interfaces[name].Kind != "bridge" {
			commands = []string{"ip link set dev " + port + " down", commands[0]} // a bond accepts no port that is up
		}
		return f.run(commands...).fix(Requirement{Want: Link{Name: port, Up: true}, Why: need}), true
	}
	return f.advise("check its ports: ip link show master %s", name), true
}

// unusedInterface returns the one network interface that is not a port, has no address and
// carries no other interface; "" if there is not exactly one.
func (p *hostView) unusedInterface() (name string) {
	used := make(map[string]bool)
	for _, a := range p.addresses {
		used[a.Interface] = used[a.Interface] || !a.Prefix.Addr().IsLinkLocalUnicast()
	}
	for _, i := range p.Interfaces {
		used[i.Below] = true
	}
	for _, i := range p.Interfaces {
		if used[i.Name] || i.Master != "" || i.Below != "" || p.hasNoNetwork(i.Name) || hasPorts(i.Kind) || i.Up && !i.Carrier {
			continue
		}
		if name != "" {
			return ""
		}
		name = i.Name
	}
	return name
}
