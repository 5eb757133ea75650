// Package ipvsadm prints as ipvsadm does, for examples.
package ipvsadm

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// tableHead is what ipvsadm prints first. The version has not changed in years,
// but the number of buckets does: see lvs.Info.
const tableHead = `IP Virtual Server version %s (size=%d)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
`

// List writes what 'ipvsadm -Ln' would, to the byte.
func List(w io.Writer, info lvs.Info, entries []lvs.ServiceEntry) error {
	var b strings.Builder
	fmt.Fprintf(&b, tableHead, info.Version, info.ConnTableSize)
	for _, entry := range slices.SortedFunc(slices.Values(entries), ipvsadmOrder) {
		b.WriteString(serviceLine(entry.Service) + "\n")
		for _, s := range slices.SortedFunc(slices.Values(entry.RealServers), ipvsadmServerOrder) {
			fmt.Fprintf(&b, "  -> %-28s %-7s %-6d %-10d %-10d\n",
				s.Addr, forward(s.Mode), s.Weight, s.ActiveConns, s.InactiveConns)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func serviceLine(s lvs.Service) string {
	words := []string{serviceName(s.ID), s.Scheduler.String()}
	if s.SchedulerFlags != 0 {
		words = append(words, "("+s.SchedulerFlags.Names(s.Scheduler)+")")
	}
	if p := s.Persistence; p.Timeout != 0 {
		words = append(words, fmt.Sprintf("persistent %d", p.Timeout/time.Second))
		if !p.Mask.IsZero() {
			words = append(words, "mask "+maskText(s.ID, p.Mask))
		}
		if p.Engine != "" {
			words = append(words, "pe "+p.Engine)
		}
	}
	if s.OnePacket {
		words = append(words, "ops")
	}
	return strings.Join(words, " ")
}

func serviceName(id lvs.ServiceID) string {
	switch {
	case id.FWMark() != 0 && id.Is6():
		return fmt.Sprintf("FWM  %d IPv6", id.FWMark())
	case id.FWMark() != 0:
		return fmt.Sprintf("FWM  %d", id.FWMark())
	}
	return fmt.Sprintf("%-4s %s", strings.ToUpper(id.Protocol().String()), id.AddrPort())
}

// maskText writes an IPv4 mask with dots, and an IPv6 mask as its length.
func maskText(id lvs.ServiceID, m lvs.Mask) string {
	if n, ok := m.Bits(); ok && !id.Is6() {
		return net.IP(net.CIDRMask(n, 32)).String()
	}
	return strings.TrimPrefix(m.String(), "/")
}

func forward(m lvs.Mode) string {
	switch m {
	case lvs.DR():
		return "Route"
	case lvs.NAT():
		return "Masq"
	case lvs.ModeLocalNode():
		return "Local"
	case lvs.ModeBypass():
		return "Bypass"
	}
	return "Tunnel"
}

// ipvsadmOrder is the order of ipvsadm's listing: marks last, then by family,
// protocol and address.
func ipvsadmOrder(a, b lvs.ServiceEntry) int {
	return cmp.Or(
		cmp.Compare(a.ID.FWMark(), b.ID.FWMark()),
		compareBool(a.ID.Is6(), b.ID.Is6()),
		cmp.Compare(a.ID.Protocol(), b.ID.Protocol()),
		compareAddr(a.ID.AddrPort(), b.ID.AddrPort()),
	)
}

func ipvsadmServerOrder(a, b lvs.RealServerStatus) int {
	return cmp.Or(compareBool(a.Addr.Addr().Is6(), b.Addr.Addr().Is6()), compareAddr(a.Addr, b.Addr))
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// compareAddr subtracts addresses as ipvsadm does, in 32 bits with a sign: that
// is why it lists 192.168.0.11 before 10.168.0.91.
func compareAddr(a, b netip.AddrPort) int {
	x, y := a.Addr().AsSlice(), b.Addr().AsSlice()
	for i := 0; i+4 <= min(len(x), len(y)); i += 4 {
		if d := int32(binary.BigEndian.Uint32(x[i:]) - binary.BigEndian.Uint32(y[i:])); d != 0 {
			return int(d)
		}
	}
	return cmp.Compare(a.Port(), b.Port())
}
