package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func TestMetricsOnce(t *testing.T) {
	ctx := connsSite(t)
	for _, test := range []struct{ args, has, lacks string }{
		{"", `lvs_real_server_active_connections{real_server="10.168.0.94:80",service="tcp://10.168.0.91:80"} 3`, "node_ipvs"},
		{"", "lvs_up 1", "lvs_up 0"},
		{"-servers none", `lvs_service_active_connections{service="tcp://10.168.0.91:80"} 3`, "lvs_real_server"},
		{"-servers 1", `real_server="10.168.0.94:80"`, "::95"},
		{"-node-exporter", "node_ipvs_backend_connections_active", "lvs_service"},
	} {
		got := runWith(ctx, "", append([]string{"metrics", "-netns", "site"}, strings.Fields(test.args)...)...)
		expect(t, got, 0, test.has)
		if strings.Contains(got.out, test.lacks) {
			t.Errorf("want no %q: %s", test.lacks, got)
		}
	}
}

func TestMetricsRefused(t *testing.T) {
	used, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer used.Close()
	for args, why := range map[string]string{
		"-servers few":                      `the flag -servers cannot be "few"`,
		"-servers 0":                        "a number above 0",
		"-timeout -1s":                      "negative",
		"-node-exporter -server-counters":   "leave out ServerCounters",
		"-listen nowhere":                   "name another address",
		"-listen " + used.Addr().String():   "name another address",
		"-listen 127.0.0.1:0 -netns nosuch": "nosuch",
		"argument":                          "argument",
	} {
		expect(t, runWith(connsSite(t), "", append([]string{"metrics", "-netns", "site"}, strings.Fields(args)...)...), 1, why)
	}
}

// The drains of a state file are shown.
func TestMetricsState(t *testing.T) {
	ctx, path := connsSite(t), filepath.Join(t.TempDir(), "state.json")
	expect(t, runWith(ctx, "", "drain", "-netns", "site", "-state", path, "-no-wait", "-for", "1h", "10.168.0.91:80", "10.168.0.94"), 0, "weight 0")
	got := runWith(ctx, "", "metrics", "-netns", "site", "-state", path)
	expect(t, got, 0, `lvs_drain_remaining_seconds{real_server="10.168.0.94:80",service="tcp://10.168.0.91:80"} 35`)
	expect(t, runWith(ctx, "", "metrics", "-netns", "site", "-state", t.TempDir()), 1, "read drains: read state")
}

// What cannot be read is reported, and the rest is written.
func TestMetricsFailure(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.Inject(lvs.SimFault{Op: lvs.OpListServices, Errno: lvs.EPERM, Times: 100}); err != nil {
		t.Fatal(err)
	}
	ctx := lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"site": sim})
	got := runWith(ctx, "", "metrics", "-netns", "site")
	expect(t, got, 1, "lvs_up 0")
	expect(t, got, 1, "CAP_NET_ADMIN")
}

func TestMetricsServed(t *testing.T) {
	ctx, interrupt := context.WithCancel(connsSite(t))
	defer interrupt()
	messages, errs := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		env := &cli.Env{In: strings.NewReader(""), Out: io.Discard, Err: errs, Getenv: os.Getenv}
		ended <- program().Main(ctx, env, []string{"lvs", "metrics", "-netns", "site", "-listen", "127.0.0.1:0"})
		errs.Close()
	}()
	line, err := bufio.NewReader(messages).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url := strings.TrimSpace(line[strings.Index(line, "http://"):])
	for path, want := range map[string]int{"": http.StatusOK, "/other": http.StatusNotFound} {
		answer, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want {
			t.Errorf("%s: %d, %v", url+path, answer.StatusCode, err)
		}
		if want == http.StatusOK && !strings.Contains(string(body), "lvs_up 1\n") {
			t.Errorf("%s has no table:\n%s", url, body)
		}
	}
	interrupt()
	if status := <-ended; status != 0 {
		t.Errorf("after an interrupt, the status is %d", status)
	}
}

func TestMetricsLimit(t *testing.T) {
	inside, leave := make(chan bool), make(chan bool)
	h := limitRequests(1, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside <- true; <-leave }))
	serve := func() int {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		return w.Code
	}
	first := make(chan int)
	go func() { first <- serve() }()
	<-inside
	if status := serve(); status != http.StatusServiceUnavailable {
		t.Errorf("the second of two requests has status %d, and one is allowed", status)
	}
	close(leave)
	if status := <-first; status != http.StatusOK {
		t.Errorf("the first request has status %d", status)
	}
}
