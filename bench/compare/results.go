package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"
)

// result is what one contender took, round by round.
type result struct {
	name string
	took []time.Duration
}

type results []result

// write prints a line for each contender: the time of one object and of all, and how
// many times as long it took as some of them. Ratios are those of the same round, since
// only they were measured under the same load; so their median need not be the ratio of
// the medians.
func (all results) write(w io.Writer, what string, objects int, against []string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(tw, "%s, ns per object\tmin\tmedian\tmax\tall, ms\t", what)
	for _, other := range against {
		fmt.Fprintf(tw, "/ %s\tmin\tmax\t", other)
	}
	fmt.Fprintln(tw)
	for _, r := range all {
		min, median, max := spread(perObject(r.took, objects))
		fmt.Fprintf(tw, "%s\t%.0f\t%.0f\t%.0f\t%.1f\t", r.name, min, median, max, median*float64(objects)/1e6)
		for _, other := range against {
			fmt.Fprint(tw, all.ratio(r, other))
		}
		fmt.Fprintln(tw)
	}
	return tw.Flush()
}

// ratio returns three cells: median, smallest and largest of the ratio to
// another contender, if it took part.
func (all results) ratio(r result, other string) string {
	i := slices.IndexFunc(all, func(o result) bool { return o.name == other })
	if i < 0 || all[i].name == r.name {
		return "\t\t\t"
	}
	ratios := make([]float64, len(r.took))
	for round := range ratios {
		ratios[round] = float64(r.took[round]) / float64(all[i].took[round])
	}
	min, median, max := spread(ratios)
	return fmt.Sprintf("%.2f\t%.2f\t%.2f\t", median, min, max)
}

func perObject(took []time.Duration, objects int) []float64 {
	all := make([]float64, len(took))
	for i, d := range took {
		all[i] = float64(d.Nanoseconds()) / float64(objects)
	}
	return all
}

// spread returns the smallest value, the median and the largest.
func spread(values []float64) (min, median, max float64) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[0], (sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[n-1]
}
