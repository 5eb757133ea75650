package metrics

import (
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

func BenchmarkScrapeKernel(b *testing.B) {
	testbed.InKernel(b)
	ns := testbed.New(b)
	host, err := lvs.OpenHost(b.Context(), lvs.InNamespaceFile(ns.File))
	if err != nil {
		b.Fatal(err)
	}
	defer host.Close()
	benchmarkScrape(b, host)
}
