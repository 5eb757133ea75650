package testbed

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/netspace"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace that ends with the test.
type Namespace struct {
	t testing.TB
	*netspace.Namespace
}

// New makes a network namespace whose lo is up.
func New(t testing.TB) *Namespace {
	t.Helper()
	made, err := netspace.New()
	if err != nil {
		t.Fatal(err)
	}
	ns := &Namespace{t, made}
	t.Cleanup(ns.leave)
	ns.up("lo")
	return ns
}

// leave closes the namespace, with lo down. Before Linux 7, IPVS would otherwise keep routes
// to servers that are the director itself, and with them a device of the namespace, for
// minutes: nothing else could be taken down in that time, and no module loaded.
func (ns *Namespace) leave() {
	defer ns.Close()
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.File.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return
	}
	defer h.Close()
	if lo, err := h.LinkByName("lo"); err == nil {
		_ = h.LinkSetDown(lo)
	}
}

// Run runs a program in the namespace, ends the test when it fails, and returns
// what it printed.
func (ns *Namespace) Run(name string, args ...string) string {
	ns.t.Helper()
	var out []byte
	err := ns.Do(func() (err error) {
		out, err = exec.Command(name, args...).CombinedOutput()
		return err
	})
	if err != nil {
		ns.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// Dummy adds a dummy device with addresses, up. Packets to addresses on it get
// an outgoing route and vanish.
func (ns *Namespace) Dummy(name string, addrs ...string) {
	ns.t.Helper()
	ns.links(func(h *netlink.Handle) error {
		if err := h.LinkAdd(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name}}); err != nil {
			return err
		}
		return raise(h, name, addrs)
	})
}

// NIC adds a network interface with addresses, up. It is on a network of its own
// without other hosts.
func (ns *Namespace) NIC(name string, addrs ...string) {
	ns.t.Helper()
	wires, err := netspace.NewWires()
	if err != nil {
		ns.t.Fatal(err)
	}
	ns.t.Cleanup(func() { wires.Close() })
	if err := wires.Plug("lan", ns.Namespace, "wire", name); err != nil {
		ns.t.Fatal(err)
	}
	ns.links(func(h *netlink.Handle) error {
		if err := raise(h, name, addrs); err != nil {
			return err
		}
		return awaitCarrier(h, name)
	})
}

// awaitCarrier waits until the kernel has noticed that the other end of a cable is up, and
// uses the IPv6 addresses.
func awaitCarrier(h *netlink.Handle, name string) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		link, err := h.LinkByName(name)
		if err != nil || link.Attrs().OperState == netlink.OperUp {
			return err
		}
	}
	return fmt.Errorf("%s has no carrier", name)
}

// raise gives a device addresses, and sets it up.
func raise(h *netlink.Handle, name string, addrs []string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return err
		}
		if netip.MustParsePrefix(a).Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD // usable at once
		}
		if err := h.AddrAdd(link, addr); err != nil {
			return fmt.Errorf("%s: %w", a, err)
		}
	}
	return h.LinkSetUp(link)
}

// Set writes parameters of the kernel, each as "net/ipv4/ip_forward = 1".
func (ns *Namespace) Set(parameters ...string) {
	ns.t.Helper()
	ns.check(ns.Do(func() error {
		for _, p := range parameters {
			name, value, _ := strings.Cut(p, " = ")
			if err := os.WriteFile("/proc/sys/"+name, []byte(value+"\n"), 0); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (ns *Namespace) check(err error) {
	ns.t.Helper()
	if err != nil {
		ns.t.Fatal(err)
	}
}

func (ns *Namespace) up(name string) {
	ns.links(func(h *netlink.Handle) error { return raise(h, name, nil) })
}

func (ns *Namespace) links(fn func(*netlink.Handle) error) {
	ns.t.Helper()
	h, err := netlink.NewHandleAt(netns.NsHandle(ns.File.Fd()), unix.NETLINK_ROUTE)
	if err == nil {
		defer h.Close()
		err = fn(h)
	}
	if err != nil {
		ns.t.Fatalf("setting up links: %v", err)
	}
}
