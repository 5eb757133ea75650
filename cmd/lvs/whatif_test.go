package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

var web = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))

// tableOf returns a file with a service.
func tableOf(t *testing.T, s lvs.Service, servers int) (path string) {
	t.Helper()
	service := lvs.TableService{Service: s}
	for i := range servers {
		service.RealServers = append(service.RealServers, lvs.NewRealServer(netip.MustParseAddrPort(fmt.Sprintf("10.168.0.%d:80", 94+i)), lvs.DR()))
	}
	text, err := json.Marshal(lvs.Table{Services: []lvs.TableService{service}})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, string(text))
}

// numbers returns those of the line that begins so.
func numbers(t *testing.T, text, begin string) (all []float64) {
	t.Helper()
	for l := range strings.SplitSeq(text, "\n") {
		rest, ok := strings.CutPrefix(strings.TrimSpace(l), begin)
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(rest) {
			var f float64
			if _, err := fmt.Sscanf(word, "%g", &f); err == nil {
				all = append(all, f)
			}
		}
		return all
	}
	t.Fatalf("no line %q in\n%s", begin, text)
	return nil
}

func near(got, want float64) bool { return got > want-3 && got < want+3 }

func TestWhatif(t *testing.T) {
	table := tableOf(t, lvs.Service{ID: web, Scheduler: lvs.MH}, 4)
	got := run(t, "", "whatif", "-table", table, "-clients", "2000")
	// moved, ideal, baseline, refused, largest
	for begin, want := range map[string][]float64{
		"remove 10.168.0.95:80":       {25, 25, 0, 0, 33.3},
		"drain 10.168.0.95:80":        {0, 25, 0, 25, 25},
		"add 10.168.0.98:80 weight 1": {20, 20, 0, 0, 20},
	} {
		all := numbers(t, got.out, begin)
		for i := range want {
			if len(all) < len(want) || !near(all[i], want[i]) {
				t.Errorf("%s: got %v, want %v", begin, all, want)
				break
			}
		}
	}
	expect(t, got, 0, "With the flag fallback")
}

// The host's own table is copied, and does not change.
func TestWhatifHost(t *testing.T) {
	ctx, sim := site(t)
	client := sim.Client()
	for i := range 2 {
		changes := []lvs.Change{lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort(fmt.Sprintf("10.168.0.%d:80", 94+i)), lvs.DR()))}
		if i == 0 {
			changes = append([]lvs.Change{lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR})}, changes...)
		}
		if err := client.Do(t.Context(), changes...); err != nil {
			t.Fatal(err)
		}
	}
	got := runWith(ctx, "", "whatif", "-clients", "2000", "-remove", "10.168.0.95:80", "-add", "10.168.0.96:80", "-weight", "3")
	expect(t, got, 0, "remove 10.168.0.95:80, add 10.168.0.96:80 weight 3")
	expect(t, got, 0, "where in its round rr stands")
	if all := numbers(t, got.out, "10.168.0.96:80"); !near(all[1], 50) || !near(all[3], 75) {
		t.Errorf("the new server: %v", all)
	}
	if servers, err := client.RealServers(t.Context(), web); err != nil || len(servers) != 2 {
		t.Errorf("the host itself has %v: %v", servers, err)
	}
}

func TestWhatifDemo(t *testing.T) {
	got := run(t, "", "whatif", "-demo", "-clients", "50", "-service", "tcp://10.168.0.91:443")
	expect(t, got, 0, "tcp://10.168.0.91:443")
}

// Clients of SIP make calls, and associations of SCTP are opened.
func TestWhatifProtocols(t *testing.T) {
	table := write(t, `{"version": 1, "services": [
		{"id": "udp://10.168.0.91:5060", "scheduler": "rr", "persistence": "1m0s pe=sip", "realServers": [{"addr": "10.168.0.94:5060", "weight": 1}]},
		{"id": "sctp://10.168.0.91:80", "scheduler": "rr", "realServers": [{"addr": "10.168.0.94:80", "weight": 1}]}]}`)
	got := run(t, "", "whatif", "-table", table, "-clients", "50")
	for _, add := range []string{"add 10.168.0.95:5060 weight 1", "add 10.168.0.95:80 weight 1"} {
		all := numbers(t, got.out, add) // moved, ideal, baseline, refused, largest
		if refused, largest := all[3], all[4]; refused != 0 || !near(largest, 50) {
			t.Errorf("%s: %v", add, all)
		}
	}
}

func TestWhatifSchedulers(t *testing.T) {
	folder := t.TempDir()
	page := filepath.Join(folder, "report.html")
	table := tableOf(t, lvs.Service{ID: web, Scheduler: lvs.WRR}, 3)
	got := run(t, "", "whatif", "-table", table, "-duration", "5s", "-schedulers", "rr,mh+fallback+port", "-event", "1s drain 10.168.0.94:80", "-html", page)
	lines := strings.Split(strings.TrimSpace(got.out), "\n")
	if got.status != 0 || len(lines) != 9 || !strings.HasPrefix(lines[1], "wrr ") || !strings.HasPrefix(lines[3], "mh+fallback+port ") {
		t.Error(got)
	}
	for _, line := range lines {
		if len(line) > 80 {
			t.Errorf("%d columns: %s", len(line), line)
		}
	}
	if text, err := os.ReadFile(page); err != nil || !strings.Contains(string(text), "<h1>Schedulers for tcp://10.168.0.91:80</h1>") {
		t.Errorf("the page has no heading: %v", err)
	}
	load := write(t, `{"duration": "5s", "arrivals": "poisson 100/s", "clients": "50", "lifetime": "fixed 1s", "seed": 3, "service": "tcp://10.168.0.91:80"}`)
	one := run(t, "", "whatif", "-table", table, "-workload", load, "-schedulers", "rr")
	expect(t, one, 0, "rr ")
	two := run(t, "", "whatif", "-table", table, "-schedulers", "rr", "-duration", "5s", "-arrivals", "poisson 100/s", "-clients", "50", "-lifetime", "fixed 1s", "-seed", "3")
	if one.out != two.out {
		t.Errorf("by file\n%sby flags\n%s", one.out, two.out)
	}
	if again := run(t, "", "whatif", "-table", table, "-workload", load, "-schedulers", "rr", "-seed", "4"); again.out == one.out {
		t.Error("-seed does not override the file")
	}
}

func TestWhatifRefused(t *testing.T) {
	table := tableOf(t, lvs.Service{ID: web, Scheduler: lvs.MH}, 1)
	rules := write(t, "-A -t 10.168.0.91:80 -s rr\n-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 1\n")
	expect(t, run(t, "", "whatif", "-table", rules, "-clients", "50"), 0, "tcp://10.168.0.91:80 rr, 1 real servers")
	expect(t, run(t, "", "whatif", "-table", rules, "-clients", "50", "-service", ":80"), 0, "tcp://10.168.0.91:80 rr, 1 real servers")
	expect(t, run(t, "", "whatif", "-table", tableOf(t, lvs.Service{ID: web, Scheduler: lvs.RR}, 0)), 0, "no server takes new connections")
	for why, args := range map[string]string{
		"no service has these":      "-drain 10.168.0.99:80",
		"is not a service; there":   "-service udp://10.168.0.91:53",
		"no such real server":       "-service tcp://10.168.0.91:80 -drain 10.168.0.99:80",
		"already exists":            "-add 10.168.0.94:80",
		"is negative":               "-weight -1",
		"is one argument too many":  "-drain 10.168.0.94:80 10.168.0.95:80",
		"not an ip:port":            "-drain x",
		"use -event":                "-drain 10.168.0.94:80 -schedulers rr",
		"scheduler \"nonsense\"":    "-schedulers nonsense",
		"is not fallback, port":     "-schedulers mh+x",
		"Events[0]":                 "-event 1h_drain_10.168.0.94:80",
		"no such file or directory": "-workload /nowhere",
		"Arrivals":                  "-duration 1s -arrivals poisson_-5/s",
	} {
		words := strings.Fields(args)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "_", " ")
		}
		expect(t, run(t, "", append([]string{"whatif", "-table", table, "-clients", "50"}, words...)...), 1, why)
	}
	for why, text := range map[string]string{"version": "{}", ":1:7: ": "-A -t web", "services[0]": `{"version": 1, "services": [{"id": "tcp://10.168.0.91:80", "more": 1}]}`} {
		expect(t, run(t, "", "whatif", "-table", write(t, text)), 1, why)
	}
	ctx := lvs.WithSimulators(context.Background(), nil)
	expect(t, runWith(ctx, "", "whatif"), 1, "")
	empty, _ := site(t)
	expect(t, runWith(empty, "", "whatif"), 1, "the table has no services")
}
