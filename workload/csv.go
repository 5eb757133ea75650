package workload

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strconv"
)

// WriteCSV writes the samples of reports, a line for each real server and sample,
// under a line of names: report, seconds (the end of the sample), server,
// connections, share (of those that servers got in the sample), active.
func WriteCSV(w io.Writer, reports ...*Report) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"report", "seconds", "server", "connections", "share", "active"}) // Error tells
	for _, r := range reports {
		for _, s := range r.Samples {
			all := 0
			for _, n := range s.Connections {
				all += n
			}
			at := strconv.FormatFloat(s.At.Seconds(), 'f', -1, 64)
			for i, server := range r.Servers {
				_ = out.Write([]string{
					r.Name, at, server.Addr.String(), strconv.Itoa(s.Connections[i]),
					strconv.FormatFloat(ratio(s.Connections[i], all), 'f', 6, 64), strconv.Itoa(s.Active[i]),
				})
			}
		}
	}
	out.Flush()
	return out.Error()
}

// busiest returns the n servers with the most connections, in the order that they
// had.
func busiest(servers []ServerReport, n int) []ServerReport {
	if len(servers) <= n {
		return servers
	}
	order := make([]int, len(servers))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return servers[b].Connections - servers[a].Connections })
	order = order[:n]
	slices.Sort(order)
	out := make([]ServerReport, n)
	for i, j := range order {
		out[i] = servers[j]
	}
	return out
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
