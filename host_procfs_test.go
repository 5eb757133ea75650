package lvs

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// capturedFiles returns what kernels wrote into a file of /proc/net, by release.
// Tests in internal/conformance print it with -procfs.capture.
func capturedFiles(t testing.TB, name string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, release := range []string{"6.1", "6.12", "7.2"} {
		text, err := os.ReadFile(filepath.Join("testdata", "procfs", release+"-"+name+".txt"))
		must(t, err)
		all[release] = string(text)
	}
	return all
}

// atPlace checks that an error says where the text is wrong, briefly.
func atPlace(t *testing.T, text string, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, errors.ErrUnsupported) {
		t.Fatalf("got %v, want ErrUnsupported", err)
	}
	lines := append(strings.Split(text, "\n"), "")
	if e.Line < 1 || e.Line > len(lines) || e.Column < 1 || e.Column > utf8.RuneCountInString(lines[e.Line-1])+1 {
		t.Errorf("%v: the text has no such place", err)
	}
	if len(err.Error()) > 2000 {
		t.Errorf("%d bytes of error", len(err.Error()))
	}
}

func formatProcAddr(a netip.Addr) string {
	if a.Is4() {
		return fmt.Sprintf("%X", a.As4())
	}
	return a.StringExpanded()
}

func formatProcProtocol(p Protocol) string {
	if name, ok := map[Protocol]string{0: "IP", 1: "ICMP", 6: "TCP", 17: "UDP", 58: "ICMPv6", 132: "SCTP"}[p]; ok {
		return name
	}
	return fmt.Sprintf("IP_%d", uint16(p))
}

// formatQuickTable writes a table as the kernel does.
func formatQuickTable(t QuickTable) string {
	var b strings.Builder
	fmt.Fprintf(&b, "IP Virtual Server version 1.2.1 (size=%d)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n", t.ConnTableSize)
	for _, s := range t.Services {
		onePacket, addr := "", formatProcAddr(s.ID.vip.Addr())
		if s.OnePacket == QuickOn {
			onePacket = "ops "
		}
		switch {
		case s.ID.mark != 0:
			fmt.Fprintf(&b, "FWM  %08X %s %s", s.ID.mark, s.Scheduler, onePacket)
		case s.ID.Is6():
			fmt.Fprintf(&b, "%s  [%s]:%04X %s ", formatProcProtocol(s.ID.protocol), addr, s.ID.vip.Port(), s.Scheduler)
		default:
			fmt.Fprintf(&b, "%s  %s:%04X %s %s ", formatProcProtocol(s.ID.protocol), addr, s.ID.vip.Port(), s.Scheduler, onePacket)
		}
		if s.Persistent {
			mask := s.PersistenceMask
			if mask.IsZero() {
				mask = fullMask(s.ID)
			}
			kept := mask.as16(s.ID.Is6())
			if s.ID.Is6() {
				kept = [16]byte{12: byte(mask.value)}
			}
			fmt.Fprintf(&b, "persistent %d %X", int32(s.PersistenceTicks), kept[12:])
		}
		b.WriteString("\n")
		for _, r := range slices.Backward(s.RealServers) {
			addr := formatProcAddr(r.Addr.Addr())
			if r.Addr.Addr().Is6() {
				addr = "[" + addr + "]"
			}
			method := map[ForwardMethod]string{MethodNAT: "Masq", MethodDR: "Route", MethodTunnel: "Tunnel", MethodLocal: "Local"}[r.Method]
			if method == "" {
				method = string(r.Method)
			}
			fmt.Fprintf(&b, "  -> %s:%04X      %-7s %-6d %-10d %-10d\n", addr, r.Addr.Port(), method, r.Weight, r.Active, r.Inactive)
		}
	}
	return b.String()
}

// quickLines returns a line for each service.
func quickLines(t QuickTable) (lines string) {
	for _, s := range t.Services {
		lines += strings.TrimRight(fmt.Sprint(s.ID, " ", s.Scheduler, " ", s.OnePacket), " ")
		if s.Persistent {
			lines += strings.TrimRight(" persistent "+s.PersistenceMask.String(), " ")
		}
		if s.FamilyUnknown {
			lines += " unknown"
		}
		for _, r := range s.RealServers {
			lines += fmt.Sprintf(" %s/%d", r.Method, r.Weight)
		}
		lines += "\n"
	}
	return lines
}

// sortedServices orders the services of a file, which the kernel lists in no order.
func sortedServices(text string) string {
	const begin = "\x00"
	all := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\n", "\n"+begin), begin+"  ->", "  ->"), begin)
	slices.Sort(all)
	return strings.Join(all, "")
}

// What kernels wrote is what parsing and formatting make of it. Their table is that of
// TestConformanceQuickTable.
func TestQuickTableCaptured(t *testing.T) {
	const want = `tcp://10.1.0.1:0 rr off persistent /24
tcp://10.1.0.1:21 rr off persistent
tcp://10.1.0.1:80 wrr off dr/1 nat/0 tunnel/65535 tunnel/7 tunnel/2147483647 tunnel/3 local/1 nat/1 nat/1
tcp://[fd00:1::1]:80 rr dr/1 nat/2 tunnel/3
tcp://[fd00:1::1]:443 rr persistent /64
udp://10.1.0.1:53 rr off dr/1 dr/1
udp://10.1.0.1:5060 rr on
udp://[fd00:1::1]:5060 rr
sctp://10.1.0.1:9 none off nat/1
sctp://[fd00:1::1]:9 rr persistent
fwmark://7 rr off dr/1
fwmark6://7 lc on tunnel/1 dr/1
fwmark://8 rr off persistent /24 tunnel/1
fwmark6://9 rr off persistent /64 unknown
fwmark://4294967295 rr off unknown
`
	for release, text := range capturedFiles(t, "ip_vs") {
		table, isTorn, err := parseQuickTable([]byte(text))
		must(t, err)
		if diff := cmp.Diff(want, quickLines(table)); diff != "" || isTorn {
			t.Errorf("%s (-want +got):\n%s", release, diff)
		}
		if diff := cmp.Diff(sortedServices(text), sortedServices(formatQuickTable(table))); diff != "" {
			t.Errorf("%s is formatted differently (-kernel +test):\n%s", release, diff)
		}
	}
}

const totalsRow = "%8X %8X %8X %16X %16X\n"

// formatTotals writes totals as the kernel does.
func formatTotals(s Stats) string {
	r := s.Rates
	return "   Total Incoming Outgoing         Incoming         Outgoing\n   Conns  Packets  Packets            Bytes            Bytes\n" +
		fmt.Sprintf(totalsRow, s.Conns, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes) +
		"\n Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n" +
		fmt.Sprintf(totalsRow, r.Conns, r.InPackets, r.OutPackets, r.InBytes, r.OutBytes)
}

// formatCPUTotals writes the rows of CPUs as the kernel does, and no others.
func formatCPUTotals(all []CPUStats) string {
	text := "       Total Incoming Outgoing         Incoming         Outgoing\nCPU    Conns  Packets  Packets            Bytes            Bytes\n"
	for _, s := range all {
		text += fmt.Sprintf("%3X "+totalsRow, s.CPU, s.Conns, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes)
	}
	return text
}

// Kernels counted five datagrams of 33 bytes.
func TestTotalsCaptured(t *testing.T) {
	for release, text := range capturedFiles(t, "ip_vs_stats") {
		s, err := parseTotals([]byte(text))
		must(t, err)
		compare(t, release, text, formatTotals(s))
		compare(t, release, Stats{Conns: 5, InPackets: 5, InBytes: 165, Rates: s.Rates}, s)
	}
	for release, text := range capturedFiles(t, "ip_vs_stats_percpu") {
		all, err := parseCPUTotals([]byte(text))
		must(t, err)
		rows, _, _ := strings.Cut(text, "  ~ ")
		compare(t, release, rows, formatCPUTotals(all))
		compare(t, release, []CPUStats{{Conns: 5, InPackets: 5, InBytes: 165}}, all)
	}
}
