package workload

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// tableServers is how many real servers a table shows.
const tableServers = 20

// String returns the report as [Report.WriteTable] writes it.
func (r *Report) String() string {
	var b strings.Builder
	_ = r.WriteTable(&b) // a Builder never fails
	return b.String()
}

// WriteTable writes the report for people: its sums, and a table of the real
// servers, the busiest if there are more than 20.
func (r *Report) WriteTable(w io.Writer) error {
	t := newTable(w)
	t.printf("%s: %s for %s, Linux %s\n", r.Name, r.Served.ID, r.Duration, r.Kernel)
	t.printf("%s connections of %s clients: %s refused, %s lost, %s broken\n",
		thousands(r.Arrived), thousands(r.Clients), thousands(r.Refused), thousands(r.Lost), thousands(r.Broken))
	for _, reason := range sortedKeys(r.Reasons) {
		t.printf("  refused %s: %s\n", thousands(r.Reasons[reason]), reason)
	}
	t.printf("imbalance: greatest/mean %.3f, CV %.3f, Jain %.4f; of active connections %.3f, %.3f, %.4f\n",
		r.Imbalance.GreatestOverMean, r.Imbalance.CV, r.Imbalance.Jain,
		r.ActiveImbalance.GreatestOverMean, r.ActiveImbalance.CV, r.ActiveImbalance.Jain)
	t.printf("time: mean %s, half within %s, 99 %% within %s, longest %s\n\n",
		formatTime(r.Times.Mean), formatTime(r.Times.P50), formatTime(r.Times.P99), formatTime(r.Times.Longest))

	t.row("server", "weight", "connections", "share", "due", "active", "mean active", "peak", "time")
	shown := busiest(r.Servers, tableServers)
	for _, s := range shown {
		t.row(s.Addr.String(), strconv.Itoa(s.Weight), thousands(s.Connections), percent(s.Share), percent(s.Due),
			thousands(s.Active), fmt.Sprintf("%.1f", s.MeanActive), thousands(s.Peak), formatTime(s.MeanTime))
	}
	t.flush()
	if hidden := len(r.Servers) - len(shown); hidden > 0 {
		t.printf("and %d more\n", hidden)
	}
	if len(r.Disruptions) > 0 {
		t.printf("\n")
		t.row("at", "returned", "moved", "least", "ordinary", "refused", "broken", "  event")
		for _, d := range r.Disruptions {
			t.row(moment(d.At), thousands(d.Returned), percent(d.Share), percent(d.Least), percent(d.Ordinary),
				thousands(d.Refused), thousands(d.Broken), "  "+strings.Join(d.Events, ", "))
		}
		t.flush()
	}
	return t.err
}

// moment returns a time for people.
func moment(at time.Duration) string { return at.Round(time.Millisecond).String() }

// WriteComparison writes reports beside each other, of the same workload with other
// schedulers, for instance. Each has a line in two tables, which fit 80 columns: what
// happened to its connections, and how even the load was.
func WriteComparison(w io.Writer, reports ...*Report) error {
	t := newTable(w)
	t.row("", "connections", "refused", "lost", "broken", "peak", "mean time", "99 % in")
	for _, r := range reports {
		t.row(r.Name, thousands(r.Arrived), thousands(r.Refused), thousands(r.Lost), thousands(r.Broken), thousands(r.peak()),
			formatTime(r.Times.Mean), formatTime(r.Times.P99))
	}
	t.flush()
	t.printf("\n")
	t.row("", "greatest/mean", "CV", "Jain", "moved", "least")
	for _, r := range reports {
		moved, least := r.moved()
		t.row(r.Name, fmt.Sprintf("%.3f", r.Imbalance.GreatestOverMean), fmt.Sprintf("%.3f", r.Imbalance.CV),
			fmt.Sprintf("%.4f", r.Imbalance.Jain), percentOrDash(moved), percentOrDash(least))
	}
	t.flush()
	return t.err
}

// peak returns the most active connections that a server had at once.
func (r *Report) peak() (most int) {
	for _, s := range r.Servers {
		most = max(most, s.Peak)
	}
	return most
}

// moved returns what share of clients moved at events that made some move, on
// average, and the least possible; NaN, if there were none.
func (r *Report) moved() (moved, least float64) {
	n := 0.0
	for _, d := range r.Disruptions {
		if d.Returned > 0 && d.Least > 0 {
			n++
			moved += d.Share
			least += d.Least
		}
	}
	return moved / n, least / n
}

// table writes columns, and keeps the first error.
type table struct {
	w    io.Writer
	rows [][]string
	err  error
}

func newTable(w io.Writer) *table { return &table{w: w} }

func (t *table) printf(format string, args ...any) {
	if _, err := fmt.Fprintf(t.w, format, args...); t.err == nil {
		t.err = err
	}
}

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

// flush writes the rows that there are. Columns are flush right, but for the
// first and those whose head begins with a blank.
func (t *table) flush() {
	if len(t.rows) == 0 {
		return
	}
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	head := t.rows[0]
	for _, row := range t.rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 || strings.HasPrefix(head[i], " ") {
				line.WriteString(cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		t.printf("%s\n", strings.TrimRight(line.String(), " "))
	}
	t.rows = nil
}

// thousands returns a number with commas.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func percent(share float64) string { return fmt.Sprintf("%.1f %%", 100*share) }

// formatTime returns seconds with three digits that say something.
func formatTime(s float64) string {
	if s == 0 {
		return "0s"
	}
	digits := time.Duration(math.Pow10(max(0, int(math.Floor(math.Log10(s*1e9)))-2)))
	return seconds(s).Round(digits).String()
}
