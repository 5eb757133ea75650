package ipvsadm

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// ListOptions says what [List] prints. The zero value is that of 'ipvsadm -Ln'.
type ListOptions struct {
	Columns Columns // which counts are printed
	Exact   bool    // --exact: counters are not shortened
	NoSort  bool    // --nosort: real servers that were added last come first
	NoHead  bool    // without the line of the version, as for one service
	Names   Names   // nil: numbers, as with -n

	UnsignedMarks bool // firewall marks from 2147483648 on are not negative
	Engines       bool // --persistent-conn, of [ListConnections]: with engines and their data
}

// Columns are the columns of a listing.
type Columns uint8

// The columns that ipvsadm can print.
const (
	ColumnsDefault    Columns = iota // mode, weight, and connections
	ColumnsStats                     // --stats
	ColumnsRates                     // --rate
	ColumnsThresholds                // --thresholds
	ColumnsPersistent                // --persistent-conn
	ColumnsTunnel                    // --tun-info
)

// heads are the lines above the services. Those of counters are in one line less.
var heads = [...]string{
	ColumnsDefault: `Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
`,
	ColumnsStats: `Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes
  -> RemoteAddress:Port
`,
	ColumnsRates: `Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS
  -> RemoteAddress:Port
`,
	ColumnsThresholds: `Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn 
  -> RemoteAddress:Port
`,
	ColumnsPersistent: `Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn 
  -> RemoteAddress:Port
`,
	ColumnsTunnel: `Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn
`,
}

// List writes what 'ipvsadm -Ln' would, to the byte, or with options what others print.
// The version in info has not changed in years, but the number of buckets does. The order
// of services is that of ipvsadm; with NoSort it is that of the snapshot, because only the
// kernel knows where they are in its hash table.
func List(w io.Writer, info lvs.Info, table lvs.Snapshot, o ListOptions) error {
	var b strings.Builder
	if !o.NoHead {
		fmt.Fprintf(&b, "IP Virtual Server version %s (size=%d)\n", info.Version, info.ConnTableSize)
	}
	b.WriteString(heads[o.Columns])
	services := table.Services
	if !o.NoSort {
		services = sortServices(services, func(e lvs.ServiceEntry) lvs.ServiceID { return e.ID })
	}
	for _, entry := range services {
		o.service(&b, entry)
		for _, s := range o.servers(entry.RealServers) {
			fmt.Fprintf(&b, "  -> %-28s ", o.addrPort(serverKey(s.Addr), entry.ID.Protocol()))
			o.server(&b, s)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// servers returns the real servers of a service in the order of the listing.
func (o ListOptions) servers(all []lvs.RealServerStatus) []lvs.RealServerStatus {
	if !o.NoSort {
		return sortServers(all, func(s lvs.RealServerStatus) netip.AddrPort { return s.Addr })
	}
	all = slices.Clone(all)
	slices.Reverse(all)
	return all
}

// service writes the line of a service.
func (o ListOptions) service(b *strings.Builder, e lvs.ServiceEntry) {
	if numbers, ok := o.counters(e.Stats); ok {
		fmt.Fprintf(b, "%-33s%s\n", o.id(e.ID), numbers)
		return
	}
	b.WriteString(o.listedService(e.Service) + "\n")
}

// server writes the columns of a real server.
func (o ListOptions) server(b *strings.Builder, s lvs.RealServerStatus) {
	if numbers, ok := o.counters(s.Stats); ok {
		b.WriteString(numbers[1:] + "\n")
		return
	}
	switch o.Columns {
	case ColumnsThresholds:
		fmt.Fprintf(b, "%-10d %-10d %-10d %-10d\n", s.UpperThreshold, s.LowerThreshold, s.ActiveConns, s.InactiveConns)
	case ColumnsPersistent:
		fmt.Fprintf(b, "%-9d %-11d %-10d %-10d\n", s.Weight, s.PersistentConns, s.ActiveConns, s.InactiveConns)
	case ColumnsTunnel:
		fmt.Fprintf(b, "%-7s %-13s %-6d %-10d %-10d\n", listedMode(s.Mode), listedTunnel(s.Mode), s.Weight, s.ActiveConns, s.InactiveConns)
	default:
		fmt.Fprintf(b, "%-7s %-6d %-10d %-10d\n", listedMode(s.Mode), s.Weight, s.ActiveConns, s.InactiveConns)
	}
}

func (o ListOptions) listedService(s lvs.Service) string {
	words := []string{o.id(s.ID), cmp.Or(s.Scheduler, lvs.WLC).String()}
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

// id returns how a service is listed.
func (o ListOptions) id(id lvs.ServiceID) string {
	if id.FWMark() == 0 {
		return fmt.Sprintf("%-4s %s", strings.ToUpper(id.Protocol().String()), o.addrPort(id.AddrPort(), id.Protocol()))
	}
	mark := "FWM  " + markText(id.FWMark(), o.UnsignedMarks)
	if id.Is6() {
		return mark + " IPv6"
	}
	return mark
}

// addrPort returns an address, by name unless the options say otherwise.
func (o ListOptions) addrPort(a netip.AddrPort, p lvs.Protocol) string {
	return namedAddrPort(o.Names, a, p)
}
