package lvs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/simnet"
)

// LoadModule loads a kernel module on the simulated host, as modprobe(8) does. A
// setting loads the modules that the kernel loads automatically. It does not load
// ip_vs_ftp, which lets [NAT] services work with FTP: see [SimOptions.FTPPorts]. Like the
// kernel's, that has no effect on connections that were opened before.
func (s *Simulator) LoadModule(name string) {
	if name == "ip_vs_ftp" {
		s.kernel.LoadFTP()
	}
	_ = s.network.change(func() error { s.network.LoadModule(name); return nil })
}

// simulatedNetwork is the network of a simulated host, and its files.
type simulatedNetwork struct {
	*simnet.Network
	kernel *simipvs.Kernel

	mu     sync.Mutex
	faults []*SimHostFault

	changing sync.Mutex // until the kernel knows
	routed   bool       // interfaces were given
	ways     atomic.Pointer[simulatedWays]
}

func newSimulator(k *simipvs.Kernel) *Simulator {
	n := &simulatedNetwork{Network: simnet.New(), kernel: k}
	for _, i := range k.Interfaces() {
		if i.Name != "lo" {
			n.AddInterface(i.Name, i.MTU, i.Addrs)
			n.routed = true
		}
	}
	_ = n.change(func() error { return nil })
	return &Simulator{kernel: k, network: n, log: orDiscard(nil)}
}

// guard has no namespace to enter.
func (s *Simulator) guard() *guard {
	return &guard{
		files: s.network, network: s.network,
		inside: func(fn func() error) error { return fn() }, release: func() error { return nil },
	}
}

// change makes a change. It then updates what IPVS knows: the interfaces, and whether
// netfilter tracks connections.
func (n *simulatedNetwork) change(do func() error) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	err := do()
	if all, lerr := n.interfaces(); lerr == nil {
		n.kernel.SetInterfaces(all)
	}
	if ways, seen, werr := n.findWays(); werr == nil {
		n.ways.Store(ways)
		n.kernel.SetLocalRoutes(localNetworks(seen.Routes))
		translates := func(family string) bool {
			return slices.ContainsFunc(seen.Chains, func(c netstate.Chain) bool { return c.Family == family && c.Type == "nat" })
		}
		n.kernel.Track(translates("ip"), translates("ip6"))
	}
	return err
}

// localNetworks returns the networks whose addresses are all the host's, besides those that
// came with an address.
func localNetworks(routes []netstate.RouteEntry) (all []netip.Prefix) {
	for _, r := range routes {
		if r.Type == "local" && !r.ByKernel && r.Table >= netstate.MainTable {
			all = append(all, r.To)
		}
	}
	return all
}

// interfaces returns the interfaces as IPVS sees them. IPv4 addresses of interfaces that
// are down are the host's nevertheless.
func (n *simulatedNetwork) interfaces() (all []simipvs.Interface, err error) {
	links, err := n.Links()
	if err != nil {
		return nil, err
	}
	addresses, err := n.Addresses()
	for _, l := range links {
		i := simipvs.Interface{Name: l.Name, MTU: l.MTU, Down: !l.Up}
		for _, a := range addresses {
			if a.Interface != l.Name || !l.Up && a.Prefix.Addr().Is6() {
				continue
			}
			i.Addrs = append(i.Addrs, a.Prefix)
			if a.Broadcast.IsValid() && l.Up {
				i.Broadcasts = append(i.Broadcasts, a.Broadcast)
			}
		}
		all = append(all, i)
	}
	return all, err
}

func (n *simulatedNetwork) Put(f netstate.Resource) error {
	if err := n.strike(plainResource(resourceFrom(f))); err != nil {
		return err
	}
	return n.change(func() error { return n.Network.Put(f) })
}

func (n *simulatedNetwork) Remove(f netstate.Resource) error {
	if err := n.strike(plainResource(resourceFrom(f))); err != nil {
		return err
	}
	return n.change(func() error { return n.Network.Remove(f) })
}

// ReadFile reads a file of IPVS or of the network.
func (n *simulatedNetwork) ReadFile(path string) ([]byte, error) {
	text, err := n.kernel.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n.Network.ReadFile(path)
	}
	return text, err
}

// Open returns the file as it is now.
func (n *simulatedNetwork) Open(path string) (io.ReadCloser, error) {
	text, err := n.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(bytes.NewReader(text)), nil
}

// ReadFiles has no namespace to enter.
func (n *simulatedNetwork) ReadFiles(paths []string) ([]content, error) {
	return readEach(paths, n.ReadFile), nil
}

func (n *simulatedNetwork) WriteFile(path string, data []byte) error {
	if err := n.strike(Sysctl{sysctlKeyOf(path), strings.TrimSpace(string(data))}); err != nil {
		return err
	}
	err := n.kernel.WriteFile(path, data)
	if errors.Is(err, fs.ErrNotExist) {
		return n.Network.WriteFile(path, data)
	}
	return err
}
