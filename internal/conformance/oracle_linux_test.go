package conformance

import (
	"context"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/golvs/lvs/internal/testbed"
)

// The oracle is ipvsadm: a change of the client does what a command of ipvsadm does,
// and then both tables look the same to both.

// oracleCase is a command of ipvsadm, and the change that does the same.
type oracleCase struct {
	command string
	change  lvs.Change
}

func tcpAt(s string) lvs.ServiceID { return lvs.TCP(addrAt(s)) }
func udpAt(s string) lvs.ServiceID { return lvs.UDP(addrAt(s)) }

func persist(d time.Duration, m lvs.Mask) lvs.Persistence {
	return lvs.Persistence{Timeout: d, Mask: m}
}

// oracleTable covers what ipvsadm can say of services and servers. Every service
// is another one, so that all of them are one table.
func oracleTable() []oracleCase {
	const sec = time.Second
	sip := lvs.Persistence{Timeout: 60 * sec, Engine: "sip"}
	table := []oracleCase{
		{"-A -t 10.1.0.1:80 -s rr", lvs.AddService(lvs.Service{ID: webID, Scheduler: lvs.RR})},
		{"-A -t 10.1.0.2:80", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.2:80")})},
		{"-A -u 10.1.0.1:53 -s rr", lvs.AddService(lvs.Service{ID: dnsID, Scheduler: lvs.RR})},
		{"-A -u 10.1.0.2:53 -s rr -o", lvs.AddService(lvs.Service{ID: udpAt("10.1.0.2:53"), Scheduler: lvs.RR, OnePacket: true})},
		{"-A --sctp-service 10.1.0.1:5060 -s lc", lvs.AddService(lvs.Service{ID: sctpID, Scheduler: lvs.LC})},
		{"-A -t [fd00:1::1]:80 -s rr", lvs.AddService(lvs.Service{ID: web6ID, Scheduler: lvs.RR})},
		{"-A -u [fd00:1::1]:53 -s rr -o", lvs.AddService(lvs.Service{ID: udpAt("[fd00:1::1]:53"), Scheduler: lvs.RR, OnePacket: true})},
		{"-A --sctp-service [fd00:1::1]:5060 -s lc", lvs.AddService(lvs.Service{ID: lvs.SCTP(addrAt("[fd00:1::1]:5060")), Scheduler: lvs.LC})},
		{"-A -f 7 -s rr", lvs.AddService(lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.RR})},
		{"-A -f 7 -6 -s lc", lvs.AddService(lvs.Service{ID: lvs.FWMark6(7), Scheduler: lvs.LC})},
		{"-A -f 8 -s rr -o", lvs.AddService(lvs.Service{ID: lvs.FWMark(8), Scheduler: lvs.RR, OnePacket: true})},
		{"-A -f 2147483647 -s rr", lvs.AddService(lvs.Service{ID: lvs.FWMark(1<<31 - 1), Scheduler: lvs.RR})},

		{"-A -t 10.1.0.3:80 -s rr -p", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:80"), Scheduler: lvs.RR, Persistence: persist(360*sec, lvs.Mask{})})}, // its manual says 300
		{"-A -t 10.1.0.3:81 -s rr -p 1", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:81"), Scheduler: lvs.RR, Persistence: persist(sec, lvs.Mask{})})},
		{"-A -t 10.1.0.3:82 -s rr -p 2678400", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:82"), Scheduler: lvs.RR, Persistence: persist(31*24*time.Hour, lvs.Mask{})})},
		{"-A -t 10.1.0.3:83 -s rr -p 60 -M 255.255.255.0", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:83"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.PrefixMask(24))})},
		{"-A -t 10.1.0.3:84 -s rr -p 60 -M 255.255.255.255", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:84"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.PrefixMask(32))})},
		{"-A -t 10.1.0.3:85 -s rr -p 60 -M 255.0.255.1", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:85"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.DottedMask([4]byte{255, 0, 255, 1}))})},
		{"-A -t 10.1.0.3:0 -s rr -p 60", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.3:0"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.Mask{})})},
		{"-A -t [fd00:1::1]:81 -s rr -p 60 -M 64", lvs.AddService(lvs.Service{ID: tcpAt("[fd00:1::1]:81"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.PrefixMask(64))})},
		{"-A -t [fd00:1::1]:82 -s rr -p 60 -M 1", lvs.AddService(lvs.Service{ID: tcpAt("[fd00:1::1]:82"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.PrefixMask(1))})},
		{"-A -t [fd00:1::1]:83 -s rr -p 60", lvs.AddService(lvs.Service{ID: tcpAt("[fd00:1::1]:83"), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.Mask{})})},
		{"-A -f 9 -s rr -p 60 -M 255.0.0.0", lvs.AddService(lvs.Service{ID: lvs.FWMark(9), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.PrefixMask(8))})},
		{"-A -f 9 -6 -s rr -p 60 -M 48", lvs.AddService(lvs.Service{ID: lvs.FWMark6(9), Scheduler: lvs.RR, Persistence: persist(60*sec, lvs.PrefixMask(48))})},
		{"-A -u 10.1.0.1:5060 -s rr -p 60 --pe sip", lvs.AddService(lvs.Service{ID: udpAt("10.1.0.1:5060"), Scheduler: lvs.RR, Persistence: sip})},
		{"-A -u 10.1.0.2:5060 -s rr -p 60 --pe sip -o", lvs.AddService(lvs.Service{ID: udpAt("10.1.0.2:5060"), Scheduler: lvs.RR, Persistence: sip, OnePacket: true})},

		{"-A -t 10.1.0.4:80 -s sh -b sh-fallback", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:80"), Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback})},
		{"-A -t 10.1.0.4:81 -s sh -b sh-port", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:81"), Scheduler: lvs.SH, SchedulerFlags: lvs.HashPort})},
		{"-A -t 10.1.0.4:82 -s sh -b sh-fallback,sh-port", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:82"), Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback | lvs.HashPort})},
		{"-A -t 10.1.0.4:83 -s mh -b mh-fallback", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:83"), Scheduler: lvs.MH, SchedulerFlags: lvs.HashFallback})},
		{"-A -t 10.1.0.4:84 -s mh -b mh-fallback,mh-port", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:84"), Scheduler: lvs.MH, SchedulerFlags: lvs.HashFallback | lvs.HashPort})},
		{"-A -t 10.1.0.4:85 -s rr -b flag-3", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:85"), Scheduler: lvs.RR, SchedulerFlags: flag3})}, // of sh it saves "-b " alone
		{"-A -t 10.1.0.4:86 -s rr -b flag-1,flag-2,flag-3", lvs.AddService(lvs.Service{ID: tcpAt("10.1.0.4:86"), Scheduler: lvs.RR, SchedulerFlags: lvs.HashFallback | lvs.HashPort | flag3})},
		{
			"-A -f 10 -6 -s sh -p 300 -M 64 -b sh-fallback,sh-port",
			lvs.AddService(lvs.Service{ID: lvs.FWMark6(10), Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback | lvs.HashPort, Persistence: persist(300*sec, lvs.PrefixMask(64))}),
		},
	}
	for i, name := range []lvs.Scheduler{lvs.RR, lvs.WRR, lvs.LC, lvs.WLC, lvs.SED, lvs.NQ, lvs.FO, lvs.OVF, lvs.LBLC, lvs.LBLCR, lvs.DH, lvs.SH, lvs.MH} {
		id := lvs.TCP(netip.AddrPortFrom(netip.MustParseAddr("10.1.0.5"), uint16(80+i)))
		table = append(table, oracleCase{"-A -t " + id.AddrPort().String() + " -s " + string(name), lvs.AddService(lvs.Service{ID: id, Scheduler: name})})
	}
	return append(table, oracleServers()...)
}

func oracleServers() []oracleCase {
	server := func(rip string, m lvs.Mode, weight int) lvs.RealServer {
		return lvs.RealServer{Addr: addrAt(rip), Mode: m, Weight: weight}
	}
	limited := server("10.2.0.12:80", lvs.DR(), 1)
	limited.UpperThreshold, limited.LowerThreshold = 10, 5
	upper := server("10.2.0.13:80", lvs.DR(), 1)
	upper.UpperThreshold = 2000
	limited2 := server("10.2.0.4:53", lvs.DR(), 1)
	limited2.UpperThreshold, limited2.LowerThreshold = 9, 8
	sip := udpAt("10.1.0.2:5060")
	return []oracleCase{
		// In an order that no sorting would produce.
		{"-a -t 10.1.0.1:80 -r 10.2.0.9:80", lvs.AddRealServer(webID, server("10.2.0.9:80", lvs.DR(), 1))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.3:80 -g -w 0", lvs.AddRealServer(webID, server("10.2.0.3:80", lvs.DR(), 0))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.4 -w 3", lvs.AddRealServer(webID, server("10.2.0.4:80", lvs.DR(), 3))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.5:80 -m -w 65535", lvs.AddRealServer(webID, server("10.2.0.5:80", lvs.NAT(), 65535))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.5:8080 -m -w 2147483647", lvs.AddRealServer(webID, server("10.2.0.5:8080", lvs.NAT(), 1<<31-1))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.6:80 -i", lvs.AddRealServer(webID, server("10.2.0.6:80", lvs.IPIP(), 1))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.7:9999 -g", lvs.AddRealServer(webID, server("10.2.0.7:80", lvs.DR(), 1))}, // ipvsadm rewrites the port
		{"-a -t 10.1.0.1:80 -r 127.0.0.1:80 -m", lvs.AddRealServer(webID, server("127.0.0.1:80", lvs.NAT(), 1))},
		{"-a -t 10.1.0.1:80 -r 10.2.0.12:80 -x 10 -y 5", lvs.AddRealServer(webID, limited)},
		{"-a -t 10.1.0.1:80 -r 10.2.0.13:80 -x 2000", lvs.AddRealServer(webID, upper)},

		{"-a -t 10.1.0.2:80 -r 10.2.0.8:80 -i --tun-type ipip", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.8:80", lvs.IPIP(), 1))},
		{"-a -t 10.1.0.2:80 -r 10.2.0.7:80 -i --tun-type gue --tun-port 6080", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.7:80", lvs.GUE(6080), 1))},
		{"-a -t 10.1.0.2:80 -r 10.2.0.6:80 -i --tun-type gue --tun-port 6080 --tun-nocsum", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.6:80", lvs.GUE(6080), 1))},
		{"-a -t 10.1.0.2:80 -r 10.2.0.5:80 -i --tun-type gue --tun-port 6081 --tun-csum", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.5:80", lvs.GUE(6081, lvs.TunnelChecksum), 1))},
		{"-a -t 10.1.0.2:80 -r 10.2.0.4:80 -i --tun-type gue --tun-port 65535 --tun-remcsum", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.4:80", lvs.GUE(65535, lvs.TunnelRemoteChecksum), 1))},
		{"-a -t 10.1.0.2:80 -r 10.2.0.3:80 -i --tun-type gre", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.3:80", lvs.GRE(), 1))},
		{"-a -t 10.1.0.2:80 -r 10.2.0.2:80 -i --tun-type gre --tun-csum", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("10.2.0.2:80", lvs.GRE(lvs.TunnelChecksum), 1))},
		{"-a -t 10.1.0.2:80 -r [fd00:1::9]:80 -i", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("[fd00:1::9]:80", lvs.IPIP(), 1))},
		{"-a -t 10.1.0.2:80 -r [fd00:1::8]:80 -i --tun-type gue --tun-port 6080 --tun-csum", lvs.AddRealServer(tcpAt("10.1.0.2:80"), server("[fd00:1::8]:80", lvs.GUE(6080, lvs.TunnelChecksum), 1))},

		{"-a -t [fd00:1::1]:80 -r [fd00:1::4]:80 -g -w 2", lvs.AddRealServer(web6ID, server("[fd00:1::4]:80", lvs.DR(), 2))},
		{"-a -t [fd00:1::1]:80 -r [fd00:1::2]:8080 -m", lvs.AddRealServer(web6ID, server("[fd00:1::2]:8080", lvs.NAT(), 1))},
		{"-a -t [fd00:1::1]:80 -r [fd00:1::3]:80 -i", lvs.AddRealServer(web6ID, server("[fd00:1::3]:80", lvs.IPIP(), 1))},
		{"-a -t [fd00:1::1]:80 -r 10.2.0.2:80 -i --tun-type gre", lvs.AddRealServer(web6ID, server("10.2.0.2:80", lvs.GRE(), 1))},

		{"-a -f 7 -r 10.2.0.3 -g", lvs.AddRealServer(lvs.FWMark(7), server("10.2.0.3:0", lvs.DR(), 1))},
		{"-a -f 7 -r 10.2.0.2:0 -i", lvs.AddRealServer(lvs.FWMark(7), server("10.2.0.2:0", lvs.IPIP(), 1))},
		{"-a -f 7 -r 10.2.0.4:8080 -m", lvs.AddRealServer(lvs.FWMark(7), server("10.2.0.4:8080", lvs.NAT(), 1))},
		{"-a -f 7 -6 -r [fd00:1::2]:0 -g", lvs.AddRealServer(lvs.FWMark6(7), server("[fd00:1::2]:0", lvs.DR(), 1))},
		{"-a -t 10.1.0.3:0 -r 10.2.0.2:0 -g", lvs.AddRealServer(tcpAt("10.1.0.3:0"), server("10.2.0.2:0", lvs.DR(), 1))},
		{"-a --sctp-service 10.1.0.1:5060 -r 10.2.0.2:5060 -m", lvs.AddRealServer(sctpID, server("10.2.0.2:5060", lvs.NAT(), 1))},

		// Services and servers are updated, removed and zeroed.
		{"-a -u 10.1.0.1:53 -r 10.2.0.3:53 -i -w 9", lvs.AddRealServer(dnsID, server("10.2.0.3:53", lvs.IPIP(), 9))},
		{"-a -u 10.1.0.1:53 -r 10.2.0.2:53 -m", lvs.AddRealServer(dnsID, server("10.2.0.2:53", lvs.NAT(), 1))},
		{"-a -u 10.1.0.1:53 -r 10.2.0.4:53 -i --tun-type gre", lvs.AddRealServer(dnsID, server("10.2.0.4:53", lvs.GRE(), 1))},
		{"-E -u 10.1.0.1:53 -s sh -b sh-port -p 30", lvs.UpdateService(lvs.Service{ID: dnsID, Scheduler: lvs.SH, SchedulerFlags: lvs.HashPort, Persistence: persist(30*time.Second, lvs.Mask{})})},
		{"-E -u 10.1.0.2:5060 -s rr", lvs.UpdateService(lvs.Service{ID: sip, Scheduler: lvs.RR})},
		{"-e -u 10.1.0.1:53 -r 10.2.0.3:53 -i -w 1", lvs.UpdateRealServer(dnsID, server("10.2.0.3:53", lvs.IPIP(), 1))},
		{"-e -u 10.1.0.1:53 -r 10.2.0.4:53 -g -x 9 -y 8", lvs.UpdateRealServer(dnsID, limited2)},
		{"-d -u 10.1.0.1:53 -r 10.2.0.2:53", lvs.RemoveRealServer(dnsID, addrAt("10.2.0.2:53"))},
		{"-a -u 10.1.0.1:53 -r 10.2.0.2:53 -m", lvs.AddRealServer(dnsID, server("10.2.0.2:53", lvs.NAT(), 1))},
		{"-d -t 10.1.0.2:80 -r [fd00:1::9]:80", lvs.RemoveRealServer(tcpAt("10.1.0.2:80"), addrAt("[fd00:1::9]:80"))},
		{"-D -t 10.1.0.5:81", lvs.RemoveService(tcpAt("10.1.0.5:81"))},
		{"-D -f 8", lvs.RemoveService(lvs.FWMark(8))},
		{"-Z -t 10.1.0.1:80", lvs.ZeroCounters(webID)},
		{"-Z", lvs.ZeroAllCounters()},
	}
}

// oracle is a namespace that ipvsadm and the client work in.
type oracle struct {
	*kernelGround
	t      *testing.T
	client *lvs.Client
}

func newOracle(t *testing.T) *oracle {
	t.Helper()
	testbed.InKernel(t)
	if _, err := exec.LookPath("ipvsadm"); err != nil {
		t.Fatalf("the oracle is missing: %v", err)
	}
	g := openKernelGround(t).(*kernelGround)
	o := &oracle{g, t, groundClient(t, g)}
	t.Cleanup(dialRaw(t, g.Dial).stopDaemons)
	return o
}

// ipvsadm runs it and returns what it printed.
func (o *oracle) ipvsadm(stdin string, args ...string) string {
	o.t.Helper()
	var out []byte
	err := o.ns.Do(func() (err error) {
		cmd := exec.Command("ipvsadm", args...)
		cmd.Stdin = strings.NewReader(stdin)
		out, err = cmd.CombinedOutput()
		return err
	})
	if err != nil {
		o.t.Fatalf("ipvsadm %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// daemonCommands gives ipvsadm commands about sync daemons, one a process, and
// ends one that waits: netlink does not answer what was interrupted in a daemon's
// thread that has hardly started, and ipvsadm waits for that answer for ever.
// The caller compares the result.
func (o *oracle) daemonCommands(commands string) {
	o.t.Helper()
	for command := range strings.Lines(commands) {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		err := o.ns.Do(func() error {
			return exec.CommandContext(ctx, "ipvsadm", strings.Fields(command)...).Run()
		})
		if err != nil && ctx.Err() == nil {
			o.t.Fatalf("ipvsadm %s: %v", command, err)
		}
		cancel()
	}
}

// restore gives ipvsadm commands. It can print an error and exit with 0.
func (o *oracle) restore(commands string) {
	o.t.Helper()
	if out := o.ipvsadm(commands, "-R"); out != "" {
		o.t.Fatalf("ipvsadm -R says\n%s", out)
	}
}

// saved is what ipvsadm saves, sorted: the order of services is the kernel's.
func (o *oracle) saved() string {
	o.t.Helper()
	lines := strings.SplitAfter(o.ipvsadm("", "-S", "-n"), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// listed is what ipvsadm lists with an option, the services sorted, each with its
// servers.
func (o *oracle) listed(option string) string {
	o.t.Helper()
	var services []string
	for line := range strings.Lines(o.ipvsadm("", "-L", "-n", option)) {
		if strings.HasPrefix(line, "  ->") && len(services) > 0 {
			services[len(services)-1] += line
			continue
		}
		services = append(services, line)
	}
	slices.Sort(services)
	return strings.Join(services, "")
}

// listings are options that show what ipvsadm does not save.
var listings = []string{"--thresholds", "--tun-info"}

// alike compares all that ipvsadm and the client see in two namespaces.
func alike(t *testing.T, a, b *oracle) {
	t.Helper()
	compare(t, "ipvsadm -Sn", a.saved(), b.saved())
	for _, option := range listings {
		compare(t, "ipvsadm -Ln "+option, a.listed(option), b.listed(option))
	}
	compare(t, "the client's snapshot", a.snapshot(), b.snapshot())
	compare(t, "all that the client reads", describe(t, a.client), describe(t, b.client))
}

func (o *oracle) snapshot() []lvs.ServiceEntry {
	o.t.Helper()
	all, err := o.client.Snapshot(groundContext(o.t))
	must(o.t, err)
	return all.Services
}

func TestOracleTable(t *testing.T) {
	theirs, ours := newOracle(t), newOracle(t)
	commands := []string{"-C"}
	changes := []lvs.Change{lvs.Flush()}
	for _, c := range oracleTable() {
		commands, changes = append(commands, c.command), append(changes, c.change)
	}
	theirs.restore(strings.Join(commands, "\n") + "\n")
	must(t, ours.client.Do(groundContext(t), changes...))
	alike(t, theirs, ours)

	// The tables are the ones that were asked for, and not both empty.
	services, servers := 0, 0
	for _, e := range ours.snapshot() {
		services, servers = services+1, servers+len(e.RealServers)
	}
	compare(t, "services and servers", [2]int{45, 31}, [2]int{services, servers})

	// What ipvsadm saves of our table, it makes again. It saves no thresholds, and
	// sorts the servers.
	again := newOracle(t)
	again.restore(ours.ipvsadm("", "-S", "-n"))
	compare(t, "ipvsadm -Sn, restored", ours.saved(), again.saved())
	compare(t, "the client's snapshot, restored", withoutThresholds(ours.snapshot()), withoutThresholds(again.snapshot()))
}

func withoutThresholds(entries []lvs.ServiceEntry) []lvs.ServiceEntry {
	for _, e := range entries {
		for i := range e.RealServers {
			e.RealServers[i].UpperThreshold, e.RealServers[i].LowerThreshold = 0, 0
		}
		slices.SortFunc(e.RealServers, func(a, b lvs.RealServerStatus) int { return a.Addr.Compare(b.Addr) })
	}
	return entries
}

// Each changes and removes what the other has made.
func TestOracleMixed(t *testing.T) {
	theirs, ours := newOracle(t), newOracle(t)
	ctx := groundContext(t)
	const script = "-A -t 10.1.0.1:80 -s sh -b sh-fallback -p 60 -M 255.255.0.0\n" +
		"-a -t 10.1.0.1:80 -r 10.2.0.2:80 -i --tun-type gue --tun-port 6080 --tun-csum -w 5 -x 9 -y 8\n" +
		"-a -t 10.1.0.1:80 -r 10.2.0.3:80 -m\n-A -f 7 -6 -s rr\n"
	theirs.restore(script)
	ours.restore(script)

	theirs.restore("-e -t 10.1.0.1:80 -r 10.2.0.2:80 -i --tun-type gue --tun-port 6080 --tun-csum -w 0 -x 9 -y 8\n" +
		"-E -t 10.1.0.1:80 -s mh -b mh-fallback -p 60 -M 255.255.0.0\n-d -t 10.1.0.1:80 -r 10.2.0.3:80\n-D -f 7 -6\n")
	err := ours.client.SetWeight(ctx, webID, webRIP, 0)
	must(t, err)
	_, err = ours.client.ModifyService(ctx, webID, func(s *lvs.Service) { s.Scheduler = lvs.MH })
	must(t, err)
	must(t, ours.client.RemoveRealServer(ctx, webID, webRIP2))
	must(t, ours.client.RemoveService(ctx, lvs.FWMark6(7)))
	alike(t, theirs, ours)

	must(t, theirs.client.Flush(ctx))
	ours.restore("-C\n")
	alike(t, theirs, ours)
	compare(t, "what is left", "", ours.saved())
}

// Timeouts and daemons, as ipvsadm lists them and as the client does.
func TestOracleDaemonsAndTimeouts(t *testing.T) {
	for _, c := range []struct {
		name    string
		script  string
		changes []lvs.Change
	}{
		{
			"both daemons, and timeouts",
			"--start-daemon backup --mcast-interface dummy0 --syncid 255 --sync-maxlen 1200 --mcast-group 239.1.2.3 --mcast-port 9999 --mcast-ttl 7\n" +
				"--start-daemon master --mcast-interface dummy0\n--set 100 50 20\n--set 0 0 2678400\n",
			[]lvs.Change{
				lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncBackup, Interface: groundDevice, SyncID: 255, MaxLen: 1200, Group: netip.MustParseAddr("239.1.2.3"), Port: 9999, TTL: 7}),
				lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: groundDevice}),
				lvs.SetTimeouts(lvs.Timeouts{TCP: 100 * time.Second, TCPFin: 50 * time.Second, UDP: 20 * time.Second}),
				lvs.SetTimeouts(lvs.Timeouts{UDP: 31 * 24 * time.Hour}),
			},
		},
		{
			"an IPv6 group",
			"--start-daemon master --mcast-interface dummy0 --syncid 1 --mcast-group ff02::81\n",
			[]lvs.Change{
				lvs.StartSyncDaemon(lvs.SyncDaemon{Role: lvs.SyncMaster, Interface: groundDevice, SyncID: 1, Group: netip.MustParseAddr("ff02::81")}),
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			theirs, ours := newOracle(t), newOracle(t)
			look := func() {
				for _, option := range []string{"--daemon", "--timeout"} {
					compare(t, "ipvsadm -Ln "+option, theirs.listed(option), ours.listed(option))
				}
				compare(t, "all that the client reads", describe(t, theirs.client), describe(t, ours.client))
			}
			theirs.daemonCommands(c.script)
			must(t, ours.client.Do(groundContext(t), c.changes...))
			look()

			theirs.daemonCommands("--stop-daemon master")
			must(t, ours.client.StopSyncDaemon(groundContext(t), lvs.SyncMaster))
			look()
		})
	}
}
