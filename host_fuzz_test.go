package lvs

import "testing"

func FuzzQuickTable(f *testing.F) {
	f.Add([]byte(quickText))
	f.Fuzz(func(t *testing.T, text []byte) { _, _, _ = parseQuickTable(text) })
}

func FuzzTotals(f *testing.F) {
	f.Add([]byte(totalsText))
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = parseTotals(text) })
}

func FuzzCPUTotals(f *testing.F) {
	f.Add([]byte(cpuTotalsText))
	f.Fuzz(func(t *testing.T, text []byte) { _, _ = parseCPUTotals(text) })
}
