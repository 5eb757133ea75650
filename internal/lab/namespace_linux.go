package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/golvs/lvs"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: it lasts as long as its
// descriptor and what is in it.
type namespace struct{ file *os.File }

func newNamespace() (*namespace, error) {
	ns := &namespace{}
	err := onOwnThread(func() (err error) {
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			ns.file, err = os.Open("/proc/thread-self/ns/net")
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making a network namespace, which takes root: %w", err)
	}
	return ns, nil
}

// do runs fn inside the namespace. Sockets that it makes stay there.
func (ns *namespace) do(fn func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("entering a network namespace: %w", err)
		}
		return fn()
	})
}

// onOwnThread runs fn on a thread that nothing else runs on, and that ends with
// fn: its network namespace may be changed without a way back.
func onOwnThread(fn func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		done <- fn()
	}()
	return <-done
}

// wires is the namespace with a bridge for each network.
type wires struct {
	*namespace
	links   *netlink.Handle
	bridges map[string]*netlink.Bridge
}

func newWires() (*wires, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	links, err := netlink.NewHandleAt(netns.NsHandle(ns.file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &wires{ns, links, make(map[string]*netlink.Bridge)}, nil
}

// plug connects an interface of a host to a network.
func (w *wires) plug(n network, to *namespace, wire, name string) error {
	bridge := w.bridges[n.name]
	if bridge == nil {
		bridge = &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: n.name}}
		if err := w.links.LinkAdd(bridge); err != nil {
			return fmt.Errorf("bridge %s: %w", n.name, err)
		}
		if err := w.links.LinkSetUp(bridge); err != nil {
			return fmt.Errorf("bridge %s: %w", n.name, err)
		}
		w.bridges[n.name] = bridge
	}
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: wire, MasterIndex: bridge.Attrs().Index},
		PeerName:  name, PeerNamespace: netlink.NsFd(to.file.Fd()),
	}
	if err := w.links.LinkAdd(cable); err != nil {
		return fmt.Errorf("cable %s: %w", wire, err)
	}
	return w.links.LinkSetUp(cable)
}

func (w *wires) close() {
	w.links.Close()
	w.file.Close()
}

// build makes the network and starts the web servers.
func (l *Lab) build(ctx context.Context) (err error) {
	if l.wires, err = newWires(); err != nil {
		return err
	}
	add := func(m machine) (*Host, error) {
		h, err := l.addHost(ctx, m)
		if err != nil {
			err = fmt.Errorf("%s: %w", m.name, err)
		}
		return h, err
	}
	if l.Client, err = add(l.plan.client); err != nil {
		return err
	}
	if l.Director, err = add(l.plan.dir); err != nil {
		return err
	}
	if l.plan.router != nil {
		if l.router, err = add(*l.plan.router); err != nil {
			return err
		}
	}
	for _, m := range l.plan.servers {
		h, err := add(m)
		if err == nil {
			l.Servers = append(l.Servers, h)
			err = l.serve(h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addHost makes a host and configures it as far as every host is.
func (l *Lab) addHost(ctx context.Context, m machine) (h *Host, err error) {
	h = &Host{Name: m.name, Setup: m.setup, machine: m}
	if h.space, err = newNamespace(); err != nil {
		return nil, err
	}
	if h.Host, err = lvs.OpenHost(ctx, lvs.InNamespaceFD(h.space.file.Fd())); err != nil {
		h.space.file.Close()
		return nil, err
	}
	// Nobody else has these addresses: they are used at once. Interfaces take this
	// over when they are made.
	if err := h.SetSysctl(ctx, lvs.InterfaceSysctl("default", "accept_dad", true), "0"); err != nil {
		return h, err
	}
	for i, port := range m.ports {
		name := fmt.Sprintf("eth%d", i)
		if err := l.wires.plug(port.net, h.space, m.name+"-"+name, name); err != nil {
			return h, err
		}
	}
	plan, err := h.Host.Plan(ctx, m.base())
	if err != nil {
		return h, err
	}
	return h, h.Apply(ctx, plan)
}

// loadModules loads what a setup needs and the kernel does not load by itself.
// When it fails, applying the setup says so.
func loadModules(ctx context.Context, s lvs.Setup) {
	for _, setting := range s {
		if m, ok := setting.Want.(lvs.Module); ok {
			_ = exec.CommandContext(ctx, "modprobe", m.Name).Run()
		}
	}
}

// Close ends the lab. Everything that it made goes with it.
func (l *Lab) Close() error {
	for _, s := range l.web {
		s.Close()
	}
	all := append([]*Host{l.Client, l.router}, l.balancing()...)
	for _, h := range all {
		if h != nil {
			h.Close()
			h.space.file.Close()
		}
	}
	if l.wires != nil {
		l.wires.close()
	}
	return nil
}
