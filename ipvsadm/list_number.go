package ipvsadm

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs"
)

// counters returns the counters or rates of a line, each with a space before it. It
// reports false if the columns have neither.
func (o ListOptions) counters(s lvs.Stats) (string, bool) {
	numbers := []uint64{s.Conns, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes}
	switch r := s.Rates; o.Columns {
	case ColumnsStats:
	case ColumnsRates:
		numbers = []uint64{r.Conns, r.InPackets, r.OutPackets, r.InBytes, r.OutBytes}
	default:
		return "", false
	}
	var b strings.Builder
	for _, n := range numbers {
		b.WriteString(o.counter(n))
	}
	return b.String(), true
}

// counter returns a number in nine characters, shortened unless it must be exact.
func (o ListOptions) counter(n uint64) string {
	switch {
	case o.Exact && n >= 1e8:
		return fmt.Sprintf(" %d", n)
	case o.Exact, n < 1e8:
		return fmt.Sprintf("%9d", n)
	case n < 1e9:
		return fmt.Sprintf("%8dK", n/1e3)
	case n < 1e11:
		return fmt.Sprintf("%8dM", n/1e6)
	case n < 1e14:
		return fmt.Sprintf("%8dG", n/1e9)
	}
	return fmt.Sprintf("%8dT", n/1e12)
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

// listedTunnel returns the type of a tunnel, with its port and how it is checksummed.
func listedTunnel(m lvs.Mode) string {
	checksum := "-c"
	switch m.TunnelFlags() {
	case lvs.TunnelChecksum:
		checksum = "+c"
	case lvs.TunnelRemoteChecksum:
		checksum = "r+c"
	}
	switch m {
	case lvs.IPIP():
		return "ipip"
	case lvs.GRE(m.TunnelFlags()):
		return "gre:" + checksum
	case lvs.GUE(m.Port(), m.TunnelFlags()):
		return fmt.Sprintf("gue:%d:%s", m.Port(), checksum)
	}
	return "n/a"
}
