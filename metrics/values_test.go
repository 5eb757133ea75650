package metrics

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// Connections and templates are counted apart, by state.
func TestStates(t *testing.T) {
	s := newScene(t, Options{States: true})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
	s.add("sctp://10.0.0.1:80", "10.1.0.1:80")
	mark := lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute}}
	s.do(lvs.AddService(mark), lvs.AddRealServer(mark.ID, lvs.NewRealServer(netip.MustParseAddrPort("10.1.0.1:0"), lvs.DR())))
	s.connect(3, "10.0.0.1:80")
	datagram := lvs.SimPacket{
		Protocol: lvs.ProtocolUDP, FWMark: 7, Source: netip.MustParseAddrPort("10.9.0.1:53"), Destination: netip.MustParseAddrPort("10.0.0.2:53"),
	}
	if _, err := s.sim.Deliver(datagram); err != nil {
		t.Fatal(err)
	}
	for labels, n := range map[string]int{
		`kind="connection",protocol="tcp",state="ESTABLISHED"`: 3,
		`kind="connection",protocol="udp",state="UDP"`:         1,
		`kind="template",protocol="ip",state="NONE"`:           1,
	} {
		line := "lvs_connection_entries{" + labels
		s.want(fmt.Sprintf("%s} %d\n", line, n), line)
	}
	if got := s.text("lvs_connection_entries"); strings.Count(got, "\n") != 3 {
		t.Error(got)
	}
}

// No program zeroes the counters of CPUs, and those of all services survive it.
func TestTotalsAndCPUs(t *testing.T) {
	s := newScene(t, Options{Totals: true, CPUs: true, Servers: NoServers()})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
	s.connect(3, "10.0.0.1:80")
	families := []string{"lvs_connections_total", "lvs_incoming_packets_total", "lvs_outgoing_packets_total", "lvs_cpu_connections_total", "lvs_cpu_incoming_packets_total"}
	s.want(`
lvs_connections_total 3
lvs_cpu_connections_total{cpu="0"} 3
lvs_cpu_incoming_packets_total{cpu="0"} 6
lvs_incoming_packets_total 6
lvs_outgoing_packets_total 3
`, families...)
	s.do(lvs.ZeroAllCounters())
	s.connect(1, "10.0.0.1:80")
	s.want(`
lvs_connections_total 4
lvs_cpu_connections_total{cpu="0"} 4
lvs_cpu_incoming_packets_total{cpu="0"} 8
lvs_incoming_packets_total 8
lvs_outgoing_packets_total 4
`, families...)
}

// Services that carry health checks have metrics on request alone, by each way of reading.
func TestProbes(t *testing.T) {
	for _, counters := range []bool{false, true} {
		for _, probes := range []bool{false, true} {
			s := newScene(t, Options{ServerCounters: counters, Probes: probes})
			s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
			s.add("fwmark://1819672576", "10.1.0.1:80")
			if got := strings.Contains(s.text("lvs_"), "1819672576"); got != probes {
				t.Errorf("with counters %t and Probes %t, they are shown: %t", counters, probes, got)
			}
		}
	}
}
