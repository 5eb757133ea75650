package lvs

import (
	"encoding/json"
	"net/netip"
)

// HostState is what [Host.Check] needs to know of a host: its network, its firewall, some
// sysctls, its IPVS table, and addresses of clients. It holds no secrets. [Host.State]
// reads it; as JSON it can be sent to where Check runs.
type HostState struct {
	// Name identifies the host in findings. It is the host's name, or one of its
	// addresses. The caller may choose another.
	Name string `json:"name"`

	Resources []Resource     `json:"-"`        // links, addresses, routes, rules, receive ports, IPsec policies and sysctls
	Services  []ServiceEntry `json:"services"` // the IPVS table; empty without IPVS

	// What follows is observed, and is never part of a setup.

	Release       string           `json:"release,omitempty"`       // of the kernel, such as "6.12.48"
	Interfaces    []InterfaceState `json:"interfaces,omitempty"`    // all of them, lo included
	Addresses     []AddressState   `json:"addresses,omitempty"`     // addresses that are not fully in use
	Routes        []RouteEntry     `json:"routes,omitempty"`        // routes of all tables and types
	Rules         []RuleEntry      `json:"rules,omitempty"`         // all rules of policy routing
	Neighbours    []Neighbour      `json:"neighbours,omitempty"`    // other hosts on its links
	Chains        []FirewallChain  `json:"chains,omitempty"`        // of nftables, iptables, traffic control and IPsec policies
	FirewallRules []FirewallRule   `json:"firewallRules,omitempty"` // rules of these chains, in order
	Listeners     []Listener       `json:"listeners,omitempty"`     // sockets of programs that accept connections or datagrams
	Daemons       []SyncDaemon     `json:"daemons,omitempty"`       // sync daemons
	Timeouts      Timeouts         `json:"timeouts,omitzero"`       // of connections without traffic
	ConnTableSize int              `json:"connTableSize,omitempty"` // buckets of the connection table; 0: not known
	Clients       []netip.Addr     `json:"clients,omitempty"`       // clients with connections, at most 1000, sorted
	Unread        []Unread         `json:"unread,omitempty"`        // parts that could not be read
}

// InterfaceState is the state of a network interface that a [Link] does not show.
type InterfaceState struct {
	Name     string `json:"name"`               // of ip link
	Kind     string `json:"kind,omitempty"`     // "device", "veth", "vlan", …
	Up       bool   `json:"up,omitempty"`       // the administrator set it up
	Carrier  bool   `json:"carrier,omitempty"`  // packets can pass: the interface and what is below it are up
	NoARP    bool   `json:"noARP,omitempty"`    // it neither sends nor answers ARP requests
	Loopback bool   `json:"loopback,omitempty"` // no packets from other hosts arrive by it
	MAC      string `json:"mac,omitempty"`      // "": none
	Below    string `json:"below,omitempty"`    // the interface that carries it, of a VLAN or a macvlan
	Takes    bool   `json:"takes,omitempty"`    // it receives all packets of the one below, as a macvlan in passthru mode does
	Master   string `json:"master,omitempty"`   // the bridge, bond or VRF that it belongs to
	XDP      bool   `json:"xdp,omitempty"`      // a BPF program sees packets before the network stack does
	Ingress  bool   `json:"ingress,omitempty"`  // traffic control may drop or redirect incoming packets
	Queue    string `json:"queue,omitempty"`    // unusual queueing discipline of outgoing packets, such as "netem"; "": none
	Loss     int    `json:"loss,omitempty"`     // outgoing packets that the queue drops, in percent
	Inner    uint8  `json:"inner,omitempty"`    // IP protocol number that a tunnel unpacks; 0: any
	Keyed    bool   `json:"keyed,omitempty"`    // a tunnel accepts only packets with a key
	Ordered  bool   `json:"ordered,omitempty"`  // a tunnel accepts only packets with sequence numbers
}

// AddressState says why an [Address] is not fully in use.
type AddressState struct {
	Interface string       `json:"interface"`           // that has the address
	Prefix    netip.Prefix `json:"prefix"`              // the address, with the length of its network
	Duplicate bool         `json:"duplicate,omitempty"` // IPv6 found that another host has it, so it is not used
	Tentative bool         `json:"tentative,omitempty"` // IPv6 is still looking for another host that has it
}

// RouteEntry is a route of any table and type, with more than a [Route] says.
type RouteEntry struct {
	To        netip.Prefix `json:"to"`                  // the destination
	Table     int          `json:"table"`               // by its number; the main table is 254
	Metric    int          `json:"metric,omitempty"`    // 0 is none in IPv4
	Type      string       `json:"type,omitempty"`      // "": forwards; "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw" or "other"
	Via       netip.Addr   `json:"via,omitzero"`        // zero: the destination is on the link
	Interface string       `json:"interface,omitempty"` // by which packets leave; "" is none
	Source    netip.Addr   `json:"source,omitzero"`     // of packets that the host sends; the zero address is none
	MTU       int          `json:"mtu,omitempty"`       // 0: the interface's
	AdvMSS    int          `json:"advMSS,omitempty"`    // 0: by the MTU
	Weight    int          `json:"weight,omitempty"`    // of one of several next hops, each with its own entry; 0: the only one
	HopLimit  int          `json:"hopLimit,omitempty"`  // TTL or hop limit of packets; 0: the host's or the interface's
	ByKernel  bool         `json:"byKernel,omitempty"`  // the kernel made it
	Partial   bool         `json:"partial,omitempty"`   // it has properties that these fields do not show, such as an encapsulation
}

// RuleEntry is a rule of policy routing, with more than a [Rule] says.
type RuleEntry struct {
	Priority  int          `json:"priority"`            // lower ones are evaluated first
	IPv6      bool         `json:"ipv6,omitempty"`      // it is for IPv6 packets
	From      netip.Prefix `json:"from,omitzero"`       // zero: any
	To        netip.Prefix `json:"to,omitzero"`         // zero: any
	In        string       `json:"in,omitempty"`        // interface that packets arrive by; "": any; "lo": the host's own packets
	Out       string       `json:"out,omitempty"`       // interface that a socket is bound to; "": any
	Mark      uint32       `json:"mark,omitempty"`      // firewall mark, compared under Mask
	Mask      uint32       `json:"mask,omitempty"`      // 0: any mark
	Protocol  uint8        `json:"protocol,omitempty"`  // IP protocol number; 0: any
	FromPorts [][2]uint16  `json:"fromPorts,omitempty"` // ranges, both ends included; empty: any
	ToPorts   [][2]uint16  `json:"toPorts,omitempty"`   // likewise
	Users     [][2]uint32  `json:"users,omitempty"`     // ranges of users whose sockets send; empty: any
	VRF       bool         `json:"vrf,omitempty"`       // it looks up the tables of VRFs, for their packets
	Not       bool         `json:"not,omitempty"`       // it matches all other packets instead
	Action    string       `json:"action,omitempty"`    // "": looks up Table; "goto", "nop", "blackhole", "unreachable" or "prohibit"
	Table     int          `json:"table,omitempty"`     // of routes, by its number; 0 is none
	Goto      int          `json:"goto,omitempty"`      // priority of the rule to continue with
	Shortest  int          `json:"shortest,omitempty"`  // routes with a shorter prefix are ignored
	Partial   bool         `json:"partial,omitempty"`   // it has conditions that these fields do not show
}

// Neighbour is what a host knows of another host on a link.
type Neighbour struct {
	Interface string     `json:"interface"`       // on whose link it is
	Addr      netip.Addr `json:"addr"`            // its address
	MAC       string     `json:"mac,omitempty"`   // "": not known
	State     string     `json:"state,omitempty"` // "reachable", "stale", "failed", "permanent", …
	Proxy     bool       `json:"proxy,omitempty"` // this host answers for the address as a proxy
}

// FirewallChain is a list of firewall rules.
type FirewallChain struct {
	Family   string `json:"family"`             // "ip", "ip6", "inet", "arp", "bridge", "netdev", "tc" for filters of traffic control, or "xfrm" for IPsec policies
	Table    string `json:"table"`              // that the chain is in
	Name     string `json:"name"`               // its name there
	Legacy   bool   `json:"legacy,omitempty"`   // of iptables-legacy, not nftables
	Hook     string `json:"hook,omitempty"`     // "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress", "xfrm-in", "xfrm-fwd", "xfrm-out"; "": a chain that rules jump to
	Type     string `json:"type,omitempty"`     // "filter", "nat" or "route"
	Priority int    `json:"priority,omitempty"` // at a hook, lower ones come first
	Device   string `json:"device,omitempty"`   // interface of the hooks ingress and egress; "": any
	Drop     bool   `json:"drop,omitempty"`     // its policy is to drop
}

// FirewallRule is a rule of a [FirewallChain]. A packet must meet all its conditions.
type FirewallRule struct {
	Family    string         `json:"family"`              // of its chain
	Table     string         `json:"table"`               // of its chain
	Chain     string         `json:"chain"`               // its chain
	Legacy    bool           `json:"legacy,omitempty"`    // of iptables-legacy, not nftables
	In        string         `json:"in,omitempty"`        // interface; "eth+": all whose names begin with eth; "": any
	Out       string         `json:"out,omitempty"`       // likewise
	NotIn     string         `json:"notIn,omitempty"`     // any interface but this; "": any
	NotOut    string         `json:"notOut,omitempty"`    // likewise
	From      []netip.Prefix `json:"from,omitempty"`      // one of these; empty: any
	To        []netip.Prefix `json:"to,omitempty"`        // one of these; empty: any
	NotFrom   []netip.Prefix `json:"notFrom,omitempty"`   // none of these
	NotTo     []netip.Prefix `json:"notTo,omitempty"`     // none of these
	OpenedTo  []netip.Prefix `json:"openedTo,omitempty"`  // only connections whose first packet was to one of these; empty: any
	ToLocal   string         `json:"toLocal,omitempty"`   // "local": addresses of the host; "remote": others; "": any
	Protocol  uint8          `json:"protocol,omitempty"`  // IP protocol number; 0: any
	FromPorts [][2]uint16    `json:"fromPorts,omitempty"` // ranges, both ends included; empty: any
	ToPorts   [][2]uint16    `json:"toPorts,omitempty"`   // likewise
	Segments  string         `json:"segments,omitempty"`  // of TCP: "first" opens a connection, "later" does not; "": any
	States    uint8          `json:"states,omitempty"`    // of connection tracking: 1 invalid, 2 established, 4 related, 8 new, 64 untracked, 128 with another destination, 16 no state; 0: any
	Mark      uint32         `json:"mark,omitempty"`      // firewall mark of packets, compared under Mask
	Mask      uint32         `json:"mask,omitempty"`      // 0: any mark
	Partial   bool           `json:"partial,omitempty"`   // it has conditions that these fields do not show
	Verdict   string         `json:"verdict,omitempty"`   // "": continues; "accept", "drop", "reject", "jump", "goto", "return", "redirect", "dnat", "snat", "masquerade", "mark", "notrack", "encrypted" (accepts only packets that arrived by IPsec) or "other"
	Target    string         `json:"target,omitempty"`    // chain of jump and goto, address of dnat and snat
	ToPort    uint16         `json:"toPort,omitempty"`    // of redirect and dnat; 0: unchanged or not known
	SetMark   uint32         `json:"setMark,omitempty"`   // mark that the verdict mark sets
	Handle    string         `json:"handle,omitempty"`    // identifies the rule to the program that deletes it; "": not known
}

// Listener is a socket of a program that accepts connections or datagrams.
type Listener struct {
	Protocol Protocol       `json:"protocol"`       // TCP, UDP or SCTP
	Addr     netip.AddrPort `json:"addr"`           // 0.0.0.0: all IPv4 addresses; ::: all of both families, unless the socket is for IPv6 alone
	User     uint32         `json:"user,omitempty"` // user id of the socket, for routing rules
}

// Unread is a part of a host that could not be read.
type Unread struct {
	What    string `json:"what"`              // "firewall", "listeners", "clients", …
	Why     string `json:"why"`               // the error
	Command string `json:"command,omitempty"` // command that shows the part
}

type plainHostState HostState // without its methods

type hostStateJSON struct {
	Version int `json:"version"`
	*plainHostState
	Resources []*resourceJSON `json:"resources"`
}

// MarshalJSON encodes the state with the version of its format; the resources are encoded as in a [Requirement].
func (f HostState) MarshalJSON() ([]byte, error) {
	out := hostStateJSON{Version: formatVersion, plainHostState: (*plainHostState)(&f)}
	for _, one := range f.Resources {
		out.Resources = append(out.Resources, wrapResource(one))
	}
	return json.Marshal(out)
}

// UnmarshalJSON decodes what MarshalJSON encodes. Another version, or none, and unknown
// fields match [ErrInvalid].
func (f *HostState) UnmarshalJSON(text []byte) error {
	in := hostStateJSON{plainHostState: new(plainHostState)}
	if err := unmarshalVersioned("state of a host", text, &in); err != nil {
		return err
	}
	read := HostState(*in.plainHostState)
	for _, one := range in.Resources {
		resource := one.resource()
		if resource == nil {
			return invalid("resources", "one of them is null").about(OpParse, "state of a host")
		}
		read.Resources = append(read.Resources, resource)
	}
	*f = read
	return nil
}

// resourcesOf returns the resources of one kind.
func resourcesOf[T Resource](f HostState) (all []T) {
	for _, one := range f.Resources {
		if t, ok := one.(T); ok {
			all = append(all, t)
		}
	}
	return all
}
