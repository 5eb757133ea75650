package lvs

import "testing"

func FuzzQuickTable(f *testing.F) {
	f.Add(quickText)
	f.Fuzz(func(t *testing.T, text string) { _, _, _ = parseQuickTable(text) })
}

func FuzzTotals(f *testing.F) {
	f.Add(totalsText)
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseTotals(text) })
}

func FuzzCPUTotals(f *testing.F) {
	f.Add(cpuTotalsText)
	f.Fuzz(func(t *testing.T, text string) { _, _ = parseCPUTotals(text) })
}
