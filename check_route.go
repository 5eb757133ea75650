package lvs

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/golvs/lvs/internal/netstate"
)

// whyBlocked describes why a route leads nowhere; "" if it leads to a host.
func (p *hostView) whyBlocked(w netstate.Way) string {
	to := w.Question.To
	switch {
	case !w.Found && len(w.Gotos) > 0:
		return fmt.Sprintf("no route to %s: the rule of priority %d skips other rules", to, w.Gotos[0].Priority)
	case !w.Found:
		return "no route to " + to.String()
	case isBlockingRoute(w.Type) && (w.Rule.Action != "" || isCustomTable(w.Table)):
		return fmt.Sprintf("the rule of priority %d makes %s %s", w.Rule.Priority, to, w.Type)
	case isBlockingRoute(w.Type):
		return fmt.Sprintf("the route %s has the type %s", w.To, w.Type)
	case w.Onward() && p.isDeadEnd(w.Interface):
		return fmt.Sprintf("the route %s sends packets for %s to %s, which leads to no host", w.To, to, w.Interface)
	case w.Local() && !p.has(to):
		return fmt.Sprintf("the route %s keeps packets for %s on the host", w.To, to)
	}
	return ""
}

func isBlockingRoute(kind string) bool {
	return kind == "blackhole" || kind == "unreachable" || kind == "prohibit" || kind == "throw"
}

// isCustomTable reports whether a table is looked up only by rules of an administrator.
func isCustomTable(table int) bool { return table < netstate.MainTable-1 || table > localRouteTable }

// isDeadEnd reports whether packets that leave by an interface go nowhere.
func (p *hostView) isDeadEnd(iface string) bool {
	i := p.interfaces[iface]
	return (i.Loopback || i.Kind == "dummy") && !i.XDP && !i.Ingress
}

// mostUnblocked limits how many routes and rules are removed to find a usable route.
const mostUnblocked = 8

// unblock returns the commands that remove what blocks a way, one after another, until a
// route leads to its end, and whether one does.
func (p *hostView) unblock(w netstate.Way) (commands []string, leads bool) {
	routing, rules := p.routing, p.rules
	for range mostUnblocked {
		if p.whyBlocked(w) == "" {
			return commands, true
		}
		switch {
		case !w.Found && len(w.Throws) > 0:
			commands = append(commands, p.deleteRouteCommand(w.Throws[0]))
			routing = routing.Without(w.Throws[0])
		case !w.Found:
			command, ok := p.ruleFix(routing, rules, w)
			if ok {
				commands = append(commands, command)
			}
			return commands, ok
		case w.Rule.Action != "" || isCustomTable(w.Table) && isBlockingRoute(w.Type):
			commands = append(commands, p.deleteRuleCommand(*w.Rule))
			rules = rulesWithout(rules, *w.Rule)
			routing = routing.WithRules(rules)
		default:
			commands = append(commands, p.deleteRouteCommand(w.RouteEntry))
			routing = routing.Without(w.RouteEntry)
		}
		w = routing.Resolve(w.Question)
	}
	return commands, false
}

// ruleFix returns the command that removes a rule which skips others, or adds a default
// rule that is missing, if that leads to the end of a way.
func (p *hostView) ruleFix(routing *netstate.Routing, rules []netstate.RuleEntry, w netstate.Way) (command string, ok bool) {
	leads := func(rules []netstate.RuleEntry) bool {
		return p.whyBlocked(routing.WithRules(rules).Resolve(w.Question)) == ""
	}
	for _, rule := range w.Gotos {
		if leads(rulesWithout(rules, *rule)) {
			return p.deleteRuleCommand(*rule), true
		}
	}
	is6 := w.Question.To.Is6()
	for table, rule := range map[string]netstate.RuleEntry{"local": netstate.LocalRule(is6), "main": netstate.MainRule(is6)} {
		if leads(append(slices.Clone(rules), rule)) {
			return addRuleCommand(rule, table), true
		}
	}
	return "", false
}

func rulesWithout(all []netstate.RuleEntry, rule netstate.RuleEntry) []netstate.RuleEntry {
	return slices.DeleteFunc(slices.Clone(all), func(r netstate.RuleEntry) bool { return reflect.DeepEqual(r, rule) })
}
