package lvs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// capturedConnections returns the listings that kernels made, by file name.
func capturedConnections(t testing.TB) map[string]string {
	t.Helper()
	names, err := filepath.Glob("testdata/connections/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(text)
	}
	return all
}

func FuzzConnections(f *testing.F)        { fuzzConnections(f, connectionsHeader) }
func FuzzConnectionsOrigins(f *testing.F) { fuzzConnections(f, originsHeader) }

// fuzzConnections reads any text in two ways, which must agree: a connection is written
// as its line has it, and an error is of the known kind.
func fuzzConnections(f *testing.F, header string) {
	for _, text := range capturedConnections(f) {
		f.Add(text)
	}
	f.Add(header + webRow)
	f.Add(header + strings.Replace(webRow, "    899", "LOCAL      899", 1))
	f.Fuzz(func(t *testing.T, text string) {
		for _, text := range []string{text, header + text} {
			all, err := readConnections(strings.NewReader(text))
			again, aerr := readConnections(iotest.OneByteReader(strings.NewReader(text)))
			if diff := cmp.Diff(all, again); diff != "" || (err == nil) != (aerr == nil) {
				t.Errorf("byte by byte: %v, %v (-want +got):\n%s", err, aerr, diff)
			}
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
			if lines := strings.Count(text, "\n"); err == nil && len(all) != lines-1 {
				t.Errorf("%d connections in %d lines", len(all), lines)
			}
			for _, c := range all {
				if !c.Client.IsValid() || !c.VIP.IsValid() || !c.Server.IsValid() {
					t.Errorf("%+v", c)
				}
			}
		}
	})
}
