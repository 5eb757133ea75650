package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// formatConnections writes a listing as the kernel does, with the engines of those that
// have one.
func formatConnections(all []Connection) string {
	text := connectionsHeader
	if len(all) > 0 && all[0].Origin != OriginUnknown {
		text = strings.TrimSuffix(originsHeader, "\n") + " PEName PEData\n"
	}
	for _, c := range all {
		text += fmt.Sprintf("%-3s", formatProcProtocol(c.Protocol))
		for _, end := range []netip.AddrPort{c.Client, c.VIP, c.Server} {
			text += fmt.Sprintf(" %s %04X", formatProcAddr(end.Addr()), end.Port())
		}
		text += fmt.Sprintf(" %-11s ", c.State)
		if c.Origin != OriginUnknown {
			text += fmt.Sprintf("%-6s ", c.Origin)
		}
		text += fmt.Sprintf("%7d", c.Expires/time.Second)
		if c.Engine != "" {
			text += " " + c.Engine + " " + c.Data
		}
		text += "\n"
	}
	return text
}

// What kernels listed is what parsing and formatting make of it: on the director that
// clients sent to, with an engine's longest data, and on the backup of a sync daemon. See
// TestConnectionsKernel and TestConnectionsSynced in internal/conformance.
func TestConnectionsCaptured(t *testing.T) {
	for name, want := range map[string]map[string]int{
		"ip_vs_conn":             {"all": 11, "templates": 5, "mixed": 1, "engine": 2, "long": 1},
		"ip_vs_conn_sync":        {"all": 11, "templates": 5, "mixed": 1, "LOCAL": 11},
		"ip_vs_conn-backup":      {"all": 12, "templates": 2, "engine": 1},
		"ip_vs_conn_sync-backup": {"all": 12, "templates": 2, "SYNC": 12},
	} {
		for release, text := range capturedFiles(t, name) {
			all, err := readConnections(strings.NewReader(text))
			must(t, err)
			counts := make(map[string]int)
			count := func(what string, is bool) {
				if is {
					counts[what]++
				}
			}
			for _, c := range all {
				count("all", true)
				count("templates", c.IsTemplate())
				count("engine", c.Engine == "sip")
				count("long", len(c.Data) == 255)
				count("mixed", c.Client.Addr().Is6() && c.Server.Addr().Is4())
				count(string(c.Origin), c.Origin != OriginUnknown)
			}
			if diff := cmp.Diff(want, counts); diff != "" {
				t.Errorf("%s %s (-want +got):\n%s", release, name, diff)
			}
			if diff := cmp.Diff(text, strings.Replace(formatConnections(all), "Expires PEName PEData\n", headerEnd(text), 1)); diff != "" {
				t.Errorf("%s %s is formatted differently (-kernel +test):\n%s", release, name, diff)
			}
		}
	}
}

// headerEnd returns what follows the origin in the header.
func headerEnd(text string) string {
	header, _, _ := strings.Cut(text, "\n")
	return header[strings.Index(header, "Expires"):] + "\n"
}

func FuzzConnections(f *testing.F)        { fuzzConnections(f, connectionsHeader) }
func FuzzConnectionsOrigins(f *testing.F) { fuzzConnections(f, originsHeader) }

// fuzzConnections reads any text in two ways, which must agree: each line is a
// connection, and an error has a place. Written again as the kernel does, it reads the
// same.
func fuzzConnections(f *testing.F, header string) {
	for _, name := range []string{"ip_vs_conn", "ip_vs_conn_sync", "ip_vs_conn-backup"} {
		for _, text := range capturedFiles(f, name) {
			f.Add(text)
		}
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
			if err != nil {
				atPlace(t, text, err)
				continue
			}
			if again, err := readConnections(strings.NewReader(formatConnections(all))); err != nil || !slices.Equal(all, again) {
				t.Errorf("written again: %v, %v, want %v", again, err, all)
			}
			if lines := strings.Count(text, "\n"); len(all) != lines-1 {
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
