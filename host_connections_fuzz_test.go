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

// Everything that the kernels listed is understood. They had nine entries each: see
// TestConnectionsKernel in internal/conformance, which prints them with
// -connections.capture.
func TestConnectionsCaptured(t *testing.T) {
	texts := capturedConnections(t)
	if len(texts) != 6 {
		t.Errorf("%d captures, want two of each of three kernels", len(texts))
	}
	for name, text := range texts {
		all, err := readConnections(strings.NewReader(text))
		must(t, err)
		counts := make(map[string]int)
		for _, c := range all {
			if c.IsTemplate() {
				counts["templates"]++
			}
			if c.Engine == "sip" && c.Data == "4711-a@example.com" {
				counts["engine"]++
			}
			if c.Origin == OriginLocal {
				counts["local"]++
			}
			if c.Client.Addr().Is6() && c.Server.Addr().Is4() {
				counts["mixed"]++
			}
			counts["all"]++
		}
		want := map[string]int{"all": 9, "templates": 4, "mixed": 1, "engine": 1}
		if strings.Contains(name, "sync") {
			delete(want, "engine")
			want["local"] = 9
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func FuzzConnections(f *testing.F)        { fuzzConnections(f, connectionsHeader) }
func FuzzConnectionsOrigins(f *testing.F) { fuzzConnections(f, originsHeader) }

// fuzzConnections reads any text in two ways, which must agree: each
// line is a connection, and an error matches the known kind.
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
