package lvs

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// addRuleCommand returns the command that adds a rule which looks up a table.
func addRuleCommand(rule netstate.RuleEntry, table string) string {
	return fmt.Sprintf("ip%s rule add priority %d lookup %s", familyFlag(rule.IPv6), rule.Priority, table)
}

// deleteRuleCommand returns the command that deletes a routing rule.
func (p *hostView) deleteRuleCommand(rule netstate.RuleEntry) string {
	command := fmt.Sprintf("ip%s rule del priority %d", familyFlag(rule.IPv6), rule.Priority)
	isOther := func(r netstate.RuleEntry) bool {
		return r.IPv6 == rule.IPv6 && r.Priority == rule.Priority && !reflect.DeepEqual(r, rule)
	}
	if !slices.ContainsFunc(p.rules, isOther) {
		return command
	}
	if rule.Not {
		command += " not"
	}
	if rule.From.IsValid() {
		command += " from " + rule.From.String()
	}
	if rule.To.IsValid() {
		command += " to " + rule.To.String()
	}
	command += optionText("iif", rule.In) + optionText("oif", rule.Out)
	if rule.Action != "" {
		return command + " " + rule.Action
	}
	return command + optionText("lookup", rule.Table)
}

// deleteRouteCommand returns the command that deletes a route, or the address that the
// kernel made it for.
func (p *hostView) deleteRouteCommand(r netstate.RouteEntry) string {
	is6 := r.To.Addr().Is6()
	for _, a := range p.addresses {
		if r.ByKernel && a.Interface == r.Interface && a.Prefix.Masked() == r.To {
			return fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(is6), a.Prefix, a.Interface)
		}
	}
	switch {
	case r.Type == "local":
		return "ip" + familyFlag(is6) + " route del local " + r.To.String() + optionText("dev", r.Interface) + routeTableFlag(r.Table)
	case isBlockingRoute(r.Type): // without the type, which the kernel sees otherwise for a nexthop object
		return "ip" + familyFlag(is6) + " route del " + r.To.String() + optionText("metric", r.Metric) + routeTableFlag(r.Table)
	}
	return routeDeleteCommand(r)
}

// deleteAddrCommands returns the commands that remove an address from the host.
func (p *hostView) deleteAddrCommands(a netip.Addr) (commands []string) {
	for _, own := range p.addrsEqual(a) {
		commands = append(commands, fmt.Sprintf("ip%s addr del %s dev %s", familyFlag(a.Is6()), own.Prefix, own.Interface))
	}
	return commands
}

func routeTableFlag(table int) string {
	if table == netstate.MainTable {
		return ""
	}
	return optionText("table", table)
}

// routeDeleteCommand returns the command that deletes a route.
func routeDeleteCommand(r netstate.RouteEntry) string {
	if r.Weight != 0 {
		r.Via, r.Interface = netip.Addr{}, "" // all of its next hops
	}
	return "ip" + familyFlag(r.To.Addr().Is6()) + " route del " + routeDestination(r) + optionText("via", r.Via) + optionText("dev", r.Interface) + optionText("metric", r.Metric) + routeTableFlag(r.Table)
}

// routeReplaceCommand returns the command that gives a route other next hops.
func routeReplaceCommand(r netstate.RouteEntry, hops ...netstate.RouteEntry) string {
	command := "ip" + familyFlag(r.To.Addr().Is6()) + " route replace " + routeDestination(r) + optionText("metric", r.Metric) + routeTableFlag(r.Table)
	for _, h := range hops {
		if len(hops) > 1 {
			command += " nexthop"
		}
		command += optionText("via", h.Via) + optionText("dev", h.Interface)
		if len(hops) > 1 {
			command += optionText("weight", h.Weight)
		}
	}
	return command
}

// routeDestination returns the destination of a route as commands write it.
func routeDestination(r netstate.RouteEntry) string {
	if r.To.Bits() == 0 {
		return "default"
	}
	return r.To.String()
}

// routeChangeCommand returns the command that removes the hop limit of a route.
func routeChangeCommand(r netstate.RouteEntry) string {
	to := r.To.String()
	if r.To.Bits() == 0 {
		to = "default"
	}
	return "ip" + familyFlag(r.To.Addr().Is6()) + " route change " + to + optionText("via", r.Via) + optionText("dev", r.Interface) + optionText("src", r.Source) +
		optionText("metric", r.Metric) + routeTableFlag(r.Table) + optionText("mtu", r.MTU) + optionText("advmss", r.AdvMSS)
}
