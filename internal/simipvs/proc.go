package simipvs

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
)

// proc returns what lists a file of /proc/net, nil if there is no such file.
func (k *Kernel) proc(path string) func(*Kernel) []byte {
	switch path {
	case "/proc/net/ip_vs":
		return (*Kernel).listServices
	case "/proc/net/ip_vs_app":
		return (*Kernel).listApps
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

// listServices lists the services with their real servers.
func (k *Kernel) listServices() []byte {
	b := fmt.Appendf(nil, "IP Virtual Server version 1.2.1 (size=%d)\n", k.connTableSize())
	b = append(b, "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"...)
	for s := range k.services.all() {
		b = append(s.appendRow(b), '\n')
		for server := range s.group.All() {
			b = append(k.dests[server.ID].appendRow(b), '\n')
		}
	}
	return b
}

// appendRow writes persistence timeouts in ticks and the IPv6 mask with its bytes
// exchanged, as the kernel does.
func (s *service) appendRow(b []byte) []byte {
	isAddr4 := false
	if s.key.mark != 0 {
		b = appendHex(append(b, "FWM  "...), s.key.mark, 8)
	} else {
		addr := addrOf(s.key.family, &s.key.addr)
		isAddr4 = addr.Is4()
		b = append(append(b, protocolName(s.key.protocol)...), "  "...)
		b = appendEnd(b, netip.AddrPortFrom(addr, s.key.port))
	}
	b = append(append(append(b, ' '), s.scheduler...), ' ')
	if s.flags&flagOnePacket != 0 && (isAddr4 || s.key.mark != 0) {
		b = append(b, "ops "...)
	}
	if isAddr4 {
		b = append(b, ' ')
	}
	if s.flags&flagPersistent != 0 {
		mask := s.netmask
		if s.key.family == inet6 {
			mask = bits.ReverseBytes32(mask)
		}
		b = strconv.AppendInt(append(b, "persistent "...), int64(s.timeout), 10)
		b = appendHex(append(b, ' '), mask, 8)
	}
	return b
}

func (d *dest) appendRow(b []byte) []byte {
	b = appendEnd(append(b, "  -> "...), d.Addr)
	b = append(b, "      "...)
	b = append(pad(append(b, methodName(d.method)...), len(b)+7), ' ')
	b = append(pad(strconv.AppendInt(b, int64(d.Weight), 10), len(b)+6), ' ')
	b = append(pad(strconv.AppendInt(b, int64(d.Active), 10), len(b)+10), ' ')
	return pad(strconv.AppendInt(b, int64(d.Inactive), 10), len(b)+10)
}

// pad appends spaces up to a length.
func pad(b []byte, length int) []byte {
	const spaces = "          "
	return append(b, spaces[:max(0, length-len(b))]...)
}

// appendEnd appends an address and a port.
func appendEnd(b []byte, a netip.AddrPort) []byte {
	if a.Addr().Is6() {
		b = append(appendAddr(append(b, '['), a.Addr()), ']')
	} else {
		b = appendAddr(b, a.Addr())
	}
	return appendHex(append(b, ':'), uint32(a.Port()), 4)
}

// appendAddr appends an address without any shortening.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Is4() {
		four := a.As4()
		return appendHex(b, binary.BigEndian.Uint32(four[:]), 8)
	}
	return append(b, a.StringExpanded()...)
}

// appendHex appends a number of so many digits.
func appendHex(b []byte, n uint32, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, "0123456789ABCDEF"[n>>(4*i)&0xf])
	}
	return b
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
	case protoICMP:
		return "ICMP"
	case protoICMPv6:
		return "ICMPv6"
	}
	return fmt.Sprintf("IP_%d", protocol)
}

func (k *Kernel) listConns() []byte {
	return k.listTable("Expires PEName PEData", func(*conn) string { return "" }, (*Kernel).appendKey)
}

// listSyncConns lists connections with whence they are known.
func (k *Kernel) listSyncConns() []byte {
	origin := func(c *conn) string {
		if c.is(connSynced) {
			return "SYNC   "
		}
		return "LOCAL  "
	}
	return k.listTable("Origin Expires", origin, func(_ *Kernel, b []byte, _ connID) []byte { return b })
}

func (k *Kernel) listTable(columns string, origin func(*conn) string, appendRest func(*Kernel, []byte, connID) []byte) []byte {
	b := fmt.Appendf(nil, "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       %s\n", columns)
	k.eachConn(func(id connID, c *conn) {
		b = fmt.Appendf(k.appendEnds(b, id, c), " %-11s %s%7d", c.stateName(), origin(c), k.left(c))
		b = append(appendRest(k, b, id), '\n')
	})
	return b
}

func (k *Kernel) appendEnds(b []byte, id connID, c *conn) []byte {
	server, family := k.listedServer(id, c), uint32(c.family)
	b = append(pad(append(b, protocolName(uint16(c.protocol))...), len(b)+3), ' ')
	b = appendHex(append(appendAddr(b, addrOf(family, &c.client)), ' '), uint32(c.clientPort), 4)
	b = appendHex(append(appendAddr(append(b, ' '), addrOf(family, &c.virtual)), ' '), uint32(c.vport), 4)
	return appendHex(append(appendAddr(append(b, ' '), server.Addr()), ' '), uint32(server.Port()), 4)
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
