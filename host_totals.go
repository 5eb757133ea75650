package lvs

import "context"

// CPUStats are the counters of one CPU since the namespace was made.
type CPUStats struct {
	CPU int `json:"cpu" yaml:"cpu"` // its number, from 0

	Conns      uint64 `json:"conns" yaml:"conns"`           // connections that were scheduled
	InPackets  uint64 `json:"inPackets" yaml:"inPackets"`   // from clients
	OutPackets uint64 `json:"outPackets" yaml:"outPackets"` // to clients
	InBytes    uint64 `json:"inBytes" yaml:"inBytes"`       // of IP packets, without a tunnel's outer header
	OutBytes   uint64 `json:"outBytes" yaml:"outBytes"`     // likewise
}

const (
	totalsFile    = "/proc/net/ip_vs_stats"
	cpuTotalsFile = "/proc/net/ip_vs_stats_percpu"
)

// Totals returns the counters and rates of all services together, those that were removed
// included, from /proc/net/ip_vs_stats. The file has nothing else: which service counted
// how much is in a [Snapshot]. Totals lag as all [Stats] do, and
// [Client.ZeroAllCounters] zeroes them. Reading them needs no privilege. The error
// matches [ErrUnavailable] if the kernel has no IPVS, and [errors.ErrUnsupported] if the
// file cannot be understood; [Error.Line] and [Error.Column] are the place in it.
func (h *Host) Totals(ctx context.Context) (Stats, error) {
	text, err := h.readIPVSFile(ctx, totalsFile)
	if err != nil {
		return Stats{}, err
	}
	return parseTotals(text)
}

// CPUTotals returns the counters of all services together on each CPU that the machine
// can have, from /proc/net/ip_vs_stats_percpu. Unlike [Host.Totals], these counters are
// current, they have no rates, and nothing zeroes them. The errors are those of Totals.
func (h *Host) CPUTotals(ctx context.Context) ([]CPUStats, error) {
	text, err := h.readIPVSFile(ctx, cpuTotalsFile)
	if err != nil {
		return nil, err
	}
	return parseCPUTotals(text)
}

func parseTotals(text []byte) (s Stats, err error) {
	r := procRows{path: totalsFile, rest: text}
	if err := r.expect("Total", "Incoming", "Outgoing", "Incoming", "Outgoing"); err != nil {
		return Stats{}, err
	}
	if err := r.expect("Conns", "Packets", "Packets", "Bytes", "Bytes"); err != nil {
		return Stats{}, err
	}
	r.next()
	if err := r.counters(&s.Conns, &s.InPackets, &s.OutPackets, &s.InBytes, &s.OutBytes); err != nil {
		return Stats{}, err
	}
	if r.next() && len(r.nextWord()) > 0 {
		return Stats{}, r.refuse("an empty row")
	}
	if err := r.expect("Conns/s", "Pkts/s", "Pkts/s", "Bytes/s", "Bytes/s"); err != nil {
		return Stats{}, err
	}
	r.next()
	rates := &s.Rates
	if err := r.counters(&rates.Conns, &rates.InPackets, &rates.OutPackets, &rates.InBytes, &rates.OutBytes); err != nil {
		return Stats{}, err
	}
	return s, nil
}

// parseCPUTotals reads the rows of CPUs. The row that follows them, "~", and the rates
// are those of the other file.
func parseCPUTotals(text []byte) (all []CPUStats, err error) {
	r := procRows{path: cpuTotalsFile, rest: text}
	if err := r.expect("Total", "Incoming", "Outgoing", "Incoming", "Outgoing"); err != nil {
		return nil, err
	}
	if err := r.expect("CPU", "Conns", "Packets", "Packets", "Bytes", "Bytes"); err != nil {
		return nil, err
	}
	for r.next() {
		if row := r; string(row.nextWord()) == "~" {
			return all, nil
		}
		cpu, err := r.unsigned(16, 31)
		if err != nil {
			return nil, err
		}
		s := CPUStats{CPU: int(cpu)}
		if err := r.counters(&s.Conns, &s.InPackets, &s.OutPackets, &s.InBytes, &s.OutBytes); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return nil, r.refuse(`the row "~"`)
}

// counters reads the words that follow in the row.
func (r *procRows) counters(all ...*uint64) (err error) {
	for _, to := range all {
		if *to, err = r.unsigned(16, 64); err != nil {
			return err
		}
	}
	return nil
}
