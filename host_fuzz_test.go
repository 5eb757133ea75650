package lvs

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The fuzzers of files of /proc read any text. What they read is written again as the
// kernel does, and reads the same. Otherwise the error has a place in the text.

func FuzzQuickTable(f *testing.F) {
	f.Add(quickText)
	for _, text := range capturedFiles(f, "ip_vs") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		room := []byte(text)
		table, isTorn, err := parseQuickTable(room)
		clear(room) // the room of a text is used again
		if err != nil {
			atPlace(t, text, err)
			return
		}
		servers := 0
		for _, s := range table.Services {
			servers += len(s.RealServers)
		}
		if lines := len(strings.Split(text, "\n")); len(table.Services)+servers+3 > lines {
			t.Errorf("%d services and %d real servers in %d lines", len(table.Services), servers, lines)
		}
		if isTorn || slices.ContainsFunc(table.Services, isGuess) {
			return
		}
		again, isTorn, err := parseQuickTable([]byte(formatQuickTable(table)))
		if diff := cmp.Diff(table, again, cmp.Comparer(func(a, b QuickServer) bool { return a == b })); err != nil || isTorn || diff != "" {
			t.Errorf("%v, torn %t (-first +second):\n%s", err, isTorn, diff)
		}
	})
}

// isGuess reports whether the service may have another family when it is read again from
// a text in another order.
func isGuess(s QuickService) bool { return s.FamilyUnknown }

func FuzzTotals(f *testing.F) {
	f.Add(totalsText)
	for _, text := range capturedFiles(f, "ip_vs_stats") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseTotals([]byte(text))
		if err != nil {
			atPlace(t, text, err)
			return
		}
		again, err := parseTotals([]byte(formatTotals(s)))
		must(t, err)
		compare(t, "again", s, again)
	})
}

func FuzzCPUTotals(f *testing.F) {
	f.Add(cpuTotalsText)
	for _, text := range capturedFiles(f, "ip_vs_stats_percpu") {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := parseCPUTotals([]byte(text))
		if err != nil {
			atPlace(t, text, err)
			return
		}
		if lines := len(strings.Split(text, "\n")); len(all)+3 > lines {
			t.Errorf("%d CPUs in %d lines", len(all), lines)
		}
		again, err := parseCPUTotals([]byte(formatCPUTotals(all) + "  ~\n"))
		must(t, err)
		compare(t, "again", all, again)
	})
}
