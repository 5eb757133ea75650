package health

import (
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

func TestAgent(t *testing.T) {
	quick := func(text string) func(net.Conn) {
		return func(c net.Conn) { _, _ = io.WriteString(c, text) }
	}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		probe Agent
		want  Answer
		wrong string
	}{
		{"a share", quick("75%\n"), Agent{}, Answer{Share: 0.75, Reported: true}, ""},
		{"a share behind which nothing ends", says("75%\r"), Agent{}, Answer{Share: 0.75, Reported: true}, ""},
		{"a share that the end ends", quick("up 75%"), Agent{}, Answer{Share: 0.75, Reported: true}, ""},
		{"in parts", func(c net.Conn) {
			for _, part := range []string{"dra", "in", "\ndown\n"} {
				_, _ = io.WriteString(c, part)
				time.Sleep(10 * time.Millisecond)
			}
		}, Agent{}, Answer{Reported: true}, ""},
		{"asked for", lines("", "ready\n"), Agent{Send: "10.1.0.1\n"}, Answer{}, ""},
		{"down", quick("down # no database\n"), Agent{Missing: true}, Answer{}, `it says "down # no database"`},
		{"another protocol", quick("SSH-2.0-OpenSSH_9.2\r\n"), Agent{Missing: true}, Answer{}, `"ssh-2.0-openssh_9.2" is not up,`},
		{"nothing", quick(""), Agent{}, Answer{}, "the agent says nothing"},
		{"an empty line", quick(" \nup\n"), Agent{}, Answer{}, "the agent says nothing"},
		{"nothing, which is right", quick(""), Agent{Missing: true}, Answer{}, ""},
		{"a line that never ends", flood("up ", "up "), Agent{}, Answer{}, `wait for a line: it has more than 1024 bytes: "up up`},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := on(t, c.serve)
			c.probe.Port = target.Addr.Port()
			target.Addr = netip.AddrPortFrom(target.Addr.Addr(), 1) // of the service
			answer, err := c.probe.Probe(seconds(t, 30*time.Second), target)
			checkError(t, err, c.wrong)
			if answer != c.want {
				t.Errorf("%+v, want %+v", answer, c.want)
			}
		})
	}
	checkField(t, Agent{}.validate(), "Port")
}

// An agent that is not there is one thing, and one that hangs is another.
func TestAgentMissing(t *testing.T) {
	absent := on(t, func(net.Conn) {})
	absent.Addr = netip.AddrPortFrom(absent.Addr.Addr(), 1)
	if _, err := (Agent{Port: 1}).Probe(seconds(t, 30*time.Second), absent); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("%v, want a refused connection", err)
	}
	if _, err := (Agent{Port: 1, Missing: true}).Probe(seconds(t, 30*time.Second), absent); err != nil {
		t.Error(err)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []Network{away{}, &pipes{serve: badServers["silent"]}} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := (Agent{Port: 1, Missing: true}).Probe(ctx, over(n)); err == nil {
				t.Errorf("%T: an agent that hangs works", n)
			}
			cancel()
		}
	})
}

// What an agent says becomes the weight of its server.
func TestAgentWeight(t *testing.T) {
	var says atomic.Value
	servers := &pipes{serve: func(c net.Conn) { _, _ = io.WriteString(c, says.Load().(string)) }}
	agent := &Func{Ask: func(ctx context.Context, t Target) (Answer, error) {
		t.Network = servers
		return Agent{Port: 9000}.Probe(ctx, t)
	}}
	says.Store("up 50%\n")
	play(t, lvs.Table{}, tableOf(lvs.WRR, 200), Policy{Checks: []Check{{Probe: agent, Interval: time.Second}}}, func(s *scene) {
		s.sleep(500 * time.Millisecond) // between two probes
		for _, c := range []struct {
			line   string
			after  time.Duration
			weight int
		}{
			{"up 50%\n", time.Second, 100},
			{"drain # new disk\n", time.Second, 0},
			{"75%\n", time.Second, 150},
			{"150%,maxconn:30\n", time.Second, 300},
			{"ready\n", time.Second, 200},
			{"down\n", 2 * time.Second, 200},
			{"down\n", time.Second, 0},
			{"up\n", time.Second, 0},
			{"up\n", time.Second, 200},
		} {
			says.Store(c.line)
			s.sleep(c.after)
			s.is(c.line, map[string]int{"10.1.0.0": c.weight})
		}
	})
}
