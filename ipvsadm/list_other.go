package ipvsadm

import (
	"fmt"
	"io"
	"iter"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// ListConnections writes what 'ipvsadm -Lnc' would, as the connections come. It uses the
// fields Names and Engines of the options. An error of the sequence ends it.
func ListConnections(w io.Writer, all iter.Seq2[lvs.Connection, error], o ListOptions) error {
	head := "IPVS connection entries\npro expire state       source             virtual            destination"
	if o.Engines {
		head += "        pe name          pe_data"
	}
	if _, err := io.WriteString(w, head+"\n"); err != nil {
		return err
	}
	for c, err := range all {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, o.connection(c)); err != nil {
			return err
		}
	}
	return nil
}

// connection returns the line of a connection.
func (o ListOptions) connection(c lvs.Connection) string {
	seconds := int(c.Expires / time.Second)
	name := "IP"
	if c.Protocol != 0 {
		name = strings.ToUpper(c.Protocol.String())
	}
	place := func(a netip.AddrPort) string { return namedAddrPort(o.Names, a, c.Protocol) }
	line := fmt.Sprintf("%-3s %02d:%02d  %-11s %-18s %-18s ", name, seconds/60, seconds%60, c.State, place(c.Client), place(c.VIP))
	if o.Engines && c.Engine != "" {
		return line + fmt.Sprintf("%-16s %-18s %s\n", place(c.Server), c.Engine, c.Data)
	}
	return line + place(c.Server) + "\n"
}

// ListTimeouts writes what 'ipvsadm -L --timeout' would.
func ListTimeouts(w io.Writer, t lvs.Timeouts) error {
	_, err := fmt.Fprintf(w, "Timeout (tcp tcpfin udp): %d %d %d\n", t.TCP/time.Second, t.TCPFin/time.Second, t.UDP/time.Second)
	return err
}

// ListSyncDaemons writes what 'ipvsadm -L --daemon' would.
func ListSyncDaemons(w io.Writer, all []lvs.SyncDaemon) error {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b lvs.SyncDaemon) int { return int(a.Role) - int(b.Role) })
	for _, d := range all {
		group := "224.0.0.81"
		if d.Group.IsValid() {
			group = addrText(d.Group)
		}
		_, err := fmt.Fprintf(w, "%s sync daemon (mcast=%s, syncid=%d, maxlen=%d, group=%s, port=%d, ttl=%d)\n",
			d.Role, d.Interface, d.SyncID, d.MaxLen, group, d.Port, d.TTL)
		if err != nil {
			return err
		}
	}
	return nil
}
