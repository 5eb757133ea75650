package lvs

import (
	"encoding/json"
	"net/netip"
)

// HostState are what [Host.Check] wants to know of a host, this one or another.
// They marshal to JSON, to be sent to where Check runs, and hold no secrets: the
// network's set-up, its firewall, some parameters, the table, and addresses of
// clients.
type HostState struct {
	// Name is by which findings name the host: what it calls itself, or one of its
	// addresses. The caller may choose another.
	Name string `json:"name"`

	Resources []Resource     `json:"-"`        // links, addresses, routes, rules, receive ports, policies of IPsec and parameters
	Services  []ServiceEntry `json:"services"` // its IPVS table

	// What follows is only read.

	Release       string           `json:"release,omitempty"`       // of the kernel, such as "6.12.48"
	Interfaces    []InterfaceState `json:"interfaces,omitempty"`    // all of them, lo included
	Addresses     []AddressState   `json:"addresses,omitempty"`     // those that are not in use as they stand
	Routes        []RouteEntry     `json:"routes,omitempty"`        // of all tables and types
	Rules         []RuleEntry      `json:"rules,omitempty"`         // of policy routing, all of them
	Neighbours    []Neighbour      `json:"neighbours,omitempty"`    // other hosts on its links
	Chains        []FirewallChain  `json:"chains,omitempty"`        // of nftables and iptables
	FirewallRules []FirewallRule   `json:"firewallRules,omitempty"` // of these chains, in their order
	Listeners     []Listener       `json:"listeners,omitempty"`     // programs that take connections or datagrams
	Daemons       []SyncDaemon     `json:"daemons,omitempty"`       // sync daemons
	Timeouts      Timeouts         `json:"timeouts,omitzero"`       // of connections
	ConnTableSize int              `json:"connTableSize,omitempty"` // buckets of the connection table; 0 is not known
	Clients       []netip.Addr     `json:"clients,omitempty"`       // that have connections, at most 1000
	Unread        []Unread         `json:"unread,omitempty"`        // what could not be read
}

// InterfaceState is the state of a network interface, beside its [Link].
type InterfaceState struct {
	Name     string `json:"name"`
	Kind     string `json:"kind,omitempty"`     // "device", "veth", "vlan", …
	Up       bool   `json:"up,omitempty"`       // by its administrator
	Carrier  bool   `json:"carrier,omitempty"`  // packets can pass: it is up, and so is what is below it
	NoARP    bool   `json:"noARP,omitempty"`    // it neither asks nor answers by ARP
	Loopback bool   `json:"loopback,omitempty"` // no packets come in by it
	MAC      string `json:"mac,omitempty"`      // "" is none
	Below    string `json:"below,omitempty"`    // the interface that carries it, of a VLAN or a macvlan
	Takes    bool   `json:"takes,omitempty"`    // it takes all packets of the one below it, as a macvlan of the mode passthru does
	Master   string `json:"master,omitempty"`   // the bridge, bond or VRF that it belongs to
	XDP      bool   `json:"xdp,omitempty"`      // a BPF program sees packets before the network stack does
	Ingress  bool   `json:"ingress,omitempty"`  // traffic control may drop or redirect what comes in
	Queue    string `json:"queue,omitempty"`    // what traffic control does with what goes out, such as "netem"; "" is nothing unusual
	Loss     int    `json:"loss,omitempty"`     // how much of what goes out that drops, in per cent
	Inner    uint8  `json:"inner,omitempty"`    // what a tunnel takes out, by the number that IP has for it; 0 is any
	Keyed    bool   `json:"keyed,omitempty"`    // a tunnel takes only packets with a key
	Ordered  bool   `json:"ordered,omitempty"`  // a tunnel takes only packets with sequence numbers
}

// AddressState says why an [Address] is not in use as it stands.
type AddressState struct {
	Interface string       `json:"interface"`
	Prefix    netip.Prefix `json:"prefix"`
	Duplicate bool         `json:"duplicate,omitempty"` // IPv6 found another host that has it, and does not use it
	Tentative bool         `json:"tentative,omitempty"` // IPv6 still asks whether another host has it
}

// RouteEntry is a route of any table and type. It says more than a [Route], and is
// only read.
type RouteEntry struct {
	To        netip.Prefix `json:"to"`
	Table     int          `json:"table"`
	Metric    int          `json:"metric,omitempty"`
	Type      string       `json:"type,omitempty"` // "" forwards; "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw" or "other"
	Via       netip.Addr   `json:"via,omitzero"`   // the zero address: the destination is on the link
	Interface string       `json:"interface,omitempty"`
	Source    netip.Addr   `json:"source,omitzero"`
	MTU       int          `json:"mtu,omitempty"`      // 0 is the interface's
	AdvMSS    int          `json:"advMSS,omitempty"`   // 0 is by the MTU
	Weight    int          `json:"weight,omitempty"`   // of one of several next hops, which are an entry each; 0 is the only one
	HopLimit  int          `json:"hopLimit,omitempty"` // routers that packets may pass, and one; 0 is the host's or the interface's
	ByKernel  bool         `json:"byKernel,omitempty"`
	Partial   bool         `json:"partial,omitempty"` // it has what these fields do not say, such as an encapsulation
}

// RuleEntry is a rule of policy routing. It says more than a [Rule], and is only
// read.
type RuleEntry struct {
	Priority  int          `json:"priority"`
	IPv6      bool         `json:"ipv6,omitempty"`
	From      netip.Prefix `json:"from,omitzero"`       // the zero prefix is any
	To        netip.Prefix `json:"to,omitzero"`         // the zero prefix is any
	In        string       `json:"in,omitempty"`        // interface that packets come in by; "" is any, "lo" is none
	Out       string       `json:"out,omitempty"`       // interface that a socket is bound to; "" is any
	Mark      uint32       `json:"mark,omitempty"`      // of the firewall, with Mask
	Mask      uint32       `json:"mask,omitempty"`      // 0 is any mark
	Protocol  uint8        `json:"protocol,omitempty"`  // 0 is any
	FromPorts [][2]uint16  `json:"fromPorts,omitempty"` // ranges with both ends; none is any
	ToPorts   [][2]uint16  `json:"toPorts,omitempty"`   // likewise
	Users     [][2]uint32  `json:"users,omitempty"`     // ranges of those whose sockets send; none is any
	VRF       bool         `json:"vrf,omitempty"`       // it is for packets of VRFs, and asks their tables
	Not       bool         `json:"not,omitempty"`       // it is for all other packets
	Action    string       `json:"action,omitempty"`    // "" asks the table; "goto", "nop", "blackhole", "unreachable" or "prohibit"
	Table     int          `json:"table,omitempty"`
	Goto      int          `json:"goto,omitempty"`     // priority of the rule to go on with
	Shortest  int          `json:"shortest,omitempty"` // routes with a shorter prefix do not count
	Partial   bool         `json:"partial,omitempty"`  // it has conditions that these fields do not say
}

// Neighbour is what a host knows of another one on a link.
type Neighbour struct {
	Interface string     `json:"interface"`
	Addr      netip.Addr `json:"addr"`
	MAC       string     `json:"mac,omitempty"`   // "" is not known
	State     string     `json:"state,omitempty"` // "reachable", "stale", "failed", "permanent", …
	Proxy     bool       `json:"proxy,omitempty"` // this host answers for the address
}

// FirewallChain is a list of rules of a firewall.
type FirewallChain struct {
	Family   string `json:"family"` // "ip", "ip6", "inet", "arp", "bridge", "netdev", "tc" of filters of traffic control, or "xfrm" of policies of IPsec
	Table    string `json:"table"`
	Name     string `json:"name"`
	Legacy   bool   `json:"legacy,omitempty"`   // of iptables-legacy, not of nftables
	Hook     string `json:"hook,omitempty"`     // "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress", "xfrm-in", "xfrm-fwd", "xfrm-out"; "" of one that rules jump to
	Type     string `json:"type,omitempty"`     // "filter", "nat" or "route"
	Priority int    `json:"priority,omitempty"` // lower ones come first at a hook
	Device   string `json:"device,omitempty"`   // of the hook ingress; "" is any
	Drop     bool   `json:"drop,omitempty"`     // it drops what no rule decides
}

// FirewallRule is a rule of a [FirewallChain]. Its conditions must all be met.
type FirewallRule struct {
	Family    string         `json:"family"` // of its chain
	Table     string         `json:"table"`
	Chain     string         `json:"chain"`
	Legacy    bool           `json:"legacy,omitempty"`
	In        string         `json:"in,omitempty"`        // interface; "eth+" is all that begin so, "" any
	Out       string         `json:"out,omitempty"`       // likewise
	NotIn     string         `json:"notIn,omitempty"`     // any interface but this; "" is any
	NotOut    string         `json:"notOut,omitempty"`    // likewise
	From      []netip.Prefix `json:"from,omitempty"`      // any of these; none is any
	To        []netip.Prefix `json:"to,omitempty"`        // any of these; none is any
	NotFrom   []netip.Prefix `json:"notFrom,omitempty"`   // none of these
	NotTo     []netip.Prefix `json:"notTo,omitempty"`     // none of these
	ToLocal   string         `json:"toLocal,omitempty"`   // "local": addresses of the host; "remote": others; "" is any
	Protocol  uint8          `json:"protocol,omitempty"`  // 0 is any
	FromPorts [][2]uint16    `json:"fromPorts,omitempty"` // ranges with both ends; none is any
	ToPorts   [][2]uint16    `json:"toPorts,omitempty"`   // likewise
	Segments  string         `json:"segments,omitempty"`  // of TCP: "first" open a connection, "later" are the others; "" is any
	States    uint8          `json:"states,omitempty"`    // of connection tracking: 1 invalid, 2 established, 4 related, 8 new, 64 untracked, 128 with another destination, 16 none; 0 is any
	Mark      uint32         `json:"mark,omitempty"`      // that packets have, with Mask
	Mask      uint32         `json:"mask,omitempty"`      // 0 is any mark
	Partial   bool           `json:"partial,omitempty"`   // it has conditions that these fields do not say
	Verdict   string         `json:"verdict,omitempty"`   // "" goes on; "accept", "drop", "reject", "jump", "goto", "return", "redirect", "dnat", "snat", "masquerade", "mark", "notrack", "encrypted" of what takes only packets that came by IPsec, or "other"
	Target    string         `json:"target,omitempty"`    // the chain of a jump, the address of dnat and snat
	ToPort    uint16         `json:"toPort,omitempty"`    // of redirect and dnat; 0 leaves it, or is not known
	SetMark   uint32         `json:"setMark,omitempty"`   // of the verdict mark
	Handle    string         `json:"handle,omitempty"`    // what names the rule to the program that deletes it; "" is not known
}

// Listener is a program that takes connections or datagrams.
type Listener struct {
	Protocol Protocol       `json:"protocol"`
	Addr     netip.AddrPort `json:"addr"`           // 0.0.0.0 is all IPv4 addresses, :: all of both families unless the program says otherwise
	User     uint32         `json:"user,omitempty"` // whose it is, 0 is root; rules of routing may ask
}

// Unread is a part of a host that could not be read.
type Unread struct {
	What    string `json:"what"` // "firewall", "listeners", "clients", …
	Why     string `json:"why"`
	Command string `json:"command,omitempty"` // that shows it
}

type plainResources HostState // without the methods

type hostStateJSON struct {
	*plainResources
	Facts []*resourceJSON `json:"resources"`
}

// MarshalJSON writes the facts as [Requirement.MarshalJSON] does.
func (f HostState) MarshalJSON() ([]byte, error) {
	out := hostStateJSON{plainResources: (*plainResources)(&f)}
	for _, one := range f.Resources {
		out.Facts = append(out.Facts, wrapResource(one))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *HostState) UnmarshalJSON(text []byte) error {
	in := hostStateJSON{plainResources: new(plainResources)}
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	read := HostState(*in.plainResources)
	for _, one := range in.Facts {
		resource := one.resource()
		if resource == nil {
			return invalid("facts", "one of them is nothing").about(OpParse, "facts of a host")
		}
		read.Resources = append(read.Resources, resource)
	}
	*f = read
	return nil
}

// factsOf returns the facts of a kind.
func resourcesOf[T Resource](f HostState) (all []T) {
	for _, one := range f.Resources {
		if t, ok := one.(T); ok {
			all = append(all, t)
		}
	}
	return all
}
