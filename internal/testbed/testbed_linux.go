package testbed

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Namespace is a network namespace. It has no name and ends with the test.
type Namespace struct {
	t    testing.TB
	File *os.File // of the kind /proc/PID/ns/net
}

// New makes a network namespace whose lo is up.
func New(t testing.TB) *Namespace {
	t.Helper()
	f, err := makeNamespace()
	if err != nil {
		t.Fatalf("making a network namespace: %v", err)
	}
	ns := &Namespace{t, f}
	t.Cleanup(func() { f.Close() })
	ns.up("lo")
	return ns
}

// makeNamespace leaves the thread that made it behind: it ends with its
// goroutine.
func makeNamespace() (f *os.File, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			f, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	return f, err
}

// Do calls fn on a thread that is in the namespace.
func (ns *Namespace) Do(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		if err := unix.Setns(int(ns.File.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering the namespace: %w", err)
			return
		}
		done <- fn()
	}()
	return <-done
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
		link := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: name}}
		if err := h.LinkAdd(link); err != nil {
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
	})
}

func (ns *Namespace) up(name string) {
	ns.links(func(h *netlink.Handle) error {
		link, err := h.LinkByName(name)
		if err != nil {
			return err
		}
		return h.LinkSetUp(link)
	})
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
