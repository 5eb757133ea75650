package testbed

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A mark does not cross a cable between namespaces. So packets with a mark come from a MAC
// address of their own, and a filter of the interface gives them the mark.

// firstSource is where packets without a mark come from.
var firstSource = MAC{2, 0, 0, 0, 0, 1}

// source returns the MAC address that packets with a mark come from.
func (w *Wire) source(mark uint32) (MAC, error) {
	if mark == 0 {
		return firstSource, nil
	}
	mac := MAC{2, 1}
	binary.BigEndian.PutUint32(mac[2:], mark)
	if w.marks[mark] {
		return mac, nil
	}
	if err := w.addMark(mac, mark); err != nil {
		return mac, fmt.Errorf("marking packets: %w", err)
	}
	w.marks[mark] = true
	return mac, nil
}

func (w *Wire) addMark(mac MAC, mark uint32) error {
	if len(w.marks) == 0 {
		handle := netlink.MakeHandle(0xffff, 0)
		q := &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{LinkIndex: w.index, Handle: handle, Parent: netlink.HANDLE_CLSACT}}
		if err := w.links.QdiscAdd(q); err != nil {
			return err
		}
	}
	edit := netlink.NewSkbEditAction()
	edit.Mark = &mark
	return w.links.FilterAdd(&netlink.Flower{
		FilterAttrs: netlink.FilterAttrs{
			LinkIndex: w.index, Parent: netlink.HANDLE_MIN_INGRESS, Priority: 1, Protocol: unix.ETH_P_ALL,
		},
		SrcMac: mac[:], Actions: []netlink.Action{edit},
	})
}
