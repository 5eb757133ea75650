package metrics

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
	"golang.org/x/sys/unix"
)

// values are metrics by the text of their names and labels.
type values map[string]float64

// traffic is a namespace of a kernel with services of each kind.
type traffic struct {
	*testing.T
	ns   *testbed.Namespace
	host *lvs.Host
	*Collector
}

// newTraffic has two real servers of one service, of which one has weight 0, a service of
// IPv6, marks of both families, and a local real server that replies.
func newTraffic(t *testing.T) *traffic {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("lan", "10.9.9.1/24", "fd00:9::1/64", "10.1.0.1/32", "fd00:1::1/128")
	host, err := lvs.OpenHost(t.Context(), lvs.InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = host.Client().Flush(context.Background()) // a namespace with services takes long to end
		host.Close()
	})
	ns.Commands("ipvsadm -A -t 10.1.0.1:80 -s rr -p 300 && ipvsadm -a -t 10.1.0.1:80 -r 10.9.9.2 -g && ipvsadm -a -t 10.1.0.1:80 -r 10.9.9.3 -g -w 0" +
		" && ipvsadm -A -u [fd00:1::1]:53 -s rr && ipvsadm -a -u [fd00:1::1]:53 -r [fd00:9::2]:53 -g" +
		" && ipvsadm -A -f 9 -s rr && ipvsadm -a -f 9 -r 10.9.9.2 -g && ipvsadm -A -f 9 -6 -s rr && ipvsadm -a -f 9 -6 -r [fd00:9::2]:0 -g" +
		" && ipvsadm -A -u 10.1.0.1:7 -s rr && ipvsadm -a -u 10.1.0.1:7 -r 10.9.9.1:7 -m")
	c, err := New(host, Options{ServerCounters: true, Totals: true, CPUs: true, States: true, OnError: func(r string, err error) { t.Error(r, err) }})
	if err != nil {
		t.Fatal(err)
	}
	return &traffic{t, ns, host, c}
}

// send sends packets to each service, and waits for the replies of the local real server.
func (k *traffic) send(packets int) {
	k.Helper()
	err := k.ns.Do(func() error {
		echo, err := net.ListenPacket("udp4", "10.9.9.1:7")
		if err != nil {
			return err
		}
		defer echo.Close()
		for _, to := range []struct {
			network, addr string
			mark          int
		}{{"tcp", "10.1.0.1:80", 0}, {"udp", "[fd00:1::1]:53", 0}, {"udp", "10.1.0.1:99", 9}, {"udp", "[fd00:1::1]:99", 9}, {"udp", "10.1.0.1:7", 0}} {
			for range packets {
				if err := sendOne(to.network, to.addr, to.mark, echo); err != nil {
					return fmt.Errorf("%s: %w", to.addr, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		k.Fatal(err)
	}
}

// synOnly begins a connection of which the SYN is lost.
func synOnly(to netip.AddrPort) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != unix.EINPROGRESS {
		return fmt.Errorf("connect: %v", err)
	}
	return nil
}

// sendOne sends a packet from a new port.
func sendOne(network, addr string, mark int, echo net.PacketConn) error {
	if network == "tcp" {
		return synOnly(netip.MustParseAddrPort(addr))
	}
	dialer := net.Dialer{Control: func(_, _ string, c syscall.RawConn) (err error) {
		cerr := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) })
		return cmp.Or(cerr, err)
	}}
	conn, err := dialer.Dial(network, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil || !strings.HasSuffix(addr, ":7") {
		return err
	}
	text, deadline := make([]byte, 9), time.Now().Add(20*time.Second)
	_ = echo.SetDeadline(deadline) // of sockets that are open
	_ = conn.SetDeadline(deadline)
	n, client, err := echo.ReadFrom(text)
	if err != nil {
		return err
	}
	if _, err := echo.WriteTo(text[:n], client); err != nil {
		return err
	}
	_, err = conn.Read(text)
	return err
}

// metrics returns what a scrape shows.
func (k *traffic) metrics() values {
	k.Helper()
	families, err := k.Gather()
	if err != nil {
		k.Fatal(err)
	}
	all := values{}
	for _, f := range families {
		for _, m := range f.Metric {
			key := f.GetName()
			for _, l := range m.Label {
				key += " " + l.GetValue()
			}
			all[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return all
}

var counterNames = []string{"connections", "incoming_packets", "outgoing_packets", "incoming_bytes", "outgoing_bytes"}

// listed returns what ipvsadm and the files of the kernel say, by names of metrics.
func (k *traffic) listed() values {
	k.Helper()
	all := values{}
	k.ipvsadm(func(of string, words []string) {
		for i, name := range counterNames {
			all["lvs_"+strings.Replace(of, " ", "_"+name+"_total ", 1)] = number(k.T, words[i], 10)
		}
	}, "--stats", "--exact")
	k.ipvsadm(func(of string, words []string) {
		if labels, isServer := strings.CutPrefix(of, "real_server "); isServer {
			for i, name := range []string{"weight", "active_connections", "inactive_connections"} {
				all["lvs_real_server_"+name+" "+labels] = number(k.T, words[i+1], 10)
			}
		}
	})
	k.files(all)
	return all
}

// ipvsadm visits what it lists. What of is, "service" or "real_server", has the values of
// the labels behind it. words are behind the address.
func (k *traffic) ipvsadm(visit func(of string, words []string), options ...string) {
	k.Helper()
	service := ""
	for i, line := range strings.Split(k.ns.Run("ipvsadm", append([]string{"-L", "-n"}, options...)...), "\n") {
		words := strings.Fields(line)
		switch {
		case i < 3 || len(words) == 0: // headings
			continue
		case words[0] == "->":
			visit("real_server "+words[1]+" "+service, words[2:])
			continue
		case words[0] != "FWM":
			service = strings.ToLower(words[0]) + "://" + words[1]
		case words[2] != "IPv6":
			service = "fwmark://" + words[1]
		default:
			service = "fwmark6://" + words[1]
			words = words[1:]
		}
		visit("service "+service, words[2:])
	}
}

func number(t *testing.T, text string, base int) float64 {
	t.Helper()
	n, err := strconv.ParseUint(text, base, 64)
	if err != nil {
		t.Fatal(err)
	}
	return float64(n)
}

// files adds what the files in /proc/net say.
func (k *traffic) files(all values) {
	k.Helper()
	file := func(name string, visit func(line int, words []string)) {
		k.Helper()
		for i, line := range strings.Split(k.ns.Run("cat", "/proc/net/"+name), "\n") {
			if words := strings.Fields(line); len(words) > 0 {
				visit(i, words)
			}
		}
	}
	file("ip_vs_stats", func(line int, words []string) {
		for i, name := range counterNames {
			if line == 2 {
				all["lvs_"+name+"_total"] = number(k.T, words[i], 16)
			}
		}
	})
	file("ip_vs_stats_percpu", func(line int, words []string) {
		if line < 2 || len(words) != 6 || words[0] == "~" {
			return
		}
		for i, name := range counterNames {
			all[fmt.Sprintf("lvs_cpu_%s_total %g", name, number(k.T, words[0], 16))] = number(k.T, words[i+1], 16)
		}
	})
	file("ip_vs_conn", func(line int, words []string) {
		kind := "connection"
		if words[2] == "0000" {
			kind = "template"
		}
		if line > 0 {
			all["lvs_connection_entries "+kind+" "+strings.ToLower(words[0])+" "+words[7]]++
		}
	})
}

// compare waits until the collector shows what is listed, with what was counted before
// it was zeroed, and returns what it shows.
func (k *traffic) compare(before values) values {
	k.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		first, got, second := k.listed(), k.metrics(), k.listed()
		differs := ""
		for key, n := range second {
			if is := got[key]; is != n+before[key] {
				differs += fmt.Sprintf("%s: %g, and listed are %g+%g\n", key, is, n, before[key])
			}
		}
		if differs == "" && maps.Equal(first, second) {
			k.Logf("%d values are the same", len(second))
			return got
		}
		if time.Now().After(end) {
			k.Fatalf("what is listed changes, or differs:\n%s", differs)
		}
	}
}

// What a collector shows is what ipvsadm and the kernel's files do, of services, real
// servers with and without a weight, marks, IPv6, CPUs and states. When the counters are
// zeroed, those of the collector go on.
func TestValuesKernel(t *testing.T) {
	k := newTraffic(t)
	k.send(3)
	k.published("before", 3)
	was := k.compare(nil)
	for key, want := range map[string]float64{
		"lvs_real_server_weight 10.9.9.3:80 tcp://10.1.0.1:80":                 0,
		"lvs_real_server_connections_total 10.9.9.3:80 tcp://10.1.0.1:80":      0,
		"lvs_real_server_connections_total 10.9.9.2:0 fwmark://9":              3,
		"lvs_real_server_connections_total [fd00:9::2]:0 fwmark6://9":          3,
		"lvs_real_server_outgoing_packets_total 10.9.9.1:7 udp://10.1.0.1:7":   3,
		"lvs_real_server_persistent_connections 10.9.9.2:80 tcp://10.1.0.1:80": 1,
		"lvs_service_incoming_packets_total udp://[fd00:1::1]:53":              3,
		"lvs_connection_entries template tcp NONE":                             1,
		"lvs_service_real_servers tcp://10.1.0.1:80":                           2,
		"lvs_service_weighted_real_servers tcp://10.1.0.1:80":                  1,
		"lvs_service_persistence_timeout_seconds tcp://10.1.0.1:80":            300,
		"lvs_connections_total":                                                15,
	} {
		if got, ok := was[key]; got != want || !ok {
			t.Errorf("%s: %g, want %g", key, got, want)
		}
	}
	k.ns.Run("ipvsadm", "-Z")
	zeroed := values{}
	for key, n := range was {
		if strings.Contains(key, "_total") && !strings.HasPrefix(key, "lvs_cpu_") {
			zeroed[key] = n
		}
	}
	k.compare(zeroed)
	k.send(2)
	k.published("after", 2)
	k.compare(zeroed)
}

// published waits until the kernel has counted the connections of each service.
func (k *traffic) published(when string, conns float64) {
	k.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		least := conns
		k.ipvsadm(func(of string, words []string) {
			if strings.HasPrefix(of, "service ") {
				least = min(least, number(k.T, words[0], 10))
			}
		}, "--stats", "--exact")
		if least == conns {
			return
		}
		if time.Now().After(end) {
			k.Fatalf("%s -Z, only %g connections of a service were counted", when, least)
		}
	}
}
