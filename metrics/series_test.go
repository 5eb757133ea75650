package metrics

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// A series that was forgotten, because its real server had another name for long, gets
// what is counted afterwards, while it is shown and while it is not.
func TestForgottenSeriesBeginsAgain(t *testing.T) {
	first := "a"
	s := newScene(t, Options{ServerCounters: true, Servers: BusiestServers(1), ServerName: func(_ lvs.ServiceID, server netip.AddrPort) string {
		if server.Addr() == netip.MustParseAddr("10.1.0.1") {
			return first
		}
		return "other"
	}})
	s.add("tcp://10.0.0.1:80", "10.1.0.1:80")
	s.add("tcp://10.0.0.2:80", "10.1.0.2:80")
	shows := func(vip, server string, count int) {
		t.Helper()
		s.now = s.now.Add(stay)
		want := fmt.Sprintf("lvs_real_server_connections_total{real_server=%q,service=\"tcp://%s\"} %d\n", server, vip, count)
		s.want(want, "lvs_real_server_connections_total")
	}
	s.connect(2, "10.0.0.1:80")
	shows("10.0.0.1:80", "a", 2)
	s.connect(8, "10.0.0.2:80")
	shows("10.0.0.2:80", "other", 8)
	first = "b"
	for range 2 * memory / time.Minute {
		s.now = s.now.Add(time.Minute)
		s.text()
	}
	first = "a"
	s.connect(30, "10.0.0.1:80")
	shows("10.0.0.1:80", "a", 30)
	s.connect(100, "10.0.0.2:80")
	shows("10.0.0.2:80", "other", 108)
	s.connect(5, "10.0.0.1:80")
	s.text()
	s.connect(300, "10.0.0.1:80")
	shows("10.0.0.1:80", "a", 335)
}
