package netspace

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Wires is a namespace with a bridge for each network that hosts are plugged into.
type Wires struct {
	*Namespace
	Links   *netlink.Handle
	bridges map[string]*netlink.Bridge
}

// NewWires makes a namespace without any network.
func NewWires() (*Wires, error) {
	ns, err := New()
	if err != nil {
		return nil, err
	}
	links, err := netlink.NewHandleAt(netns.NsHandle(ns.File.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		ns.Close()
		return nil, err
	}
	return &Wires{ns, links, make(map[string]*netlink.Bridge)}, nil
}

// Plug connects a host to a network, which is made when it is new. The host gets
// an interface called name; its other end is called wire.
func (w *Wires) Plug(network string, host *Namespace, wire, name string) error {
	bridge := w.bridges[network]
	if bridge == nil {
		bridge = &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: network}}
		if err := w.Links.LinkAdd(bridge); err != nil {
			return fmt.Errorf("bridge %s: %w", network, err)
		}
		if err := w.Links.LinkSetUp(bridge); err != nil {
			return fmt.Errorf("bridge %s: %w", network, err)
		}
		w.bridges[network] = bridge
	}
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: wire, MasterIndex: bridge.Attrs().Index},
		PeerName:  name, PeerNamespace: netlink.NsFd(host.File.Fd()),
	}
	if err := w.Links.LinkAdd(cable); err != nil {
		return fmt.Errorf("cable %s: %w", wire, err)
	}
	return w.Links.LinkSetUp(cable)
}

// Close gives the networks up.
func (w *Wires) Close() error {
	w.Links.Close()
	return w.Namespace.Close()
}
