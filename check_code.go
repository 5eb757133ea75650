package lvs

import "maps"

// FindingCode identifies what a [Finding] is about. Codes are stable: programs may
// compare them, save them and send them. Their Why, and all other texts of findings,
// are for people, and may change.
type FindingCode string

// Findings about the table of services.
const (
	FindingNoServer          FindingCode = "no-server"
	FindingSchedulerMissing  FindingCode = "scheduler-missing"
	FindingPortZero          FindingCode = "port-zero"
	FindingPortIgnored       FindingCode = "port-ignored"
	FindingLoopback          FindingCode = "loopback"
	FindingNoService         FindingCode = "no-service"
	FindingWeightZero        FindingCode = "weight-zero"
	FindingServerDead        FindingCode = "server-dead"
	FindingServerHere        FindingCode = "server-here"
	FindingModeMismatch      FindingCode = "mode-mismatch"
	FindingHashNoFallback    FindingCode = "hash-no-fallback"
	FindingCapacity          FindingCode = "capacity"
	FindingFlooded           FindingCode = "flooded"
	FindingCoarsePersistence FindingCode = "coarse-persistence"
	FindingClientsBehindNAT  FindingCode = "clients-behind-nat"
	FindingPersistenceSticks FindingCode = "persistence-sticks"
	FindingDrainBreaks       FindingCode = "drain-breaks"
	FindingUDPStuck          FindingCode = "udp-stuck"
	FindingReuseStall        FindingCode = "reuse-stall"
	FindingReuseStuck        FindingCode = "reuse-stuck"
	FindingIdleTimeout       FindingCode = "idle-timeout"
	FindingTableSmall        FindingCode = "table-small"
	FindingDropsPackets      FindingCode = "drops-packets"
	FindingSysctlHidden      FindingCode = "sysctl-hidden"
	FindingOtherWriter       FindingCode = "other-writer"
)

// Findings about the VIP and other addresses.
const (
	FindingVIPMissing       FindingCode = "vip-missing"
	FindingVIPUnused        FindingCode = "vip-unused"
	FindingVIPMask          FindingCode = "vip-mask"
	FindingAddressMissing   FindingCode = "address-missing"
	FindingAddressDuplicate FindingCode = "address-duplicate"
	FindingARPFlux          FindingCode = "arp-flux"
	FindingARPOther         FindingCode = "arp-other"
	FindingARPSilent        FindingCode = "arp-silent"
	FindingARPStale         FindingCode = "arp-stale"
	FindingNeighbourWrong   FindingCode = "neighbour-wrong"
	FindingNeighbourSilent  FindingCode = "neighbour-silent"
	FindingWildcardListener FindingCode = "wildcard-listener"
)

// Findings about interfaces, routes, forwarding and firewalls.
const (
	FindingLinkDown      FindingCode = "link-down"
	FindingLinkTaken     FindingCode = "link-taken"
	FindingNotOnLink     FindingCode = "not-on-link"
	FindingRouteBlocked  FindingCode = "route-blocked"
	FindingRouteStrays   FindingCode = "route-strays"
	FindingRouters       FindingCode = "routers"
	FindingTTL           FindingCode = "ttl"
	FindingMartianSource FindingCode = "martian-source"
	FindingRPFilter      FindingCode = "rp-filter"
	FindingForwardingOff FindingCode = "forwarding-off"
	FindingSendRedirects FindingCode = "send-redirects"
	FindingFirewall      FindingCode = "firewall"
	FindingMarkMissing   FindingCode = "mark-missing"
	FindingProbeMark     FindingCode = "probe-mark"
)

// Findings about real servers and their answers.
const (
	FindingRealServer     FindingCode = "real-server"
	FindingProgramMissing FindingCode = "program-missing"
	FindingBacklog        FindingCode = "backlog"
	FindingReturnRoute    FindingCode = "return-route"
	FindingSameSubnet     FindingCode = "same-subnet"
	FindingNATMissing     FindingCode = "nat-missing"
	FindingNATConntrack   FindingCode = "nat-conntrack"
	FindingClientsHidden  FindingCode = "clients-hidden"
)

// Findings about tunnels.
const (
	FindingModuleMissing   FindingCode = "module-missing"
	FindingTunnelDown      FindingCode = "tunnel-down"
	FindingFOUMissing      FindingCode = "fou-missing"
	FindingMTU             FindingCode = "mtu"
	FindingPathMTU         FindingCode = "path-mtu"
	FindingClearText       FindingCode = "clear-text"
	FindingClearTextTunnel FindingCode = "clear-text-tunnel"
	FindingKeyMissing      FindingCode = "key-missing"
)

// Findings about several directors.
const (
	FindingServerOrder    FindingCode = "server-order"
	FindingBackupOnly     FindingCode = "backup-only"
	FindingBackupStrict   FindingCode = "backup-strict"
	FindingBackupBalances FindingCode = "backup-balances"
	FindingSyncMismatch   FindingCode = "sync-mismatch"
	FindingSyncMixed      FindingCode = "sync-mixed"
)

// Findings about the setup.
const (
	FindingRequirementMissing FindingCode = "requirement-missing"
)

// CheckCodes returns the codes of all findings, and why each is a problem.
func CheckCodes() map[FindingCode]string { return maps.Clone(findingWhys) }

// Why says why a finding of the code is a problem. It is "" for an unknown code.
func (c FindingCode) Why() string { return findingWhys[c] }

var findingWhys = map[FindingCode]string{
	FindingNoServer:          "a service without a usable real server refuses new connections",
	FindingSchedulerMissing:  "a service without a scheduler accepts no new connections",
	FindingPortZero:          "without persistence, packets for all other ports of the VIP are refused",
	FindingPortIgnored:       "DR and tunnels do not rewrite ports: packets arrive at the service's port",
	FindingLoopback:          "the kernel drops packets from other hosts to a loopback address, and from a loopback address to other hosts",
	FindingNoService:         "the host itself refuses packets for a VIP that has no service",
	FindingWeightZero:        "a real server of weight 0 gets no new connections",
	FindingServerDead:        "clients that are given to a real server which cannot serve them are lost, although other servers could serve them",
	FindingServerHere:        "packets for an address of the host itself do not leave the host",
	FindingModeMismatch:      "a real server accepts only packets that are forwarded in the mode that it is set up for",
	FindingHashNoFallback:    "clients that are hashed to a real server which accepts no connections get no server",
	FindingCapacity:          "clients are refused when all real servers have as many connections as they accept",
	FindingFlooded:           "a server that came back gets all new connections until it has as many as the others",
	FindingCoarsePersistence: "all clients of a network count as one client, which one real server has to serve",
	FindingClientsBehindNAT:  "all clients behind one address count as one client for persistence",
	FindingPersistenceSticks: "persistence keeps sending clients to a real server of weight 0",
	FindingDrainBreaks:       "removing a real server cuts its connections: drain it first, by weight 0",
	FindingUDPStuck:          "a UDP flow still goes to a real server that was removed",
	FindingReuseStall:        "before Linux 5.9, a client that reuses a port waits a second",
	FindingReuseStuck:        "a client that reuses a port stays with its real server, even with a dead one",
	FindingIdleTimeout:       "IPVS forgets a connection that is idle for longer, and its next packet is refused or dropped",
	FindingTableSmall:        "each packet searches a long chain of connections",
	FindingDropsPackets:      "the kernel is configured to drop packets",
	FindingSysctlHidden:      "the IPVS sysctls are not visible in this namespace, so they keep their defaults",
	FindingOtherWriter:       "another program that writes the table undoes what this one does",

	FindingVIPMissing:       "IPVS, and the program of a real server, see only packets that are delivered to their host",
	FindingVIPUnused:        "an address that is not in use receives no packets",
	FindingVIPMask:          "a VIP with a network around it makes the host look for that whole network on itself",
	FindingAddressMissing:   "packets for an address that no host has are dropped",
	FindingAddressDuplicate: "packets for an address that two machines have go to only one of them",
	FindingARPFlux:          "a real server that answers ARP for the VIP takes the director's place for some clients",
	FindingARPOther:         "another machine that answers ARP for the VIP takes the director's place for some clients",
	FindingARPSilent:        "hosts that get no answer when they ask for the address cannot send to it",
	FindingARPStale:         "neighbours send to the old machine for minutes, until they learn of the change",
	FindingNeighbourWrong:   "packets go to a machine that is not there, or to the wrong one",
	FindingNeighbourSilent:  "packets for a host that does not answer are dropped",
	FindingWildcardListener: "clients reach a program that listens on all addresses when the VIP has no service",

	FindingLinkDown:      "an interface that is down neither sends nor receives packets",
	FindingLinkTaken:     "a bridge, a bond, a VRF or an interface on top receives the packets, so addresses of this one are not reached",
	FindingNotOnLink:     "DR reaches only hosts on a network of the director: a router would send the packet back to the VIP",
	FindingRouteBlocked:  "packets that have no usable route are dropped or refused",
	FindingRouteStrays:   "packets for a host on the link are sent another way, and do not arrive",
	FindingRouters:       "a router on the way can drop packets, or send them elsewhere",
	FindingTTL:           "routers drop packets that have passed as many routers as their TTL allows",
	FindingMartianSource: "the kernel drops packets whose source is an address of the host itself",
	FindingRPFilter:      "a strict reverse-path filter drops packets whose answers would leave by another interface",
	FindingForwardingOff: "answers of NAT servers are not forwarded to the clients",
	FindingSendRedirects: "servers learn of a way around the director, and their answers keep their own address",
	FindingFirewall:      "a firewall drops packets, or sends them elsewhere",
	FindingMarkMissing:   "a service of a firewall mark gets only packets that a rule marks",
	FindingProbeMark:     "packets with a mark of health checks go to the real server that has it, past the schedulers",

	FindingRealServer:     "a real server without the VIP, or one that answers ARP for it, keeps clients from the service",
	FindingProgramMissing: "clients are refused where no program listens",
	FindingBacklog:        "connections that find no room to wait for the program are dropped, and retried seconds later",
	FindingReturnRoute:    "answers that do not pass through the director keep the server's address, and clients drop them",
	FindingSameSubnet:     "a client in the servers' own network is answered directly, and drops the answer",
	FindingNATMissing:     "servers without a route back through the director answer clients directly",
	FindingNATConntrack:   "source NAT does not apply to connections that netfilter does not track",
	FindingClientsHidden:  "servers behind source NAT do not see the clients' addresses",

	FindingModuleMissing:   "without the module the kernel cannot unpack packets of the tunnel",
	FindingTunnelDown:      "a tunnel's device unpacks packets only while it exists and is up",
	FindingFOUMissing:      "without the port the real server refuses GUE packets by ICMP",
	FindingMTU:             "packets that do not fit into the tunnel are lost, or sent in fragments",
	FindingPathMTU:         "packets that do not fit into the tunnel are lost when ICMP is filtered on the way",
	FindingClearText:       "packets that should be encrypted are sent or accepted in clear text",
	FindingClearTextTunnel: "IPVS tunnels bypass the policy: packets that it should encrypt leave in clear text",
	FindingKeyMissing:      "without its key an encrypted tunnel sends and accepts nothing",

	FindingServerOrder:    "directors that list the real servers in a different order send clients to different servers",
	FindingBackupOnly:     "while backup_only is set, a host with a backup daemon does not balance",
	FindingBackupStrict:   "a backup that takes over drops connections that it has not heard of",
	FindingBackupBalances: "a director that is its own backup sends packets in a circle",
	FindingSyncMismatch:   "a backup that does not hear the master knows none of its connections when it takes over",
	FindingSyncMixed:      "the kernel refuses a sync daemon beside real servers of another address family than their service",

	FindingRequirementMissing: "the setup requires it",
}
