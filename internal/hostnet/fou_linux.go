package hostnet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	rtnetlink "github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// Numbers of the kernel's interface to FOU.
const (
	fouVersion = 1
	fouAdd     = 1
	fouDel     = 2
	fouGet     = 3

	fouPort   = 1
	fouFamily = 2
	fouType   = 4
	fouGUE    = 2

	fouChecksums = 5 // of those that leave
)

// fou reads and changes a UDP port that decapsulates packets.
type fou netstate.FOUPort

var _ = serve(func(r netstate.FOUPort) kind { return fou(r) })

func (f fou) find(n *Network) (netstate.Resource, error) {
	all, err := n.listFOU()
	for _, p := range all {
		if p.Port == f.Port && p.IPv6 == f.IPv6 {
			return p, nil
		}
	}
	return nil, err
}

// fouPortOf reads a port.
func fouPortOf(m netlink.Message) (f netstate.FOUPort, ok bool) {
	const header = 4
	if len(m.Data) < header {
		return f, false
	}
	attrs, err := netlink.NewAttributeDecoder(m.Data[header:])
	if err != nil {
		return f, false
	}
	isGUE := false
	for attrs.Next() {
		value := attrs.Bytes()
		isSet := slices.ContainsFunc(value, func(b byte) bool { return b != 0 })
		switch {
		case attrs.Type() == fouPort && len(value) == 2:
			f.Port = uint16(value[0])<<8 | uint16(value[1])
		case attrs.Type() == fouFamily && len(value) == 1:
			f.IPv6 = value[0] == unix.AF_INET6
		case attrs.Type() == fouType && len(value) == 1:
			isGUE = value[0] == fouGUE
		case attrs.Type() == fouChecksums:
		default: // an address, a peer, an interface, a protocol
			f.Other = f.Other || isSet
		}
	}
	f.Other = f.Other || !isGUE
	return f, attrs.Err() == nil
}

// put names no protocol: GUE carries it, and newer kernels refuse 0.
func (f fou) put(n *Network) error {
	_, err := n.fou(fouAdd, netlink.Acknowledge, func(a *netlink.AttributeEncoder) {
		f.encode(a)
		a.Uint8(fouType, fouGUE)
	})
	return err
}

func (f fou) remove(n *Network) error {
	_, err := n.fou(fouDel, netlink.Acknowledge, f.encode)
	return err
}

func (f fou) encode(a *netlink.AttributeEncoder) {
	a.Bytes(fouPort, []byte{byte(f.Port >> 8), byte(f.Port)})
	family := uint8(unix.AF_INET)
	if f.IPv6 {
		family = unix.AF_INET6
	}
	a.Uint8(fouFamily, family)
}

// hasFOU reports whether the kernel has FOU. A request by name would start a program to
// load it, which is slow and in vain.
func (n *Network) hasFOU() bool {
	all, err := n.routes.GenlFamilyList()
	return err == nil && slices.ContainsFunc(all, func(f *rtnetlink.GenlFamily) bool { return f.Name == "fou" })
}

// fou sends a command, over a socket of its own.
func (n *Network) fou(command byte, flags netlink.HeaderFlags, fill func(*netlink.AttributeEncoder)) (answer []netlink.Message, err error) {
	family, err := n.routes.GenlFamilyGet("fou")
	if err != nil {
		return nil, fmt.Errorf("%w: run 'modprobe fou'", netstate.ErrNoModule)
	}
	attrs := netlink.NewAttributeEncoder()
	fill(attrs)
	data, err := attrs.Encode()
	if err != nil {
		return nil, err
	}
	conn, err := netlink.Dial(unix.NETLINK_GENERIC, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	answer, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(family.ID), Flags: netlink.Request | flags},
		Data:   append([]byte{command, fouVersion, 0, 0}, data...),
	})
	var op *netlink.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return answer, err
}
