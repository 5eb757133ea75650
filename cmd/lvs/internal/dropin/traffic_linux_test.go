package dropin

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// With traffic, connections and counters are listed as ipvsadm does.
func TestTraffic(t *testing.T) {
	testbed.InKernel(t)
	s := newSide(t)
	s.ns.Commands("ip addr add 10.9.9.9/32 dev lo", "ip -6 addr add 2001:db8::9/128 dev lo nodad")
	for _, line := range []string{
		"-A -t 10.9.9.9:80 -p 3700", "-a -t 10.9.9.9:80 -r 127.0.0.1 -m",
		"-A -u 10.9.9.9:53", "-a -u 10.9.9.9:53 -r 127.0.0.1 -m",
		"-A -u 10.9.9.9:5060 -p 70 --pe sip", "-a -u 10.9.9.9:5060 -r 127.0.0.1 -m",
		"-A -u [2001:db8::9]:53 -p 70", "-a -u [2001:db8::9]:53 -r [::1]:5353 -m",
	} {
		if got := s.ours("", strings.Fields(line)...); got.status != 0 {
			t.Fatal(line, got)
		}
	}
	err := s.ns.Do(func() error {
		send("udp", "10.9.9.9:53", 4000) // more than 100,000,000 bytes
		send("udp", "[2001:db8::9]:53", 1)
		send("tcp", "10.9.9.9:80", 1)
		send("udp", "10.9.9.9:5060", 1)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(60 * time.Second)
	for s.bytes() < 1e8 { // the kernel publishes counters every two seconds
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes were counted", s.bytes())
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, line := range []string{
		"-Ln", "-Lnc", "-Lc", "-Lnc --persistent-conn", "-Lc --persistent-conn", "-Ln --stats", "-L --stats --exact",
		"-Ln --stats -u 10.9.9.9:53", "-Ln --rate", "-Ln --rate --exact", "-Ln --persistent-conn", "-Ln --thresholds",
	} {
		for {
			before, got, after := s.ipvsadm("", strings.Fields(line)...), s.ours("", strings.Fields(line)...), s.ipvsadm("", strings.Fields(line)...)
			if before == after && before == got {
				t.Logf("%s\n%s", line, got.out)
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s\nipvsadm\n%s\nhere\n%s", line, before, got)
			}
			time.Sleep(50 * time.Millisecond) // time passed, and counters were published, between them
		}
	}
}

// bytes returns the most that came for a service.
func (s *side) bytes() (most uint64) {
	s.t.Helper()
	table, err := s.host.Client().Snapshot(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range table.Services {
		most = max(most, e.Stats.InBytes)
	}
	return most
}

// send sends packets, whether or not they arrive.
func send(network, to string, packets int) {
	c, err := net.Dial(network, to)
	if err != nil {
		return
	}
	defer c.Close()
	text := []byte("INVITE sip:x@y SIP/2.0\r\nCall-ID: abc@10.0.0.1\r\n\r\n" + fmt.Sprintf("%60000s", ""))
	if strings.HasSuffix(to, ":5060") {
		text = text[:60]
	}
	for range packets {
		c.Write(text)
	}
}
