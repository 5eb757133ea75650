package lvs

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// table looks at the services and their servers.
func (c *checker) table(ctx context.Context) (err error) {
	c.entries, err = c.host.client.Snapshot(ctx)
	if errors.Is(err, ErrUnavailable) {
		c.noIPVS = true // as on a real server, which takes none
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range c.entries {
		if f, ok := e.unserved(); ok {
			c.found(f)
		}
		if err := c.delivered(ctx, e); err != nil {
			return err
		}
		c.ports(e)
		c.loopback(e)
		c.coarse(e)
		c.flooded(e)
		if err := c.reached(ctx, e); err != nil {
			return err
		}
		if err := c.clearText(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// delivered looks whether packets for the VIP are.
func (c *checker) delivered(ctx context.Context, e ServiceEntry) error {
	vip := e.ID.VIP().Addr()
	if e.ID.FWMark() != 0 || vip.IsUnspecified() {
		return nil
	}
	route, err := within(ctx, func() (Route, error) {
		r, err := c.host.network.Lookup(vip, netip.Addr{})
		return Route(r), err
	})
	if context.Cause(ctx) != nil {
		return settingError("route", nil, err)
	}
	if err == nil && route.Local {
		return nil
	}
	f := finding("vip-missing", SeverityBroken, "%s of %s is no address of this host", vip, e.ID)
	if err == nil && route.Interface != "" {
		f = f.mend(Setting{vipAddress(vip, route.Interface, ""), "IPVS sees only packets that are delivered to this host"})
	}
	c.found(f)
	return nil
}

func (c *checker) ports(e ServiceEntry) {
	for _, s := range e.Servers {
		if s.Mode != NAT && s.Mode.method() != wire.MethodLocalNode && e.ID.FWMark() == 0 && s.Addr.Port() != e.ID.VIP().Port() {
			c.found(finding("port-ignored", SeverityBroken, "%s -> %s: packets arrive at port %d", e.ID, s.RealServer, e.ID.VIP().Port()).
				advise("give the server the service's port, or use NAT"))
		}
	}
}

// loopback looks for addresses that packets from or to other hosts cannot have. A
// server by DR at a loopback address is the director itself.
func (c *checker) loopback(e ServiceEntry) {
	local := e.ID.FWMark() == 0 && e.ID.VIP().Addr().IsLoopback()
	for _, s := range e.Servers {
		switch here := s.Addr.Addr().IsLoopback(); {
		case here && !local && s.Mode == NAT:
			c.found(finding("loopback", SeverityBroken, "%s -> %s: packets of other hosts are dropped", e.ID, s.RealServer).
				advise("let the program listen on an address of this host that is not a loopback one, and give the server that address"))
		case !here && local:
			c.found(finding("loopback", SeverityBroken, "%s -> %s: the VIP is reached from this host alone, and its packets do not leave it", e.ID, s.RealServer).
				advise("give the service a VIP that other hosts can reach"))
			return
		}
	}
}

func (c *checker) coarse(e ServiceEntry) {
	if e.Persistence.Timeout == 0 || e.Persistence.Mask == 0 {
		return
	}
	usual := 24
	if e.ID.Is6() {
		usual = 64
	}
	bits, err := strconv.Atoi(strings.TrimPrefix(e.Persistence.Mask.String(), "/"))
	if err == nil && bits < usual {
		c.found(finding("coarse-persistence", SeverityRisk, "%s makes one client of each /%d", e.ID, bits).advise("use a longer mask"))
	}
}

// crowd is how many connections a server has when one beside it with none is
// about to be flooded.
const crowd = 100

func (c *checker) flooded(e ServiceEntry) {
	switch e.Scheduler {
	case LC, WLC, "", SED, NQ:
	default:
		return
	}
	most := uint32(0)
	for _, s := range e.Servers {
		most = max(most, s.ActiveConns)
	}
	for _, s := range e.Servers {
		if s.Weight > 0 && s.ActiveConns+s.InactiveConns == 0 && most >= crowd {
			c.found(finding("flooded", SeverityRisk, "%s -> %s has no connection, and another has %d", e.ID, s.RealServer, most).
				advise("raise its weight in steps"))
		}
	}
}

// overhead is what a tunnel adds to a packet, in bytes.
func overhead(s RealServer) int {
	size := 20
	if s.Addr.Addr().Is6() {
		size = 40
	}
	switch s.Mode.tunnelType() {
	case wire.TunnelGUE:
		size += 12
	case wire.TunnelGRE:
		size += 4
		if s.Mode.tunnelFlags()&TunnelChecksum != 0 {
			size += 4
		}
	}
	return size
}

// reached looks at the ways to the servers: NAT needs forwarding, and a tunnel
// room.
func (c *checker) reached(ctx context.Context, e ServiceEntry) error {
	nat := false
	for _, s := range e.Servers {
		nat = nat || s.Mode == NAT
		if !s.Mode.isTunnel() || c.sysctl(ctx, VSPMTUDisc.Key) != "0" {
			continue
		}
		if mtu := c.mtuTo(ctx, s.Addr.Addr()); mtu != 0 && mtu < 1500+overhead(s.RealServer) {
			c.found(finding("mtu", SeverityRisk, "%s -> %s: 1500 bytes and %d of the tunnel do not fit into the MTU %d, and pmtu_disc=0 tells no client",
				e.ID, s.RealServer, overhead(s.RealServer), mtu).mend(VSPMTUDisc.Setting(1, "tell clients that their packets are too big")))
		}
	}
	forward := forwarding(e.ID.Is6(), "answers of the real servers are forwarded to the clients")
	key := forward.Want.(Sysctl).Key
	if nat && c.sysctl(ctx, key) == "0" && !c.has("forwarding-off") {
		c.found(finding("forwarding-off", SeverityBroken, "%s has NAT servers, and %s is 0", e.ID, key).mend(forward))
	}
	return nil
}

// has tells whether there is such a finding.
func (c *checker) has(code string) bool {
	for _, f := range c.findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

// mtuTo returns the MTU of the interface by which an address is reached, 0 if it
// is not known.
func (c *checker) mtuTo(ctx context.Context, to netip.Addr) int {
	mtu, err := within(ctx, func() (int, error) {
		r, err := c.host.network.Lookup(to, netip.Addr{})
		if err != nil || r.MTU != 0 {
			return r.MTU, err
		}
		links, err := c.host.network.Links()
		for _, l := range links {
			if l.Name == r.Interface {
				return l.MTU, nil
			}
		}
		return 0, err
	})
	if err != nil {
		return 0
	}
	return mtu
}

// parameters looks at those of IPVS that do not fit the table.
func (c *checker) parameters(ctx context.Context) error {
	if len(c.entries) == 0 {
		return nil
	}
	value := func(p Parameter) string { return c.sysctl(ctx, p.Key) }
	if value(VSConntrack) == "" {
		c.found(finding("sysctl-hidden", SeverityRisk, "there is no %s", VSConntrack.Key).
			advise("Linux before 6.12 hides it in a user namespace: set it from outside"))
		return nil
	}
	switch value(VSConnReuseMode) {
	case "0":
		c.found(finding("reuse-stuck", SeverityRisk, "%s is 0", VSConnReuseMode.Key).mend(VSConnReuseMode.Setting(1, "schedule anew")))
	case "1":
		if release, err := c.host.kernelRelease(ctx); err == nil && value(VSConntrack) != "0" && isBefore(release, 5, 9) {
			c.found(finding("reuse-stall", SeverityRisk, "Linux %s with conn_reuse_mode=1 and conntrack=1", release).advise("use a newer kernel"))
		}
	}
	c.removals(value(VSExpireNodestConn))
	c.quiesced(value(VSExpireQuiescentTemplate))
	if err := c.connections(ctx); err != nil {
		return err
	}
	if err := c.otherWriter(ctx); err != nil {
		return err
	}
	return c.listeners(ctx)
}

// isBefore compares a release such as "6.1.0-56-amd64".
func isBefore(release string, major, minor int) bool {
	part := strings.SplitN(release, ".", 3)
	a, err := strconv.Atoi(part[0])
	if err != nil || len(part) < 2 {
		return false
	}
	b, _ := strconv.Atoi(part[1])
	return a < major || a == major && b < minor
}

// removals looks at what becomes of connections whose server is removed.
func (c *checker) removals(expires string) {
	for _, e := range c.entries {
		switch udp := e.ID.Protocol() == ProtocolUDP && e.ID.FWMark() == 0; {
		case udp && !e.OnePacket && expires == "0":
			c.found(finding("udp-stuck", SeverityRisk, "%s with expire_nodest_conn=0", e.ID).mend(VSExpireNodestConn.Setting(1, "end flows of removed servers")))
			return
		case !udp && expires != "0":
			c.found(finding("drain-breaks", SeverityRisk, "%s with expire_nodest_conn=%s", e.ID, expires).advise("drain servers by weight 0 before they are removed"))
			return
		}
	}
}

func (c *checker) quiesced(expires string) {
	for _, e := range c.entries {
		for _, s := range e.Servers {
			if e.Persistence.Timeout != 0 && s.Weight == 0 && expires == "0" {
				c.found(finding("persistence-sticks", SeverityRisk, "%s -> %s with expire_quiescent_template=0", e.ID, s.RealServer).
					mend(VSExpireQuiescentTemplate.Setting(1, "let persistence go of drained servers")))
				return
			}
		}
	}
}

// longChain is how many connections a bucket has when the table is too small.
const longChain = 8

func (c *checker) connections(ctx context.Context) error {
	info, err := c.host.client.Info(ctx)
	if err != nil {
		return err
	}
	total := 0
	for _, e := range c.entries {
		for _, s := range e.Servers {
			total += int(s.ActiveConns) + int(s.InactiveConns)
		}
	}
	if info.ConnTableSize > 0 && total > longChain*info.ConnTableSize {
		c.found(finding("table-small", SeverityRisk, "%d connections in %d buckets", total, info.ConnTableSize).
			advise("load ip_vs with conn_tab_bits=20, or use Linux 7.1 or newer"))
	}
	timeouts, err := c.host.client.Timeouts(ctx)
	if err != nil {
		return err
	}
	c.cannotSee("idle-timeout", "the timeouts are "+timeouts.String()+"; keep-alives must come more often")
	return nil
}

func (c *checker) otherWriter(ctx context.Context) error {
	names, err := c.host.linkNames(ctx)
	for _, name := range names {
		if name == "kube-ipvs0" {
			c.found(finding("another-writer", SeverityRisk, "there is an interface kube-ipvs0").
				advise("use another network namespace, or the option --ipvs-exclude-cidrs of kube-proxy"))
		}
	}
	return err
}

// listeners looks for programs that listen at a service's own port: they are
// reached when the service is gone. Others are listed as unseen.
func (c *checker) listeners(ctx context.Context) error {
	for _, path := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := c.host.readFile(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, port := range wildcardPorts(string(text)) {
			for _, e := range c.entries {
				if e.ID.Protocol() == ProtocolTCP && e.ID.FWMark() == 0 && e.ID.VIP().Port() == port && !c.has("wildcard-listener") {
					c.found(finding("wildcard-listener", SeverityRisk, "a program of this host listens on *:%d, which %s balances", port, e.ID).
						advise("let it listen on an address of its own: it answers clients when the service is gone"))
				}
			}
		}
	}
	c.cannotSee("listeners", "ss -ltn lists what listens on *: all of it is reached by the VIP, unless a firewall keeps it")
	return nil
}

// wildcardPorts returns the ports of listeners on all addresses.
func wildcardPorts(text string) (ports []uint16) {
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "0A" {
			continue
		}
		addr, port, _ := strings.Cut(f[1], ":")
		if n, err := strconv.ParseUint(port, 16, 16); err == nil && strings.Trim(addr, "0") == "" {
			ports = append(ports, uint16(n))
		}
	}
	return ports
}

// daemons looks at the sync daemons.
func (c *checker) daemons(ctx context.Context) error {
	if c.noIPVS {
		return nil
	}
	all, err := c.host.client.Daemons(ctx)
	if err != nil {
		return err
	}
	var master, backup bool
	for _, d := range all {
		master = master || d.Role == Master
		backup = backup || d.Role == Backup
	}
	for _, e := range c.entries {
		for _, s := range e.Servers {
			if (master || backup) && s.Addr.Addr().Is6() != e.ID.Is6() && !c.has("sync-mixed") {
				c.found(finding("sync-mixed", SeverityRisk, "%s -> %s beside a sync daemon", e.ID, s.RealServer).advise("stop the daemon, or use servers of the service's family"))
			}
			if master && backup && s.Mode != NAT && c.sysctl(ctx, VSBackupOnly.Key) == "0" && !c.has("backup-balances") {
				c.found(finding("backup-balances", SeverityRisk, "master and backup daemons run, and backup_only is 0").mend(VSBackupOnly.Setting(1, "do not balance what the other director sends")))
			}
		}
	}
	if backup && c.sysctl(ctx, VSSloppyTCP.Key) == "0" {
		c.found(finding("backup-strict", SeverityRisk, "a backup daemon runs, and sloppy_tcp is 0").mend(VSSloppyTCP.Setting(1, "take connections over from their middle")))
	}
	return nil
}
