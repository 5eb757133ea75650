package lvs

import (
	"errors"
	"strings"
	"testing"
)

const totalsText = `   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       A       14 123456789                0 FFFFFFFFFFFFFFFF

 Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
       1        2        3                4                5
`

const cpuTotalsText = `       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes
  0        1        2        3                4                5
 1F        A        0        0                0                0
  ~        1        2        3                4                5

     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
           0        0        0                0                0
`

func TestParseTotals(t *testing.T) {
	got, err := parseTotals([]byte(totalsText))
	must(t, err)
	compare(t, "totals", Stats{10, 20, 0x123456789, 0, 1<<64 - 1, Rates{1, 2, 3, 4, 5}}, got)
	cpus, err := parseCPUTotals([]byte(cpuTotalsText))
	must(t, err)
	compare(t, "CPUs", []CPUStats{{0, 1, 2, 3, 4, 5}, {31, 10, 0, 0, 0, 0}}, cpus)
	for n := range len(totalsText) {
		if strings.TrimRight(totalsText[n:], "5\n") != "" {
			_, err := parseTotals([]byte(totalsText[:n]))
			ofKind(t, "part of the totals", err, errors.ErrUnsupported)
		}
	}
	_, err = parseCPUTotals([]byte(strings.Replace(cpuTotalsText, "~", "x", 1)))
	ofKind(t, "CPU x", err, errors.ErrUnsupported)
}
