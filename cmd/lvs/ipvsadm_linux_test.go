package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/netspace"
	"github.com/golvs/lvs/internal/testbed"
)

// seedSite is a site on which a script of the seed makes the director.
type seedSite struct {
	script   string // of testdata/seed; "" for director
	director string
	server   string // commands on each real server
	vip      string
	outside  string // the network of client and VIP, if that is not the one of the servers
}

// The seed has no script for tunnels; these commands are as its others.
const tunnelDirector = `ip addr add 10.168.0.91/32 dev eth0
/sbin/ipvsadm -C
/sbin/ipvsadm -A -t 10.168.0.91:80 -s rr
/sbin/ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -i -w 1
/sbin/ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.95:80 -i -w 1
`

const (
	silentVIP = "ip addr add 10.168.0.91/32 dev lo; sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; "
	tunnelEnd = "modprobe ipip 2>/dev/null; ip link set tunl0 up; sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0"
)

var seedSites = map[string]seedSite{
	"dr":  {script: "lvs_dr.sh", server: silentVIP, vip: "10.168.0.91"},
	"nat": {script: "lvs_nat.sh", server: "ip route add default via 10.168.0.90", vip: "192.168.0.11", outside: "192.168.0"},
	"tun": {director: tunnelDirector, server: silentVIP + tunnelEnd, vip: "10.168.0.91"},
}

// The seed's scripts run, unchanged, with this program in the place of /sbin/ipvsadm, and
// what they set up balances HTTP.
func TestSeedScripts(t *testing.T) {
	testbed.InKernel(t)
	for name, site := range seedSites {
		t.Run(name, func(t *testing.T) { site.run(t) })
	}
}

func (s seedSite) run(t *testing.T) {
	wires, err := netspace.NewWires()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { wires.Close() })
	plug := func(ns *testbed.Namespace, network, name, addr string) {
		t.Helper()
		if err := wires.Plug(network, ns.Namespace, strings.ReplaceAll(addr[:len(addr)-3], ".", ""), name); err != nil {
			t.Fatal(err)
		}
		ns.Run("ip", "addr", "add", addr, "dev", name)
		ns.Run("ip", "link", "set", name, "up")
	}
	director, client := testbed.New(t), testbed.New(t)
	plug(director, "lan", "eth0", "10.168.0.90/24")
	if s.outside != "" {
		plug(director, "out", "eth1", s.outside+".11/24")
		plug(client, "out", "eth0", s.outside+".7/24")
	} else {
		plug(client, "lan", "eth0", "10.168.0.7/24")
	}
	for _, addr := range []string{"10.168.0.94", "10.168.0.95"} {
		server := testbed.New(t)
		plug(server, "lan", "eth0", addr+"/24")
		server.Run("sh", "-c", s.server)
		serve(t, server, addr)
	}
	// Only this program has --full.
	t.Log(director.Run("unshare", "-m", "sh", "-ec", `mount --bind "$0" /sbin/ipvsadm; bash "$1"; /sbin/ipvsadm -S --full`, executable(t), s.file(t)))
	counts := map[string]int{}
	for range 8 {
		counts[get(t, client, "http://"+s.vip+"/")]++
	}
	if len(counts) == 0 || counts["10.168.0.94"]+counts["10.168.0.95"] != 8 {
		t.Errorf("answers: %v\n%s", counts, director.Run("ipvsadm", "-Ln"))
	}
	if s.outside == "" && counts["10.168.0.94"] != 4 { // the NAT script is persistent
		t.Errorf("round robin: %v", counts)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

// file returns the path of the script.
func (s seedSite) file(t *testing.T) string {
	t.Helper()
	if s.script != "" {
		path, err := filepath.Abs(filepath.Join("../../testdata/seed", s.script))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := filepath.Join(t.TempDir(), "director.sh")
	if err := os.WriteFile(path, []byte(s.director), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// serve returns a name for each request in a namespace.
func serve(t *testing.T, ns *testbed.Namespace, name string) {
	t.Helper()
	var l net.Listener
	err := ns.Do(func() (err error) {
		l, err = net.Listen("tcp4", ":80")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
}

// get requests a page by a new connection, and returns it.
func get(t *testing.T, ns *testbed.Namespace, url string) (page string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dial := func(ctx context.Context, network, addr string) (c net.Conn, err error) {
		err = ns.Do(func() error {
			c, err = (&net.Dialer{FallbackDelay: -1}).DialContext(ctx, network, addr)
			return err
		})
		return c, err
	}
	c := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// The links run, and what ipvsadm prints of their table they print too.
func TestLinks(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	table := savedTable(3)
	feed(t, ns, "# comments are left out\n"+table, linkTo(t, "ipvsadm-restore"))
	if got := feed(t, ns, "", linkTo(t, "ipvsadm-save"), "-n"); got != table {
		t.Errorf("saved\n%s", got)
	}
	program := linkTo(t, "ipvsadm")
	for _, args := range []string{"-Ln", "-L", "-ln --stats", "-S", "-L --timeout", "-Ln -t 10.1.0.1:80", "-h", "-v"} {
		want := feed(t, ns, "", "/usr/sbin/ipvsadm", strings.Fields(args)...)
		want = strings.ReplaceAll(want, "/usr/sbin/ipvsadm", "ipvsadm")
		if got := feed(t, ns, "", program, strings.Fields(args)...); got != want {
			t.Errorf("%s prints\n%s\nand ipvsadm\n%s", args, got, want)
		}
	}
}
