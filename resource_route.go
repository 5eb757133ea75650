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
	Metric    int          `json:"metric,omitempty"`    // 0 is 1024 in IPv6
	Via       netip.Addr   `json:"via,omitzero"`        // the zero address: the destination is on the link
	Interface string       `json:"interface,omitempty"` // "" leaves it to the kernel, by Via
	Source    netip.Addr   `json:"source,omitzero"`     // of packets that the host sends; the zero address leaves it to the kernel
	MTU       int          `json:"mtu,omitempty"`       // in bytes; 0 is the interface's
	AdvMSS    int          `json:"advMSS,omitempty"`    // what is told to peers as the greatest segment; 0 is by the MTU
	OnLink    bool         `json:"onLink,omitempty"`    // Via is on the link, whatever its address
	Local     bool         `json:"local,omitempty"`     // packets are delivered to this host

	// Scope and Protocol are what was found, to be put back: when wanted, leave
	// them out. Other says that the route has what this type cannot tell.
	Scope    string `json:"scope,omitempty"`
	Protocol int    `json:"protocol,omitempty"`
	Other    bool   `json:"other,omitempty"`
}

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

// Equal tells whether both are the same.
func (r Route) Equal(other Route) bool { return r == other }

func (r Route) key() string {
	r = r.normal()
	return "route " + Route{To: r.To, Table: r.Table, Metric: r.Metric}.String()
}

// usualMetric6 is the metric of an IPv6 route that is given none.
const usualMetric6 = 1024

// protocolStatic is what routes of an administrator have; ip-route(8) gives boot.
const protocolStatic = 4

// normal fills in what the kernel would.
func (r Route) normal() Route {
	if r.Table == 0 {
		r.Table = netstate.MainTable
	}
	if r.Protocol == 0 {
		r.Protocol = protocolStatic
	}
	switch {
	case !r.To.Addr().Is4():
		if r.Metric == 0 {
			r.Metric = usualMetric6
		}
	case r.Scope != "":
	case r.Local:
		r.Scope = "host"
	case r.Via.IsValid():
		r.Scope = "global"
	default:
		r.Scope = "link"
	}
	return r
}

func (r Route) validate() *Error {
	if !r.To.IsValid() || r.To != r.To.Masked() || r.To.Addr().Is4In6() {
		return invalid("To", "%s is not a network", r.To)
	}
	is6 := r.To.Addr().Is6()
	if r.Interface != "" {
		if err := interfaceName("Interface", r.Interface); err != nil {
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
		if err := plainAddr(a.field, a.addr); err != nil {
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
	}{{"Table", r.Table, math.MaxUint32}, {"Metric", r.Metric, math.MaxUint32}, {"Protocol", r.Protocol, math.MaxUint8},
		{"MTU", r.MTU, 65520}, {"AdvMSS", r.AdvMSS, 65495}} { // of greater ones the kernel makes these
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
	case r.Via.IsValid() && (r.Scope == "link" || r.Scope == "host"):
		return invalid("Scope", "a route with a next hop has the scope global or site")
	case r.Scope != "" && (is6 || r.Scope != "global" && r.Scope != "site" && r.Scope != "link" && r.Scope != "host"):
		return invalid("Scope", "%q is not global, site, link or host, of an IPv4 route", r.Scope)
	case r.Other:
		return invalid("Other", "must not be set")
	}
	return nil
}

func (r Route) complete(found Resource) (Resource, *Error) {
	r = r.normal()
	if found == nil {
		return r, nil
	}
	was := found.(Route)
	if was.Other {
		return nil, &Error{kind: ErrExists, Field: "To", detail: "there is such a route, with several next hops or options that cannot be put back: remove it first"}
	}
	if r.Interface == "" && r.Via == was.Via {
		r.Interface = was.Interface
	}
	r.Protocol = was.Protocol // who made it does not matter
	return r, nil
}

func (r Route) matches(now Resource) bool {
	n, ok := now.(Route)
	if r.Interface == "" {
		r.Interface = n.Interface
	}
	return ok && n == r
}

func (r Route) toNetwork() netstate.Resource { return netstate.Route(r.normal()) }

// Rule is a rule of policy routing: which packets use which table of routes.
type Rule struct {
	Priority int          `json:"priority"`       // lower ones are asked first; the main table's is 32766
	From     netip.Prefix `json:"from,omitzero"`  // the zero prefix is any
	To       netip.Prefix `json:"to,omitzero"`    // the zero prefix is any
	Mark     uint32       `json:"mark,omitempty"` // of the firewall; 0 is any
	Table    int          `json:"table"`          // of routes, by its number
	IPv6     bool         `json:"ipv6,omitempty"` // it is for IPv6 packets

	// Other is what was found: a rule with these fields, and with conditions that
	// this type cannot tell, such as an interface.
	Other bool `json:"other,omitempty"`
}

func (r Rule) String() string {
	from := " from all"
	if r.From.IsValid() {
		from = " from " + r.From.String()
	}
	return "ip" + familyFlag(r.IPv6) + " rule add" + from + optionText("to", r.To) + optionText("fwmark", r.Mark) +
		optionText("lookup", r.Table) + optionText("priority", r.Priority)
}

// Equal tells whether both are the same.
func (r Rule) Equal(other Rule) bool { return r == other }

func (r Rule) key() string { return r.String() }

func (r Rule) validate() *Error {
	for _, p := range []struct {
		field  string
		prefix netip.Prefix
	}{{"From", r.From}, {"To", r.To}} {
		if err := networkWithin(p.field, p.prefix, r.IPv6); err != nil {
			return err
		}
	}
	switch {
	case r.Table <= 0 || int64(r.Table) > math.MaxUint32:
		return invalid("Table", "needs the number of a table, 1 to 4294967295")
	case r.Priority <= 0 || int64(r.Priority) > math.MaxUint32:
		return invalid("Priority", "needs a number up to 4294967295, below 32766 to come before the main table")
	case r.Other:
		return invalid("Other", "must not be set")
	}
	return nil
}

// networkWithin refuses what does not choose addresses of a family; the zero prefix
// is any.
func networkWithin(field string, p netip.Prefix, is6 bool) *Error {
	switch {
	case p == netip.Prefix{}:
		return nil
	case !p.IsValid() || p != p.Masked() || p.Addr().Is4In6():
		return invalid(field, "%s is not a network", p)
	case p.Addr().Is6() != is6:
		return invalid(field, "%s is not a network of the family", p)
	case p.Bits() == 0:
		return invalid(field, "%s is any address: leave it out", p)
	}
	return nil
}

func (r Rule) complete(found Resource) (Resource, *Error) {
	if found != nil && found.(Rule).Other {
		return nil, &Error{kind: ErrExists, Field: "Priority", detail: "a rule with other conditions has this priority, and the kernel cannot tell them apart: use another priority"}
	}
	return r, nil
}

func (r Rule) matches(now Resource) bool    { return now == r }
func (r Rule) toNetwork() netstate.Resource { return netstate.Rule(r) }
