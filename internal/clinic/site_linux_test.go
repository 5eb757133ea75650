package clinic

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/netspace"
	"github.com/golvs/lvs/internal/testbed"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// site is a service on several hosts, set up as a public guide has it.
type site struct {
	name    string
	needs   string         // a program that not all kernels support, such as "iptables"
	proto   string         // "tcp", "udp" or "sctp"
	vip     netip.AddrPort // the address that clients connect to
	hosts   []host
	answers []string // the hosts whose programs answer clients when all is well
	faults  []fault
}

// host is one machine of a site.
type host struct {
	name   string
	nics   string                    // the networks of eth0, eth1, …
	base   string                    // addresses and routes as lines of ip -batch
	guide  string                    // the commands of the guide, for the shell
	setup  func() (lvs.Setup, error) // what package lvs would set up here; nil: nothing
	listen string                    // where its program listens; "": nowhere
	from   []string                  // the addresses of its clients
	judged bool                      // it is a director or a real server, and is checked
}

// ground is a site that was built. It is removed at the end of the test.
type ground struct {
	site
	wires *netspace.Wires
	up    map[string]*machine

	patience time.Duration // after which a request counts as lost
}

// machine is a host that was built.
type machine struct {
	host
	space *netspace.Namespace
	links *netlink.Handle // inside the namespace
	lvs   *lvs.Host
	stop  []func() // ends its programs
}

// works reports whether a program that not all kernels support works in this one.
var works = func() func(string) bool {
	iptables := sync.OnceValue(func() bool { return exec.Command("iptables-legacy", "-t", "nat", "-L").Run() == nil })
	return func(program string) bool {
		switch program {
		case "iptables":
			return iptables()
		case "nft":
			return testbed.HasNFT()
		}
		return true
	}
}()

// build makes the hosts of a site, and starts their programs.
func (s site) build(t *testing.T) *ground {
	t.Helper()
	wires, err := netspace.NewWires()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wires.Close() })
	g := &ground{site: s, wires: wires, up: make(map[string]*machine)}
	if err := wires.Do(func() error { return write("net/ipv6/conf/default/disable_ipv6", "1") }); err != nil {
		t.Fatal(err)
	}
	for _, h := range s.hosts {
		if err := g.add(t, h); err != nil {
			t.Fatalf("%s: %s: %v", s.name, h.name, err)
		}
	}
	return g
}

func (g *ground) add(t *testing.T, h host) (err error) {
	m := &machine{host: h}
	g.up[h.name] = m
	if m.space, err = netspace.New(); err != nil {
		return err
	}
	t.Cleanup(m.close)
	if m.links, err = netlink.NewHandleAt(netns.NsHandle(m.space.File.Fd()), unix.NETLINK_ROUTE); err != nil {
		return err
	}
	// Addresses are used at once, as on hosts that have been up for a while.
	if err := m.space.Do(func() error { return write("net/ipv6/conf/default/accept_dad", "0") }); err != nil {
		return err
	}
	for i, network := range strings.Fields(h.nics) {
		if err := g.wires.Plug(network, m.space, fmt.Sprintf("%s-%d", h.name, i), fmt.Sprintf("eth%d", i)); err != nil {
			return err
		}
	}
	if err := m.connect("link set lo up\n" + h.base); err != nil {
		return err
	}
	if err := m.run(h.guide); err != nil {
		return err
	}
	if h.judged {
		if m.lvs, err = lvs.OpenHost(context.Background(), lvs.InNamespaceFile(m.space.File)); err != nil {
			return err
		}
	}
	if h.listen != "" {
		return m.serve(g.proto, h.listen)
	}
	return nil
}

func (m *machine) stopPrograms() {
	for _, stop := range m.stop {
		stop()
	}
	m.stop = nil
}

func (m *machine) close() {
	m.stopPrograms()
	if m.lvs != nil {
		m.lvs.Close()
	}
	if m.links != nil {
		m.links.Close()
	}
	m.space.Close()
}

// judged returns the machines that are checked.
func (g *ground) judged() (all []*machine) {
	for _, h := range g.hosts {
		if h.judged {
			all = append(all, g.up[h.name])
		}
	}
	return all
}
