package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/netspace"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// wires is the namespace with a bridge for each network.
type wires struct {
	*netspace.Namespace
	links   *netlink.Handle
	bridges map[string]*netlink.Bridge
}

func newWires() (*wires, error) {
	ns, err := netspace.New()
	if err != nil {
		return nil, err
	}
	links, err := netlink.NewHandleAt(netns.NsHandle(ns.File.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &wires{ns, links, make(map[string]*netlink.Bridge)}, nil
}

// plug connects an interface of a host to a network.
func (w *wires) plug(n network, to *netspace.Namespace, wire, name string) error {
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
		PeerName:  name, PeerNamespace: netlink.NsFd(to.File.Fd()),
	}
	if err := w.links.LinkAdd(cable); err != nil {
		return fmt.Errorf("cable %s: %w", wire, err)
	}
	return w.links.LinkSetUp(cable)
}

func (w *wires) close() {
	w.links.Close()
	w.Namespace.Close()
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
	if h.space, err = netspace.New(); err != nil {
		return nil, err
	}
	if h.Host, err = lvs.OpenHost(ctx, lvs.InNamespaceFD(h.space.File.Fd())); err != nil {
		h.space.Close()
		return nil, err
	}
	// Nobody else has these addresses: they are used at once. Interfaces take this
	// over when they are made.
	if err := h.SetSysctl(ctx, lvs.InterfaceSysctl("default", "accept_dad", true), "0"); err != nil {
		return h, err
	}
	for i, port := range m.ports {
		name := fmt.Sprintf("eth%d", i)
		if err := l.wires.plug(port.net, h.space, wireName(m.name, i), name); err != nil {
			return h, err
		}
	}
	plan, err := h.Plan(ctx, m.base())
	if err != nil {
		return h, err
	}
	return h, h.Apply(ctx, plan)
}

// wireName is the other end of a machine's interface.
func wireName(machine string, port int) string { return fmt.Sprintf("%s-%d", machine, port) }

// loadModules loads what a setup needs and the kernel does not load by itself.
// When it fails, applying the setup says so.
func loadModules(ctx context.Context, s lvs.Setup) {
	for _, setting := range s {
		m, ok := setting.Want.(lvs.Module)
		if _, err := os.Stat("/sys/module/" + m.Name); ok && err != nil {
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
			h.space.Close()
		}
	}
	if l.wires != nil {
		l.wires.close()
	}
	return nil
}
