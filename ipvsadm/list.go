package ipvsadm

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// listHead is what a listing begins with. The version has not changed in years,
// but the number of buckets does: see [lvs.Info].
const listHead = `IP Virtual Server version %s (size=%d)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
`

// List writes what 'ipvsadm -Ln' would, to the byte.
func List(w io.Writer, info lvs.Info, table lvs.Snapshot) error {
	var b strings.Builder
	fmt.Fprintf(&b, listHead, info.Version, info.ConnTableSize)
	for _, entry := range sortServices(table.Services, func(e lvs.ServiceEntry) lvs.ServiceID { return e.ID }) {
		b.WriteString(listedService(entry.Service) + "\n")
		for _, s := range sortServers(entry.RealServers, func(s lvs.RealServerStatus) netip.AddrPort { return s.Addr }) {
			fmt.Fprintf(&b, "  -> %-28s %-7s %-6d %-10d %-10d\n",
				addrPortText(serverKey(s.Addr)), listedMode(s.Mode), s.Weight, s.ActiveConns, s.InactiveConns)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func listedService(s lvs.Service) string {
	words := []string{listedID(s.ID), cmp.Or(s.Scheduler, lvs.WLC).String()}
	if s.SchedulerFlags != 0 {
		words = append(words, "("+flagNames(s)+")")
	}
	if p := s.Persistence; p.Timeout != 0 {
		words = append(words, fmt.Sprintf("persistent %d", p.Timeout/time.Second))
		if mask := maskText(s.ID, p.Mask); mask != "" {
			words = append(words, "mask "+mask)
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

func listedID(id lvs.ServiceID) string {
	switch {
	case id.FWMark() != 0 && id.Is6():
		return fmt.Sprintf("FWM  %d IPv6", int32(id.FWMark()))
	case id.FWMark() != 0:
		return fmt.Sprintf("FWM  %d", int32(id.FWMark()))
	}
	return fmt.Sprintf("%-4s %s", strings.ToUpper(id.Protocol().String()), addrPortText(id.AddrPort()))
}

func listedMode(m lvs.Mode) string {
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
