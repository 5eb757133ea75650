package lvs

import (
	"math"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// Route is a route with one next hop.
type Route struct {
	To        netip.Prefix `json:"to"`                  // 0.0.0.0/0 or ::/0 is the default route
	Table     int          `json:"table,omitempty"`     // 0 is the main table
	Metric    int          `json:"metric,omitempty"`    // lower ones are preferred; 0 is 1024 in IPv6
	Via       netip.Addr   `json:"via,omitzero"`        // the next hop; the zero address: the destination is on the link
	Interface string       `json:"interface,omitempty"` // "" leaves it to the kernel, which finds it by Via
	Source    netip.Addr   `json:"source,omitzero"`     // of packets that the host sends; the zero address leaves it to the kernel
	MTU       int          `json:"mtu,omitempty"`       // in bytes; 0 is the interface's
	AdvMSS    int          `json:"advMSS,omitempty"`    // TCP segment size in bytes that is advertised to peers; 0 follows from the MTU
	OnLink    bool         `json:"onLink,omitempty"`    // Via is on the link, whatever its address
	Local     bool         `json:"local,omitempty"`     // packets are delivered to this host
}

// String returns the command of ip(8) that makes the route.
func (r Route) String() string {
	command := "ip" + familyFlag(r.To.Addr().Is6()) + " route replace "
	if r.Local {
		command += "local "
	}
	if r.To.Bits() == 0 {
		command += "default"
	} else {
		command += r.To.String()
	}
	command += optionText("via", r.Via) + optionText("dev", r.Interface) + optionText("src", r.Source)
	if r.OnLink {
		command += " onlink"
	}
	if r.Table != netstate.MainTable {
		command += optionText("table", r.Table)
	}
	if r.Metric == usualMetric6 && r.To.Addr().Is6() {
		r.Metric = 0
	}
	return command + optionText("metric", r.Metric) + optionText("mtu", r.MTU) + optionText("advmss", r.AdvMSS)
}

// Equal reports whether both are the same.
func (r Route) Equal(other Route) bool { return r == other }

func (r Route) key() string {
	r = r.normal()
	return "route " + Route{To: r.To, Table: r.Table, Metric: r.Metric}.String()
}

// usualMetric6 is the metric that an IPv6 route gets by default.
const usualMetric6 = 1024

// protocolStatic is the protocol of a route that an administrator made; routes of
// ip-route(8) have boot.
const protocolStatic = 4

// normal fills in what the kernel would.
func (r Route) normal() Route {
	if r.Table == 0 {
		r.Table = netstate.MainTable
	}
	if r.Metric == 0 && !r.To.Addr().Is4() {
		r.Metric = usualMetric6
	}
	return r
}

// scope returns the scope of an IPv4 route, "" for IPv6.
func (r Route) scope() string {
	switch {
	case !r.To.Addr().Is4():
		return ""
	case r.Local:
		return "host"
	case r.Via.IsValid():
		return "global"
	}
	return "link"
}

func (r Route) validate() *Error {
	if !r.To.IsValid() || r.To != r.To.Masked() || r.To.Addr().Is4In6() {
		return invalid("To", "%s is not a network", r.To)
	}
	is6 := r.To.Addr().Is6()
	if r.Interface != "" {
		if err := validateInterface("Interface", r.Interface); err != nil {
			return err
		}
	}
	for _, a := range []struct {
		field string
		addr  netip.Addr
	}{{"Via", r.Via}, {"Source", r.Source}} {
		if !a.addr.IsValid() {
			continue
		}
		if err := validateAddr(a.field, a.addr); err != nil {
			return err
		}
		if a.addr.Is6() != is6 {
			return invalid(a.field, "%s is not of the family of %s", a.addr, r.To)
		}
	}
	for _, n := range []struct {
		field string
		value int
		high  int64
	}{{"Table", r.Table, math.MaxUint32}, {"Metric", r.Metric, math.MaxUint32},
		{"MTU", r.MTU, 65520}, {"AdvMSS", r.AdvMSS, 65495}} { // the kernel reduces greater ones to these
		if n.value < 0 || int64(n.value) > n.high {
			return invalid(n.field, "%d is out of range [0, %d]", n.value, n.high)
		}
	}
	switch {
	case !r.Via.IsValid() && r.Interface == "":
		return invalid("Interface", "a route needs a next hop (Via) or an interface")
	case r.OnLink && (!r.Via.IsValid() || r.Interface == ""):
		return invalid("OnLink", "needs a next hop (Via) and an interface")
	case r.Local && r.Via.IsValid():
		return invalid("Via", "a local route has no next hop")
	}
	return nil
}

func (r Route) complete(found Resource) (Resource, *Error) {
	r = r.normal()
	if isForeign(found) {
		return nil, &Error{kind: ErrExists, Field: "To", detail: "the route already exists, with several next hops or options that could not be restored: remove it first"}
	}
	if was, ok := plainResource(found).(Route); ok && r.Interface == "" && r.Via == was.Via {
		r.Interface = was.Interface
	}
	return r, nil
}

// matches ignores the program that made a route.
func (r Route) matches(now Resource) bool {
	if found, ok := now.(foundRoute); ok && found.Scope == found.scope() {
		now = found.Route
	}
	n, ok := now.(Route)
	if r.Interface == "" {
		r.Interface = n.Interface
	}
	return ok && n == r
}

func (r Route) toNetwork() netstate.Resource {
	r = r.normal()
	return netstate.Route{
		To: r.To, Table: r.Table, Metric: r.Metric, Via: r.Via, Interface: r.Interface, Source: r.Source,
		MTU: r.MTU, AdvMSS: r.AdvMSS, OnLink: r.OnLink, Local: r.Local, Scope: r.scope(), Protocol: protocolStatic,
	}
}

func routeFrom(n netstate.Route) Resource {
	r := Route{
		To: n.To, Table: n.Table, Metric: n.Metric, Via: n.Via, Interface: n.Interface, Source: n.Source,
		MTU: n.MTU, AdvMSS: n.AdvMSS, OnLink: n.OnLink, Local: n.Local,
	}
	if n.Scope != r.scope() || n.Protocol != protocolStatic {
		return seenResource(foundRoute{r, n.Scope, n.Protocol}, n.Other)
	}
	return seenResource(r, n.Other)
}

// Rule is a rule of policy routing. It selects the table of routes for packets.
type Rule struct {
	Priority int          `json:"priority"`       // lower ones are evaluated first; the main table's rule has 32766
	From     netip.Prefix `json:"from,omitzero"`  // the zero prefix is any
	To       netip.Prefix `json:"to,omitzero"`    // the zero prefix is any
	Mark     uint32       `json:"mark,omitempty"` // firewall mark; 0 is any
	Table    int          `json:"table"`          // the number of the table
	IPv6     bool         `json:"ipv6,omitempty"` // it is for IPv6 packets
}

// String returns the command of ip(8) that makes the rule.
func (r Rule) String() string {
	from := " from all"
	if r.From.IsValid() {
		from = " from " + r.From.String()
	}
	return "ip" + familyFlag(r.IPv6) + " rule add" + from + optionText("to", r.To) + optionText("fwmark", r.Mark) +
		optionText("lookup", r.Table) + optionText("priority", r.Priority)
}

// Equal reports whether both are the same.
func (r Rule) Equal(other Rule) bool { return r == other }

func (r Rule) key() string { return r.String() }

func (r Rule) validate() *Error {
	for _, p := range []struct {
		field  string
		prefix netip.Prefix
	}{{"From", r.From}, {"To", r.To}} {
		if err := validateMatch(p.field, p.prefix, r.IPv6); err != nil {
			return err
		}
	}
	switch {
	case r.Table <= 0 || int64(r.Table) > math.MaxUint32:
		return invalid("Table", "needs the number of a table, 1 to 4294967295")
	case r.Priority <= 0 || int64(r.Priority) > math.MaxUint32:
		return invalid("Priority", "needs a number up to 4294967295, below 32766 to come before the main table")
	}
	return nil
}

func (r Rule) complete(found Resource) (Resource, *Error) {
	if isForeign(found) {
		return nil, &Error{kind: ErrExists, Field: "Priority", detail: "a rule with further conditions has this priority, and the kernel cannot tell them apart: use another priority"}
	}
	return r, nil
}

func (r Rule) matches(now Resource) bool { return now == r }

func (r Rule) toNetwork() netstate.Resource {
	return netstate.Rule{Priority: r.Priority, From: r.From, To: r.To, Mark: r.Mark, Table: r.Table, IPv6: r.IPv6}
}

func ruleFrom(n netstate.Rule) Resource {
	return seenResource(Rule{Priority: n.Priority, From: n.From, To: n.To, Mark: n.Mark, Table: n.Table, IPv6: n.IPv6}, n.Other)
}
