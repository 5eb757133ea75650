package keepalived

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/internal/testbed"
	"github.com/google/go-cmp/cmp"
)

// judgedEnv has the configuration that a process of this test judges.
const judgedEnv = "LVS_KEEPALIVED_JUDGED"

// What the checkers of keepalived make of a table is what the policies make of it that are
// read from its configuration.
func TestDuelChecks(t *testing.T) {
	if file := os.Getenv(judgedEnv); file != "" {
		judge(t, file)
		return
	}
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("eth0", "192.0.2.1/24", "192.0.2.9/24", "192.0.2.11/24", "192.0.2.12/24", "192.0.2.13/24", "192.0.2.14/24")
	serveChecked(t, ns)
	client, err := lvs.Open(t.Context(), lvs.InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := duel{ns, client}
	rng := rand.New(rand.NewPCG(*duelSeed, 1))
	for i := range 1 + *duelConfigs/25 {
		t.Run(fmt.Sprint("random", i), func(t *testing.T) { d.playChecks(t, randomChecks(rng, t.TempDir())) })
	}
}

// playChecks lets keepalived check the servers of a configuration, and compares the table
// with what the policies say.
func (d duel) playChecks(t *testing.T, text string) {
	file := filepath.Join(t.TempDir(), "keepalived.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	cmd := exec.Command(os.Args[0], "-test.run", "^TestDuelChecks$")
	cmd.Env = append(os.Environ(), judgedEnv+"="+file)
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := d.ns.Do(cmd.Run); err != nil {
		t.Fatalf("%v\n%s", err, printed.String())
	}
	var want lvs.Table
	line, status, _ := strings.Cut(printed.String(), "\n")
	if err := json.Unmarshal([]byte(line), &want); err != nil {
		t.Fatalf("%v\n%s", err, printed.String())
	}
	stop, log := d.start(t, file)
	time.Sleep(4 * time.Second) // in which each server has been checked
	got := d.await(t, want)
	stop()
	if !got.Equal(want) {
		t.Errorf("%s\n%s\n%s\n(-want +what keepalived made):\n%s", text, log, status, cmp.Diff(strings.Split(want.String(), "\n"), strings.Split(got.String(), "\n")))
	}
	if left := d.await(t, lvs.Table{}); len(left.Services) > 0 {
		t.Fatalf("keepalived has left %s", left)
	}
}

// withoutIdle returns a table without servers of weight 0 where others stand in for them:
// keepalived removes those that work, whose connections go on here.
func withoutIdle(t lvs.Table) lvs.Table {
	for i := range t.Services {
		s := &t.Services[i]
		if slices.ContainsFunc(s.RealServers, func(r lvs.RealServer) bool { return r.Addr.Addr().String() == "192.0.2.1" }) {
			s.RealServers = slices.DeleteFunc(slices.Clone(s.RealServers), func(r lvs.RealServer) bool { return r.Weight == 0 })
		}
	}
	return t
}

// judge prints the table that follows from the checks of a configuration.
func judge(t *testing.T, file string) {
	c, err := ReadFile(file, Options{ID: "here"})
	if err != nil {
		t.Fatal(err)
	}
	m, err := health.New(health.Options{})
	if err == nil {
		err = m.Set(c.Table, c.Policies)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
	defer cancel()
	_ = m.Run(ctx)
	table := m.Table(lvs.Table{})
	scales := map[string]int{}
	for _, s := range m.Status().Services {
		for _, r := range s.Servers {
			scales[fmt.Sprint(s.Service, r.Server)] = r.Weight.Scale
		}
	}
	for _, s := range table.Services {
		for i := range s.RealServers {
			if scale := scales[fmt.Sprint(s.ID, s.RealServers[i].Addr)]; scale > 1 {
				s.RealServers[i].Weight /= scale
			}
		}
	}
	text, err := json.Marshal(withoutIdle(table))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s\n%s\n", text, m.Status())
}

const checkedPage = "<p>all is well</p>\n"

// serveChecked starts a web server on port 80, and name servers that have nothing to say on
// ports 53 and 54 of each server, the second of which refuse to say so.
func serveChecked(t *testing.T, ns *testbed.Namespace) {
	var web net.Listener
	var names []net.PacketConn
	if err := ns.Do(func() (err error) {
		if web, err = net.Listen("tcp", ":80"); err != nil {
			return err
		}
		for i := range 8 {
			conn, err := net.ListenPacket("udp", fmt.Sprintf("192.0.2.%d:%d", 11+i/2, 53+i%2))
			if err != nil {
				return err
			}
			names = append(names, conn)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, checkedPage) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	mux.HandleFunc("/from", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.RemoteAddr, "192.0.2.9:") {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(web) }() // until it is closed
	t.Cleanup(func() { server.Close() })
	for i, conn := range names {
		t.Cleanup(func() { conn.Close() })
		go func() {
			b := make([]byte, 512)
			for {
				n, from, err := conn.ReadFrom(b)
				if err != nil {
					return
				}
				if n > 3 {
					b[2], b[3] = b[2]|0x80, byte(i%2*5) // an answer: nothing, or refused
					_, _ = conn.WriteTo(b[:n], from)
				}
			}
		}()
	}
}

// randomChecks returns a configuration whose servers are checked, some of them with
// files in a folder.
func randomChecks(rng *rand.Rand, folder string) string {
	var b strings.Builder
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	good, bad := fmt.Sprintf("%x", md5.Sum([]byte(checkedPage))), fmt.Sprintf("%x", md5.Sum(nil))
	plain := []string{
		"TCP_CHECK { connect_port 80 }", "TCP_CHECK { connect_port 81 }", "TCP_CHECK {\n connect_port 80\n bindto 192.0.2.9\n}",
		"HTTP_GET {\n connect_port 80\n url { path / } }", "HTTP_GET {\n connect_port 80\n url { path /busy } }",
		"HTTP_GET {\n connect_port 80\n url { path /busy\n status_code 500-599 } }", "HTTP_GET {\n connect_port 80\n url { path /from } }",
		"HTTP_GET {\n connect_port 80\n bindto 192.0.2.9\n url { path /from } }",
		"HTTP_GET {\n connect_port 80\n url { path /\n digest " + good + " } }", "HTTP_GET {\n connect_port 80\n url { path /\n digest " + bad + " } }",
		"HTTP_GET {\n connect_port 80\n url { path /\n regex well } }", "HTTP_GET {\n connect_port 80\n url { path /\n regex bad } }",
		"HTTP_GET {\n connect_port 80\n url { path /\n regex well\n regex_no_match } }", "HTTP_GET {\n connect_port 80\n url { path /\n regex bad\n regex_no_match } }",
		"HTTP_GET {\n connect_port 80\n url { path /\n regex \"\\\\bIS\\\\s[v-x]el{2}<\"\n regex_options caseless } }",
		"HTTP_GET {\n connect_port 80\n url { path /\n regex \"\\bis\\sw\" } }",
		"DNS_CHECK { connect_port 53 }", "DNS_CHECK { connect_port 54 }", "DNS_CHECK {\n connect_port 53\n type DNSKEY\n name example.org }",
		"MISC_CHECK { misc_path \"/bin/sh -c 'exit 0'\" }", "MISC_CHECK { misc_path \"/bin/sh -c 'exit 1'\" }",
		"UDP_CHECK {\n connect_port 53\n connect_timeout 1 }", "UDP_CHECK {\n connect_port 82\n connect_timeout 1 }",
	}
	for i := range 8 {
		isDynamic := rng.IntN(3) == 0
		var services, files strings.Builder
		fmt.Fprintf(&services, "virtual_server 10.0.0.%d 80 {\n protocol TCP\n delay_loop 1\n delay_before_retry 0.2\n connect_timeout 1\n lb_algo %s\n", 1+i, pick("wrr", "wlc", "sed", "nq", "lblc"))
		if !isDynamic {
			// With a hysteresis beyond all weights, keepalived never has the quorum.
			for _, line := range []string{"quorum " + pick("2", "5", "40"), "hysteresis 1", "sorry_server 192.0.2.1 80"} {
				if rng.IntN(2) == 0 {
					services.WriteString(" " + line + "\n")
				}
			}
		}
		if rng.IntN(3) == 0 {
			services.WriteString(" inhibit_on_failure\n")
		}
		for j := range 1 + rng.IntN(4) {
			weight := pick("1", "3", "40", "1000")
			if !isDynamic && j == 0 {
				weight = "1000"
			}
			fmt.Fprintf(&services, " real_server 192.0.2.%d 80 {\n  weight %s\n", 11+j, weight)
			if rng.IntN(3) == 0 {
				services.WriteString("  inhibit_on_failure " + pick("on", "off") + "\n")
			}
			for range rng.IntN(3) {
				services.WriteString(plain[rng.IntN(len(plain))] + "\n")
			}
			if isDynamic && rng.IntN(2) == 0 {
				fmt.Fprintf(&services, "MISC_CHECK {\n misc_path \"/bin/sh -c 'exit %s'\"\n misc_dynamic\n}\n", pick("0", "1", "2", "3", "7", "102", "255"))
			} else if isDynamic {
				name := fmt.Sprintf("f%d.%d", i, j)
				fmt.Fprintf(&files, "track_file %s {\n file %s/%s\n weight %s\n}\n", name, folder, name, pick("1", "-2", "10", "0", "3 reverse"))
				fmt.Fprintf(&services, "FILE_CHECK { track_file %s }\n", name)
				if err := os.WriteFile(filepath.Join(folder, name), []byte(pick("0", "1", "-1", "5", "-30", "0x10")+"\n"), 0o644); err != nil {
					panic(err)
				}
			}
			services.WriteString(" }\n")
		}
		b.WriteString(files.String() + services.String() + "}\n")
	}
	return b.String()
}
