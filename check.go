package lvs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report is what [Host.Check] says of a host.
type Report struct {
	Findings  []Finding // what is wrong or will be; none on a healthy host
	Unchecked []Finding // what cannot be seen from this host, and is worth a look elsewhere
}

// Finding is one thing that keeps a host from balancing, or will.
type Finding struct {
	Code     string   `json:"code"`           // stable, such as "vip-missing"; all are in [CheckCodes]
	Severity Severity `json:"severity"`       // how bad it is
	Host     string   `json:"host,omitempty"` // the peer that it is about, by its name; "" is the host that was checked
	Detail   string   `json:"detail"`         // what was found
	Why      string   `json:"why"`            // why it hurts
	Fix      Setup    `json:"fix,omitempty"`  // settings that fix it; empty if none do

	// Commands are what to run on that host, in this order and before Mend, where
	// no setting expresses it: to remove a route, an address or a rule.
	Commands []string `json:"commands,omitempty"`

	Changes []Change `json:"-"`                // changes of the table that fix it, for [Client.Do]; empty if none do
	Advice  string   `json:"advice,omitempty"` // what to do when none of these does
}

// Severity says how bad a finding is.
type Severity string

// Severities.
const (
	SeverityBroken  Severity = "broken"  // packets are lost
	SeverityRisk    Severity = "risk"    // packets will be lost, or go astray
	SeverityUnknown Severity = "unknown" // cannot be seen from this host
)

// CheckCodes returns the codes of all findings, with why each hurts.
func CheckCodes() map[string]string { return maps.Clone(whyOf) }

var whyOf = map[string]string{
	"scheduler-missing":  "without a scheduler a service takes no new connections",
	"no-server":          "a service that has no server for a new connection refuses it",
	"port-zero":          "without persistence, packets for all other ports of the VIP are refused",
	"loopback":           "the kernel drops packets from other hosts for a loopback address, and from one to other hosts",
	"vip-missing":        "IPVS, and a real server, see only packets that are delivered to the host",
	"address-twice":      "packets for an address that two machines have go to one of them, and neither hears of the other",
	"address-missing":    "packets for an address that no host has are dropped",
	"vip-mask":           "a VIP with a network around it makes this host answer its whole network by itself",
	"arp-flux":           "a real server that answers ARP for the VIP takes the director's place for some clients",
	"routers":            "a router on the way can lose packets, or send them elsewhere",
	"arp-other":          "another machine that answers ARP for the VIP takes the director's place for some clients",
	"rp-filter":          "a strict filter drops what comes out of the tunnel",
	"module-missing":     "the kernel cannot take packets out of the tunnel",
	"tunnel-down":        "a tunnel's device takes packets only when it is there and up",
	"fou-missing":        "without the port the real server refuses GUE packets by ICMP",
	"no-service":         "packets for a VIP that no service is for are refused by the host itself",
	"vip-unused":         "an address that is not used takes no packets",
	"arp-silent":         "those who cannot find the host by its address cannot send to it",
	"arp-old":            "neighbours go on sending where they used to, for minutes, until they hear of the change",
	"link-taken":         "a bridge, a bond or a VRF takes the packets of its ports, and addresses of these are not reached",
	"route-blocked":      "packets are dropped, or refused, by the host that should send them on",
	"route-strays":       "packets for a host on the link go another way, and do not arrive",
	"not-on-link":        "DR reaches only hosts on a network of the director: a router sends the packet back to the VIP",
	"mode-other":         "a real server takes only packets that are forwarded as it is set up for",
	"server-dead":        "clients that are given to a server which cannot serve them are lost, and others could serve them",
	"server-here":        "packets for an address of the host itself do not leave it",
	"neighbour-wrong":    "packets go to a host that is not there, or not the right one",
	"neighbour-silent":   "packets for a host that does not answer are dropped",
	"martian-source":     "the kernel drops packets that seem to come from the host itself",
	"program-missing":    "clients are refused where no program listens",
	"drops-packets":      "the kernel drops packets, as it is configured to",
	"backup-only":        "while backup_only is set, a host with a backup daemon does not balance",
	"firewall":           "a firewall drops packets, or sends them elsewhere",
	"mark-missing":       "a service of a firewall mark finds only packets that a rule gives the mark",
	"route":              "packets that find no way are dropped",
	"program":            "clients are refused where no program listens",
	"link-down":          "packets neither come nor go by an interface that is down",
	"mtu":                "packets that do not fit into the tunnel are lost, or sent in fragments",
	"path-mtu":           "packets that do not fit into the tunnel are lost when ICMP is filtered on the way",
	"forwarding-off":     "answers of NAT servers are not sent on to the clients",
	"send-redirects":     "servers learn of a way around the director, and their answers keep their own address",
	"ttl":                "routers drop packets that have passed as many as these may",
	"return-route":       "answers that do not pass by the director keep the server's address, and clients drop them",
	"same-subnet":        "a client in the servers' own network is answered directly, and drops the answer",
	"nat-conntrack":      "source NAT does not apply to connections that netfilter does not track",
	"nat-missing":        "servers without a route back through the director answer clients directly",
	"clients-hidden":     "servers behind source NAT do not see who the client is",
	"port-ignored":       "DR and tunnels do not rewrite ports: packets arrive at the service's port",
	"hash-no-fallback":   "the share of clients that is hashed to a server that takes none gets no server",
	"reuse-stall":        "before Linux 5.9 a client that uses a port again waits a second",
	"reuse-stuck":        "a client that uses a port again stays with its server, even a dead one",
	"udp-stuck":          "a UDP flow goes on to a server that was removed",
	"drain-breaks":       "removing a server cuts its connections: drain it by weight 0 first",
	"persistence-sticks": "persistence keeps sending clients to a server of weight 0",
	"backup-strict":      "a backup that takes over drops connections that it did not hear of",
	"real-server":        "a real server without the VIP, or one that tells others of it, keeps clients from the service",
	"server-order":       "directors that list servers in another order send clients elsewhere",
	"backup-balances":    "a director that is its own backup sends packets round in a circle",
	"sysctl-hidden":      "parameters of IPVS are not to be had in this namespace, and stay at their defaults",
	"idle-timeout":       "a connection that is idle for longer is forgotten, and its next packet refused or dropped",
	"backlog":            "connections that find no room to wait for the program are dropped, and wait for seconds",
	"capacity":           "clients are refused when all servers have as many connections as they take",
	"table-small":        "each packet searches a long chain of connections",
	"wildcard-listener":  "a program that listens on all addresses is reached by the VIP too",
	"listeners":          "a program that listens on all addresses is reached by the VIP too",
	"another-writer":     "kube-proxy removes what it does not know from the table",
	"other-writers":      "another program that writes the table undoes what this one does",
	"sync-apart":         "a backup that does not hear the master knows none of its connections when it takes over",
	"sync-mixed":         "the kernel refuses a sync daemon beside servers of another family than their service's",
	"flooded":            "a server that came back gets all new connections until it has as many as the others",
	"coarse-persistence": "all clients of a network are one client, which one server has to bear",
	"clients-behind-nat": "all clients behind one address are one client of persistence",
	"clear-text":         "what is to be encrypted is sent, or taken, in clear text",
	"clear-text-tunnel":  "the tunnels of IPVS do not pass by the policy: what it is to encrypt leaves in clear text",
	"key-missing":        "without its key nothing is sent by an encrypted tunnel, and nothing taken",
	"setting-missing":    "the setup asks for it",
}

func finding(code string, severity Severity, format string, args ...any) Finding {
	return Finding{Code: code, Severity: severity, Detail: fmt.Sprintf(format, args...), Why: whyOf[code]}
}

func (f Finding) fix(s ...Requirement) Finding { f.Fix = s; return f }

func (f Finding) change(changes ...Change) Finding { f.Changes = changes; return f }

func (f Finding) run(commands ...string) Finding { f.Commands = commands; return f }

func (f Finding) advise(format string, args ...any) Finding {
	f.Advice = fmt.Sprintf(format, args...)
	return f
}

// String shows the finding in a few lines: what was found, why it hurts, and the
// commands that mend it.
func (f Finding) String() string {
	var b strings.Builder
	where := ""
	if f.Host != "" {
		where = " on " + f.Host
	}
	fmt.Fprintf(&b, "%s (%s)%s: %s\n    %s\n", f.Code, f.Severity, where, f.Detail, f.Why)
	for _, command := range f.Commands {
		fmt.Fprintf(&b, "    run: %s\n", command)
	}
	for _, s := range f.Fix {
		fmt.Fprintf(&b, "    fix: %s\n", s.Want)
	}
	for _, ch := range f.Changes {
		fmt.Fprintf(&b, "    fix: %s\n", ch)
	}
	if f.Advice != "" {
		fmt.Fprintf(&b, "    %s\n", f.Advice)
	}
	return b.String()
}

// Check looks for what goes wrong on hosts: for each setting of a setup that the
// host does not have, and for what in its IPVS table cannot work or will not for
// long. It changes nothing. A setup that is nil checks the table alone, and on a
// host without IPVS there is no table to look at. It takes the privilege to read
// the table: [ErrPermission].
//
// Some things take the facts of other hosts, which [Host.State] returns there: of
// the real servers, and of other directors. Given as peers they are looked at
// together with this host; what they tell is not listed as unseen. A machine that
// is none of the peers, and what is between them, is not looked at. Facts without
// interfaces are of the kind [ErrInvalid].
func (h *Host) Check(ctx context.Context, setup Setup, peers ...HostState) (Report, error) {
	for i, p := range peers {
		if len(p.Interfaces) == 0 {
			bad := invalid(fmt.Sprintf("peers[%d].Interfaces", i), "is empty, but every host has lo")
			bad.hint = "pass what Host.Facts returned on that host"
			return Report{}, bad.about("check", p.Name)
		}
	}
	own, err := h.State(ctx)
	if err != nil {
		return Report{}, err
	}
	found := make([]Resource, len(setup))
	for i, s := range setup {
		if found[i], err = h.find(ctx, s.Want); err != nil {
			return Report{}, err
		}
	}
	return judgeHosts(own, setup, found, peers), nil
}

func rank(s Severity) int {
	return slices.Index([]Severity{SeverityBroken, SeverityRisk, SeverityUnknown}, s)
}
