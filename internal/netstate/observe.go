package netstate

import "net/netip"

// Observed is what a namespace has, as a diagnosis wants to know it. Unlike
// resources, these values are only read, and say whether they are complete.
type Observed struct {
	Resources  []Resource // as List returns them, and the policies of IPsec
	Interfaces []Interface
	Addresses  []AddressState // those that are not in use as they stand
	Routes     []RouteEntry
	Rules      []RuleEntry
	Neighbours []Neighbour
	Chains     []Chain
	ChainRules []ChainRule
	Unread     []Unread
}

// Interface is the state of a network interface.
type Interface struct {
	Name     string
	Kind     string // "device", "vlan", "veth", …
	Up       bool   // by its administrator
	Carrier  bool   // packets can pass: it is up, and what is below it is too
	NoARP    bool   // it neither asks nor answers by ARP
	Loopback bool
	MAC      string // "" is none
	Below    string // the interface that carries it, of a VLAN or a macvlan
	Takes    bool   // it receives all packets of the one below it
	Master   string // the bridge, bond or VRF that it belongs to
	XDP      bool   // a program sees packets before the network stack does
	Ingress  bool   // traffic control may drop or redirect what comes in
	Queue    string // what traffic control does with what goes out; "" is nothing unusual
	Loss     int    // how much of what goes out it drops, in per cent
	Inner    uint8  // protocol number of what a tunnel decapsulates; 0 is any
	Keyed    bool   // a tunnel accepts only packets with a key
	Ordered  bool   // a tunnel accepts only packets with sequence numbers
}

// AddressState says why an address is not in use as it stands.
type AddressState struct {
	Interface string
	Prefix    netip.Prefix
	Duplicate bool // another host has the address: duplicate address detection failed
	Tentative bool // duplicate address detection goes on
}

// RouteEntry is a route of any table and type.
type RouteEntry struct {
	To        netip.Prefix
	Table     int
	Metric    int
	Type      string // "" forwards; "local", "broadcast", "blackhole", "unreachable", "prohibit", "throw", or "other"
	Via       netip.Addr
	Interface string
	Source    netip.Addr
	MTU       int
	AdvMSS    int
	Weight    int  // of one of several next hops, which are a route each of the same table, destination and metric; 0 is the only one
	HopLimit  int  // 0 is the host's or the interface's
	ByKernel  bool // it came with an address
	Partial   bool // it has what this type does not say: an encapsulation, a type of service
}

// RuleEntry is a rule of policy routing.
type RuleEntry struct {
	Priority   int
	IPv6       bool
	From, To   netip.Prefix // the zero prefix is any
	In, Out    string       // interfaces; "" is any
	Mark, Mask uint32       // both 0 are any
	Protocol   uint8        // 0 is any
	FromPorts  [][2]uint16  // ranges with both ends; none is any
	ToPorts    [][2]uint16  // likewise
	Users      [][2]uint32  // ranges of those whose sockets send; none is any
	VRF        bool         // it is for packets of VRFs, and asks their tables
	Not        bool         // it is for all other packets
	Action     string       // "" asks the table; "goto", "nop", "blackhole", "unreachable" or "prohibit"
	Table      int
	Goto       int // priority of the rule to go on with
	Shortest   int // shorter prefixes of the table do not count
	Partial    bool
}

// Neighbour is what a host knows of another one on a link.
type Neighbour struct {
	Interface string
	Addr      netip.Addr
	MAC       string // "" is not known
	State     string // "reachable", "stale", "failed", "permanent", "noarp", …
	Proxy     bool   // this host answers for the address
}

// Chain is a list of rules of a firewall.
type Chain struct {
	Family   string // "ip", "ip6", "inet", "arp", "bridge", "netdev", "tc" of filters of traffic control, or "xfrm" of policies of IPsec
	Table    string
	Name     string
	Legacy   bool   // of iptables-legacy or arptables-legacy
	Hook     string // "prerouting", "input", "forward", "output", "postrouting", "ingress", "egress", "xfrm-in", "xfrm-fwd", "xfrm-out"; "" of a chain that others jump to
	Type     string // "filter", "nat", "route"
	Priority int    // lower ones come first at a hook
	Device   string // of the hook ingress; "" is any
	Drop     bool   // what no rule decides is dropped
}

// ChainRule is one rule of a chain. Ports are ranges with both ends.
type ChainRule struct {
	Family    string // of the chain
	Table     string
	Chain     string
	Legacy    bool
	In, Out   string         // interfaces, "eth+" of all that begin so; "" is any
	NotIn     string         // any interface but this; "" is any
	NotOut    string         // likewise
	From, To  []netip.Prefix // none is any
	NotFrom   []netip.Prefix // any address but these
	NotTo     []netip.Prefix // likewise
	OpenedTo  []netip.Prefix // only connections whose first packet was to one of these; none is any
	ToLocal   string         // "local": addresses of the host itself; "remote": others; "" is any
	Protocol  uint8          // 0 is any
	FromPorts [][2]uint16    // none is any
	ToPorts   [][2]uint16    // none is any
	Segments  string         // of TCP: "first" open a connection, "later" are the others; "" is any
	States    uint8          // of connection tracking, as bits; 0 is any
	Mark      uint32         // that packets have; with Mask
	Mask      uint32         // 0 is any
	Partial   bool           // it has conditions that these fields do not say
	Verdict   string         // "" goes on; "accept", "drop", "reject", "jump", "goto", "return", "redirect", "dnat", "snat", "masquerade", "mark", "notrack", "encrypted" of what accepts only packets that arrived by IPsec, or "other"
	Target    string         // the chain of a jump, the address of dnat or snat
	ToPort    uint16         // of redirect and dnat; 0 leaves it, or is not known
	SetMark   uint32         // of the verdict mark
	Handle    string         // what names the rule to the program that deletes it; "" is not known
}

// Bits of States.
const (
	StateInvalid     = 1
	StateEstablished = 2
	StateRelated     = 4
	StateNew         = 8
	StateNever       = 16 // which no packet has
	StateUntracked   = 64
	StateDNAT        = 128 // the connection was given another destination
)

// Unread is a part that could not be read.
type Unread struct {
	What    string // "firewall", "neighbours", …
	Why     string
	Command string // that shows it
}
