package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// connsKernel returns a namespace with connections by IPv4 and IPv6, and a template.
func connsKernel(t *testing.T) (ns *testbed.Namespace, netns string) {
	t.Helper()
	ns, netns = kernel(t)
	ns.Dummy("dummy0", "10.1.0.1/16", "10.2.0.1/16", "fd00:1::1/64")
	ns.Commands("ipvsadm -A -u 10.1.0.1:53 -s rr", "ipvsadm -a -u 10.1.0.1:53 -r 10.2.0.2:53 -g", "ipvsadm -a -u 10.1.0.1:53 -r 10.2.0.3:53 -g",
		"ipvsadm -A -u [fd00:1::1]:53 -s rr", "ipvsadm -a -u [fd00:1::1]:53 -r [fd00:1::2]:53 -g",
		"ipvsadm -A -u 10.1.0.1:443 -s rr -p 60 -M 255.255.255.0", "ipvsadm -a -u 10.1.0.1:443 -r 10.2.0.4:443 -g")
	for _, to := range []string{"10.1.0.1:53", "10.1.0.1:53", "10.1.0.1:53", "10.1.0.1:53", "[fd00:1::1]:53", "10.1.0.1:443"} {
		if err := ns.Do(func() error {
			conn, err := net.Dial("udp", to)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write([]byte("x"))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return ns, netns
}

// procKey is what a row of /proc/net/ip_vs_conn begins with.
func procKey(c lvs.Connection) string {
	key := "UDP"
	for _, end := range []netip.AddrPort{c.Client, c.VIP, c.Server} {
		addr := end.Addr().StringExpanded()
		if end.Addr().Is4() {
			addr = fmt.Sprintf("%X", end.Addr().As4())
		}
		key += fmt.Sprintf(" %s %04X", addr, end.Port())
	}
	return key + " " + string(c.State)
}

// TestConnsKernel compares what conns prints with what the kernel lists.
func TestConnsKernel(t *testing.T) {
	ns, netns := connsKernel(t)
	var want, got []string
	if err := ns.Do(func() error {
		text, err := os.ReadFile("/proc/thread-self/net/ip_vs_conn")
		for row := range strings.Lines(string(text)) {
			if words := strings.Fields(row); words[0] != "Pro" {
				want = append(want, strings.Join(words[:8], " "))
			}
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	result := run(t, "", "conns", "-netns", netns, "-o", "json")
	for lines := json.NewDecoder(strings.NewReader(result.out)); lines.More(); {
		var c lvs.Connection
		if err := lines.Decode(&c); err != nil {
			t.Fatal(err)
		}
		got = append(got, procKey(c))
	}
	slices.Sort(want)
	slices.Sort(got)
	if result.status != 0 || len(want) != 7 || !slices.Equal(want, got) {
		t.Errorf("the kernel lists\n%s\nand conns\n%s\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"), result)
	}
	for args, want := range map[string]string{
		"-count server":                                                "CONNECTIONS SERVER 2 10.2.0.2:53 2 10.2.0.3:53 2 10.2.0.4:443 1 [fd00:1::2]:53",
		"-count server -templates no -top 1":                           "CONNECTIONS SERVER 2 10.2.0.2:53",
		"-count server -client 10.1.0.77 -origin local":                "CONNECTIONS SERVER 1 10.2.0.4:443",
		"-count state -o json":                                         `{"state":"UDP","connections":6} {"state":"NONE","connections":1}`,
		"-count client -bits4 16 -bits6 64 -service udp://10.1.0.1:53": "CONNECTIONS CLIENT 4 10.1.0.0/16",
		"-count client -bits6 64 -server fd00:1::2":                    "CONNECTIONS CLIENT 1 fd00:1::/64",
		"-origin sync":                                                 "",
	} {
		got := run(t, "", append([]string{"conns", "-netns", netns}, strings.Fields(args)...)...)
		if got.status != 0 || strings.Join(strings.Fields(got.out), " ") != want {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	}
}
