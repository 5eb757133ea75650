package simipvs

import (
	"bytes"
	"fmt"
	"math/bits"
	"net/netip"
)

// proc returns what lists a file of /proc/net, nil if there is no such file.
func (k *Kernel) proc(path string) func(*Kernel) []byte {
	switch path {
	case "/proc/net/ip_vs":
		return (*Kernel).listServices
	case "/proc/net/ip_vs_conn":
		return (*Kernel).listConns
	case "/proc/net/ip_vs_conn_sync":
		return (*Kernel).listSyncConns
	case "/proc/net/ip_vs_stats":
		return (*Kernel).listStats
	case "/proc/net/ip_vs_stats_percpu":
		return (*Kernel).listCPUStats
	}
	return nil
}

// listServices writes persistence timeouts in ticks and the IPv6 mask with its
// bytes exchanged, as the kernel does.
func (k *Kernel) listServices() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "IP Virtual Server version 1.2.1 (size=%d)\n", k.connTableSize())
	b.WriteString("Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n")
	for s := range k.services.all() {
		onePacket := ""
		if s.flags&flagOnePacket != 0 {
			onePacket = "ops "
		}
		switch {
		case s.key.mark != 0:
			fmt.Fprintf(&b, "FWM  %08X %s %s", s.key.mark, s.scheduler, onePacket)
		case s.key.family == inet6:
			fmt.Fprintf(&b, "%s  [%s]:%04X %s ", protocolName(s.key.protocol), hexAddr(addrOf(inet6, &s.key.addr)), s.key.port, s.scheduler)
		default:
			fmt.Fprintf(&b, "%s  %s:%04X %s %s ", protocolName(s.key.protocol), hexAddr(addrOf(inet4, &s.key.addr)), s.key.port, s.scheduler, onePacket)
		}
		if s.flags&flagPersistent != 0 {
			mask := s.netmask
			if s.key.family == inet6 {
				mask = bits.ReverseBytes32(mask)
			}
			fmt.Fprintf(&b, "persistent %d %08X", s.timeout, mask)
		}
		b.WriteString("\n")
		for server := range s.group.All() {
			d := k.dests[server.ID]
			addr := hexAddr(d.Addr.Addr())
			if d.Addr.Addr().Is6() {
				addr = "[" + addr + "]"
			}
			fmt.Fprintf(&b, "  -> %s:%04X      %-7s %-6d %-10d %-10d\n", addr, d.Addr.Port(), methodName(d.method), d.Weight, d.Active, d.Inactive)
		}
	}
	return b.Bytes()
}

func methodName(method uint32) string {
	switch method {
	case methodLocalNode:
		return "Local"
	case methodTunnel:
		return "Tunnel"
	case methodDirect:
		return "Route"
	}
	return "Masq"
}

func protocolName(protocol uint16) string {
	switch protocol {
	case protoIP:
		return "IP"
	case protoTCP:
		return "TCP"
	case protoUDP:
		return "UDP"
	case protoSCTP:
		return "SCTP"
	}
	return fmt.Sprintf("IP_%d", protocol)
}

// hexAddr is an address without any shortening.
func hexAddr(a netip.Addr) string {
	if a.Is4() {
		b := a.As4()
		return fmt.Sprintf("%02X%02X%02X%02X", b[0], b[1], b[2], b[3])
	}
	return a.StringExpanded()
}

func (k *Kernel) listConns() []byte { return k.listTable("Expires PEName PEData", "") }

// listSyncConns lists no connection that another director has told of.
func (k *Kernel) listSyncConns() []byte { return k.listTable("Origin Expires", "LOCAL  ") }

func (k *Kernel) listTable(columns, origin string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       %s\n", columns)
	k.eachConn(func(c *conn) {
		k.writeEnds(&b, c)
		fmt.Fprintf(&b, " %-11s %s%7d\n", c.stateName(), origin, k.left(c))
	})
	return b.Bytes()
}

func (k *Kernel) writeEnds(b *bytes.Buffer, c *conn) {
	server := k.listedServer(c)
	fmt.Fprintf(b, "%-3s %s %04X %s %04X %s %04X", protocolName(uint16(c.protocol)),
		hexAddr(addrOf(uint32(c.family), &c.client)), c.clientPort, hexAddr(addrOf(uint32(c.family), &c.virtual)), c.vport,
		hexAddr(server.Addr()), server.Port())
}

func (k *Kernel) listStats() []byte {
	total, rates := k.published(&k.stats)
	var b bytes.Buffer
	b.WriteString("   Total Incoming Outgoing         Incoming         Outgoing\n   Conns  Packets  Packets            Bytes            Bytes\n")
	writeCounters(&b, total)
	b.WriteString("\n Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n")
	writeCounters(&b, rates)
	return b.Bytes()
}

func writeCounters(b *bytes.Buffer, c counters) {
	fmt.Fprintf(b, "%8X %8X %8X %16X %16X\n", c.conns, c.inPackets, c.outPackets, c.inBytes, c.outBytes)
}

// listCPUStats has one CPU, whose row has what packets counted: it neither lags nor is it
// zeroed. The row below it is the sum that other files have.
func (k *Kernel) listCPUStats() []byte {
	total, rates := k.published(&k.stats)
	var b bytes.Buffer
	b.WriteString("       Total Incoming Outgoing         Incoming         Outgoing\nCPU    Conns  Packets  Packets            Bytes            Bytes\n")
	b.WriteString("  0 ")
	writeCounters(&b, k.stats.live)
	b.WriteString("  ~ ")
	writeCounters(&b, total)
	b.WriteString("\n     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n    ")
	writeCounters(&b, rates)
	return b.Bytes()
}
