package prometheus

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

var realFor = flag.Duration("prometheus.real", 0, "let a real Prometheus scrape the command lvs for so long, and ask it all queries")

// A real Prometheus loads the alerts and scrapes the command. Each query of the dashboard
// then has a result, but for that of readings that failed.
func TestRealPrometheus(t *testing.T) {
	if *realFor == 0 {
		t.Log("no -prometheus.real: not tried")
		return
	}
	folder := t.TempDir()
	program := filepath.Join(folder, "lvs")
	if out, err := exec.Command("go", "build", "-C", "../../../cmd/lvs", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	state := filepath.Join(folder, "state.json")
	began := time.Now().Round(0)
	drain := lvs.Drain{Service: lvs.FWMark(7), Began: began, Deadline: began.Add(time.Hour)}
	if err := (lvs.TableState{Drains: []lvs.Drain{drain}}).WriteFile(state); err != nil {
		t.Fatal(err)
	}
	targets := []string{
		startCommand(t, program, "metrics", "-demo", "-server-counters", "-totals", "-cpus", "-states", "-state", state, "-listen", "127.0.0.1:0"),
		startCommand(t, program, "run", "-demo", "-metrics", "127.0.0.1:0"),
	}
	server := startPrometheus(t, folder, targets)
	time.Sleep(*realFor)
	for _, query := range append(readDashboard(t).queries(), "ALERTS") {
		n, first := ask(t, server, query)
		t.Logf("%s\n%d results, such as %s", query, n, first)
		if n == 0 && !strings.Contains(query, "lvs_scrape_errors_total") {
			t.Errorf("%s has no result", query)
		}
	}
}

// startCommand starts the command, and returns the address at which it serves metrics.
func startCommand(t *testing.T, program string, args ...string) (address string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	messages, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() }) // after the context has ended it
	line, err := bufio.NewReader(messages).ReadString('\n')
	_, after, ok := strings.Cut(line, "http://")
	address, _, _ = strings.Cut(after, "/")
	if err != nil || !ok {
		t.Fatalf("%s: %q, %v", args[0], line, err)
	}
	return address
}

// startPrometheus starts Prometheus, and returns its address.
func startPrometheus(t *testing.T, folder string, targets []string) (address string) {
	t.Helper()
	alerts, err := filepath.Abs("../../alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf("global: {scrape_interval: 2s, evaluation_interval: 2s}\nrule_files: [%q]\n"+
		"scrape_configs: [{job_name: lvs, static_configs: [{targets: [%s]}]}]\n", alerts, strings.Join(targets, ", "))
	path := filepath.Join(folder, "prometheus.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	cmd := exec.CommandContext(t.Context(), "prometheus", "--config.file", path, "--storage.tsdb.path", filepath.Join(folder, "data"), "--web.listen-address", address)
	var messages strings.Builder
	cmd.Stdout, cmd.Stderr = &messages, &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Wait(); t.Failed() {
			t.Log(messages.String(), err)
		}
	})
	return address
}

// ask returns how many results a query has, and the first.
func ask(t *testing.T, server, query string) (n int, first string) {
	t.Helper()
	response, err := http.Get("http://" + server + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var read struct {
		Status, Error string
		Data          struct{ Result []json.RawMessage }
	}
	if err := json.NewDecoder(response.Body).Decode(&read); err != nil || read.Status != "success" {
		t.Error(query, read.Error, err)
	}
	if len(read.Data.Result) > 0 {
		first = string(read.Data.Result[0])
	}
	return len(read.Data.Result), first
}
