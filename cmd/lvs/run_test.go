package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

const runTable = `version: 1
services:
  - id: tcp://10.168.0.91:80
    scheduler: wrr
    realServers:
      - {addr: "10.168.0.94:80", mode: dr, weight: 2}
      - {addr: "10.168.0.95:80", mode: dr}
  - id: udp://10.168.0.91:53
    scheduler: rr
    realServers:
      - {addr: "10.168.0.94:53", mode: dr}
      - {addr: "10.168.0.95:53", mode: dr}
`

// The table of a file is kept, a broken file is reported with its place, what another
// program changes is put right, and the table stays when the command ends.
func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(runTable)
	synctest.Test(t, func(t *testing.T) {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		client := sim.Client()
		defer client.Close()
		has := func(when string, servers ...int) {
			t.Helper()
			table := readTable(t, client)
			if len(table.Services) != len(servers) {
				t.Fatalf("%s:\n%s", when, table)
			}
			for i, s := range table.Services {
				if len(s.RealServers) != servers[i] {
					t.Errorf("%s: %s", when, s)
				}
			}
		}
		ctx, interrupt := context.WithCancel(lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"blue": sim}))
		defer interrupt()
		ended := make(chan ran)
		go func() {
			ended <- runWith(ctx, "", "run", path, "-state", path+".state", "-scope", "10.168.0.0/24", "-prune", "-resync", "1s", "-netns", "blue")
		}()
		time.Sleep(3 * time.Second)
		has("at first", 2, 2)
		web := readTable(t, client).Services[0]
		if err := client.RemoveRealServer(ctx, web.ID, web.RealServers[0].Addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		has("after another program", 2, 2)
		write(strings.Replace(runTable, "weight: 2", "weight: two", 1))
		time.Sleep(3 * time.Second)
		has("with a broken file", 2, 2)
		write(strings.Replace(runTable, `      - {addr: "10.168.0.95:53", mode: dr}`, "", 1))
		time.Sleep(3 * time.Second)
		has("with another table", 2, 1)
		interrupt()
		got := <-ended
		has("in the end", 2, 1)
		for _, want := range []string{path + ":6:52: ", "repaired", "in sync with 2 services and 3 real servers"} {
			expect(t, got, 0, want)
		}
	})
}

// What keepalived.conf includes is read again when it changes, and so is a new file that a
// pattern matches.
func TestRunIncludes(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	service := func(vip int, servers ...string) string {
		return fmt.Sprintf("virtual_server 10.168.0.%d 80 {\n protocol TCP\n real_server %s 80 { }\n}\n", vip, strings.Join(servers, " 80 { }\n real_server "))
	}
	write("keepalived.conf", "include conf.d/*.conf\n")
	if err := os.Mkdir(filepath.Join(folder, "conf.d"), 0o700); err != nil {
		t.Fatal(err)
	}
	write("conf.d/web.conf", service(91, "10.168.0.94"))
	synctest.Test(t, func(t *testing.T) {
		sim, err := lvs.NewSimulator(lvs.SimOptions{Clock: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		client := sim.Client()
		defer client.Close()
		ctx, interrupt := context.WithCancel(lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"blue": sim}))
		defer interrupt()
		ended := make(chan ran)
		go func() {
			ended <- runWith(ctx, "", "run", filepath.Join(folder, "keepalived.conf"), "-scope", "10.168.0.0/24", "-netns", "blue")
		}()
		has := func(when string, want ...string) {
			t.Helper()
			time.Sleep(3 * time.Second)
			var got []string
			for _, s := range readTable(t, client).Services {
				for _, r := range s.RealServers {
					got = append(got, fmt.Sprint(s.ID.AddrPort().Addr(), " ", r.Addr.Addr()))
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		has("at first", "10.168.0.91 10.168.0.94")
		write("conf.d/web.conf", service(91, "10.168.0.94", "10.168.0.95"))
		has("with another server", "10.168.0.91 10.168.0.94", "10.168.0.91 10.168.0.95")
		write("conf.d/more.conf", service(92, "10.168.0.94"))
		has("with another file", "10.168.0.91 10.168.0.94", "10.168.0.91 10.168.0.95", "10.168.0.92 10.168.0.94")
		write("conf.d/more.conf", "}\n")
		has("with a broken file", "10.168.0.91 10.168.0.94", "10.168.0.91 10.168.0.95", "10.168.0.92 10.168.0.94")
		interrupt()
		expect(t, <-ended, 0, filepath.Join(folder, "conf.d/more.conf")+":1:1: this } ends no block")
	})
}

func TestRunRefused(t *testing.T) {
	good := filepath.Join(t.TempDir(), "table.yaml")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	for path, text := range map[string]string{good: runTable, bad: "version: 2\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, _ := simulated(t, "")
	for args, why := range map[string]string{
		"-netns sim":                                            "FILE is missing",
		"-netns sim " + good + " " + good:                       "Run 'lvs help run'",
		"-netns sim -":                                          "name a file",
		"-netns sim " + bad:                                     bad + ":1:10",
		"-netns sim /does/not/exist":                            "/does/not/exist",
		"-netns sim " + t.TempDir():                             "directory",
		"-netns sim -shared " + good:                            "-shared needs -state",
		"-netns sim -max-removal 2 " + good:                     "-max-removal is a share",
		"-netns sim -resync -1s " + good:                        "Resync",
		"-netns sim -metrics nowhere " + good:                   "name another address",
		"-netns nosuch " + good:                                 "nosuch",
		"-netns sim -state " + t.TempDir() + " -shared " + good: "not a regular file",
	} {
		expect(t, runWith(ctx, "", append([]string{"run"}, strings.Fields(args)...)...), 1, why)
	}
}

// Without a file, the demo shows how what another program changes is put right.
func TestRunDemo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		got := runWith(ctx, "", "run", "-demo")
		expect(t, got, 0, "repaired")
		expect(t, got, 0, "in sync with 9 services and 22 real servers")
	})
}
