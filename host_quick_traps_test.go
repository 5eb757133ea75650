package lvs

import (
	"errors"
	"strings"
	"testing"
)

const quickHead = "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"

// Each trap of the file has a row that shows it, and what is read of it.
func TestQuickTableTraps(t *testing.T) {
	const server = "  -> 0A020002:0050      Route   1      0          0         \n"
	const server6 = "  -> [fd00:0002:0000:0000:0000:0000:0000:0002]:0050      Route   1      0          0         \n"
	for _, trap := range []struct{ name, text, want string }{
		{"one-packet by IPv4", "UDP  0A010001:0050 rr ops  \n", "udp://10.1.0.1:80 rr on\n"},
		{"IPv6 lists nothing of one-packet", "UDP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr \n", "udp://[fd00:1::1]:80 rr\n"},
		{"one-packet of a mark", "FWM  00000007 rr ops \n" + server, "fwmark://7 rr on dr/1\n"},
		{"a mark lists no family", "FWM  00000007 rr \n", "fwmark://7 rr off unknown\n"},
		{"a mark of which a server shows the family", "FWM  00000007 rr \n" + server6, "fwmark6://7 rr off dr/1\n"},
		{"a server behind a tunnel shows nothing", "FWM  00000007 rr \n" + strings.ReplaceAll(server6, "Route ", "Tunnel"), "fwmark6://7 rr off unknown tunnel/1\n"},
		{"the same mark in both families", "FWM  00000007 rr \n" + "FWM  00000007 lc \n" + server, "fwmark://7 lc off dr/1\nfwmark6://7 rr off\n"},
		{"the largest mark", "FWM  FFFFFFFF rr \n" + server, "fwmark://4294967295 rr off dr/1\n"},
		{"the whole address by IPv4", "TCP  0A010001:0050 rr  persistent 25000 FFFFFFFF\n", "tcp://10.1.0.1:80 rr off persistent\n"},
		{"a mask with a gap", "TCP  0A010001:0050 rr  persistent 25000 FF0000FF\n", "tcp://10.1.0.1:80 rr off persistent /255.0.0.255\n"},
		{"all clients are one", "TCP  0A010001:0050 rr  persistent 25000 00000000\n", "tcp://10.1.0.1:80 rr off persistent /0\n"},
		{"a mask of IPv6 with its bytes exchanged", "TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr persistent 25000 40000000\n", "tcp://[fd00:1::1]:80 rr persistent /64\n"},
		{"a mask of IPv6 on another machine", "TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr persistent 25000 00000040\n", "tcp://[fd00:1::1]:80 rr persistent /64\n"},
		{"the whole address by IPv6", "TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr persistent 25000 80000000\n", "tcp://[fd00:1::1]:80 rr persistent\n"},
		{"a mask shows the family of a mark", "FWM  00000007 rr persistent 25000 FFFF0000\n", "fwmark://7 rr off persistent /16\n"},
		{"a mask of a mark that does not fit its server", "FWM  00000007 rr persistent 25000 FFFF0000\n" + server6, "fwmark6://7 rr off persistent dr/1\n"},
		{"a scheduler that was removed", "TCP  0A010001:0050 none  \n", "tcp://10.1.0.1:80 none off\n"},
		{"protocols of more letters", "SCTP  0A010001:0050 rr  \n", "sctp://10.1.0.1:80 rr off\n"},
		{"protocols without a name", "IP_47  0A010001:0050 rr  \n", "protocol-47://10.1.0.1:80 rr off\n"},
		{"every port", "TCP  0A010001:0000 rr  persistent 25000 FFFFFFFF\n", "tcp://10.1.0.1:0 rr off persistent\n"},
		{"the last server comes first", "TCP  0A010001:0050 rr  \n" + strings.Replace(server, "1      0", "9      0", 1) + server, "tcp://10.1.0.1:80 rr off dr/1 dr/9\n"},
		{"numbers that fill their columns", "TCP  0A010001:0050 rr  \n  -> 0A020002:0050      Route   2147483647 4294967   1234567890\n", "tcp://10.1.0.1:80 rr off dr/2147483647\n"},
		{"methods without a word are masquerading's", "TCP  0A010001:0050 rr  \n" + strings.Replace(server, "Route", "Masq ", 1), "tcp://10.1.0.1:80 rr off nat/1\n"},
		{"services are in no order", "UDP  0A010001:0050 rr  \n" + server + "TCP  0A010001:0050 rr  \n", "tcp://10.1.0.1:80 rr off\nudp://10.1.0.1:80 rr off dr/1\n"},
		{"a server of the other family", "TCP  0A010001:0050 rr  \n" + strings.Replace(server6, "Route ", "Tunnel", 1), "tcp://10.1.0.1:80 rr off tunnel/1\n"},
		{"no services", "", ""},

		{"words that a kernel adds to services", "TCP  0A010001:0050 wrr  mh-port persistent 25000 FFFFFF00 sip\n", "tcp://10.1.0.1:80 wrr off persistent /24\n"},
		{"columns that a kernel adds to servers", "TCP  0A010001:0050 rr  \n" + strings.TrimRight(server, "\n") + "7 gue 6080\n", "tcp://10.1.0.1:80 rr off dr/1\n"},
		{"a method that a kernel adds", "TCP  0A010001:0050 rr  \n" + strings.Replace(server, "Route  ", "FullNat", 1), "tcp://10.1.0.1:80 rr off FullNat/1\n"},
	} {
		table, isTorn, err := parseQuickTable([]byte(quickHead + trap.text))
		if err != nil || isTorn {
			t.Errorf("%s: %v, torn %t", trap.name, err, isTorn)
			continue
		}
		compare(t, trap.name, trap.want, quickLines(table))
	}
}

// The timeout of persistence is listed in ticks, as a signed number, and the size of the
// connection table as of Linux 7.1 is 0 before the first service.
func TestQuickTableNumbers(t *testing.T) {
	text := strings.Replace(quickHead, "4096", "0", 1) + "TCP  0A010001:0050 rr  persistent 25000 FFFFFFFF\nUDP  0A010001:0050 rr  persistent -1000 FFFFFFFF\n"
	table, _, err := parseQuickTable([]byte(text))
	must(t, err)
	compare(t, "size", 0, table.ConnTableSize)
	compare(t, "ticks", []uint32{25000, 1<<32 - 1000}, []uint32{table.Services[0].PersistenceTicks, table.Services[1].PersistenceTicks})
}

// Files of unknown form are refused at the place where they differ.
func TestProcFilesRefused(t *testing.T) {
	const service, server = "TCP  0A010001:0050 rr  \n", "  -> 0A020002:0050 Route 1 0 0\n"
	quick := func(text string) error { _, _, err := parseQuickTable([]byte(text)); return err }
	totals := func(text string) error { _, err := parseTotals([]byte(text)); return err }
	cpus := func(text string) error { _, err := parseCPUTotals([]byte(text)); return err }
	for _, test := range []struct {
		name         string
		parse        func(string) error
		text         string
		line, column int
	}{
		{"another file", quick, "cpu  1 2 3\n", 1, 1},
		{"no size", quick, strings.Replace(quickHead, " (size=4096)", "", 1), 1, 32},
		{"a column between", quick, strings.Replace(quickHead, "Forward Weight", "Forward Tunnel Weight", 1), 3, 33},
		{"columns in another order", quick, strings.Replace(quickHead, "ActiveConn InActConn", "InActConn ActiveConn", 1), 3, 40},
		{"a column too few", quick, strings.Replace(quickHead, " InActConn", "", 1), 3, 50},
		{"a file that ends early", quick, quickHead[:60], 2, 6},
		{"a protocol", quick, quickHead + "FWM6  00000007 rr \n", 4, 1},
		{"no scheduler", quick, quickHead + "TCP  0A010001:0050\n", 4, 19},
		{"no mark", quick, quickHead + "FWM  00000000 rr \n", 4, 6},
		{"a long mark", quick, quickHead + "FWM  100000007 rr \n", 4, 6},
		{"a short address", quick, quickHead + "TCP  A010001:0050 rr \n", 4, 6},
		{"an address without its bracket", quick, quickHead + "TCP  [fd00:0001:0000:0000:0000:0000:0000:0001:0050 rr \n", 4, 6},
		{"a decimal port", quick, quickHead + "TCP  0A010001:80 rr \n", 4, 6},
		{"persistence without a mask", quick, quickHead + "TCP  0A010001:0050 rr  persistent 25000\n", 4, 40},
		{"a mask of IPv6 with 256 bits", quick, quickHead + "TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr persistent 75 00010000\n", 4, 70},
		{"a mask of IPv6 without bits", quick, quickHead + "TCP  [fd00:0001:0000:0000:0000:0000:0000:0001]:0050 rr persistent 75 00000000\n", 4, 70},
		{"a server before services", quick, quickHead + server, 4, 3},
		{"no method", quick, quickHead + service + "  -> 0A020002:0050\n", 5, 19},
		{"a weight", quick, quickHead + service + strings.Replace(server, "1 0", "high 0", 1), 5, 26},
		{"a column of servers too few", quick, quickHead + service + strings.Replace(server, " 0\n", "\n", 1), 5, 29},
		{"an empty row", quick, quickHead + "\n" + service, 4, 1},

		{"totals without a column", totals, strings.Replace(totalsText, "  Packets", "", 1), 2, 30},
		{"totals in another order", totals, strings.Replace(totalsText, "Packets            Bytes", "Bytes Packets", 1), 2, 20},
		{"a counter too few", totals, strings.Replace(totalsText, " FFFFFFFFFFFFFFFF", "", 1), 3, 45},
		{"a counter of more than 64 bits", totals, strings.Replace(totalsText, " FFFFFFFFFFFFFFFF", "FFFFFFFFFFFFFFFFF", 1), 3, 44},
		{"a row of totals too many", totals, strings.Replace(totalsText, "\n\n", "\n       A\n\n", 1), 4, 8},
		{"a CPU's number", cpus, strings.Replace(cpuTotalsText, " 1F", " 1G", 1), 4, 2},
		{"a CPU's counter too few", cpus, strings.Replace(cpuTotalsText, "5\n 1F", "\n 1F", 1), 3, 64},
		{"no totals below the CPUs", cpus, cpuTotalsText[:strings.Index(cpuTotalsText, "  ~")], 4, 1},
	} {
		err := test.parse(test.text)
		var e *Error
		if !errors.As(err, &e) || e.Kind() != errors.ErrUnsupported || e.Line != test.line || e.Column != test.column || !strings.HasPrefix(e.Object, "/proc/net/ip_vs") || e.Hint() == "" {
			t.Errorf("%s: %v, want line %d, column %d", test.name, err, test.line, test.column)
		}
	}
}

// Columns that a kernel adds at the end of counters are ignored.
func TestTotalsOfForeignKernels(t *testing.T) {
	widen := func(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", " 7\n")) }
	narrow := strings.Replace(string(widen(totalsText)), "\n 7\n", "\n\n", 1)
	got, err := parseTotals([]byte(narrow))
	must(t, err)
	want, err := parseTotals([]byte(totalsText))
	must(t, err)
	compare(t, "totals", want, got)
	cpus, err := parseCPUTotals(widen(cpuTotalsText))
	must(t, err)
	compare(t, "CPUs", []CPUStats{{0, 1, 2, 3, 4, 5}, {31, 10, 0, 0, 0, 0}}, cpus)
}
