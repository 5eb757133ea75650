package healthtest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/health/healthtest"
)

var web = netip.MustParseAddrPort("10.168.0.94:80")

// hello is a server that says so, by each protocol.
func hello() healthtest.Server {
	return healthtest.Server{
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }),
		UDP:  func(request []byte, reply func([]byte)) { reply(append([]byte("hello "), request...)) },
	}
}

// network is one with a server.
func network(t *testing.T, s healthtest.Server, script string) *healthtest.Network {
	t.Helper()
	var err error
	if s.Script, err = healthtest.ParseScript(script); err != nil {
		t.Fatal(err)
	}
	n := healthtest.New()
	if err := n.Serve(web, s); err != nil {
		t.Fatal(err)
	}
	return n
}

type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// get asks for a page, within a second.
func get(t *testing.T, n dialer, url string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	tr := &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		return resp.Status, nil
	}
	return string(body), err
}

// ask sends a datagram, and waits for a second.
func ask(t *testing.T, n dialer, network, address string, datagram []byte) ([]byte, error) {
	t.Helper()
	c, err := n.DialContext(t.Context(), network, address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(datagram); err != nil {
		return nil, err
	}
	p := make([]byte, 1500)
	k, err := c.Read(p)
	return p[:k], err
}

// outcome is what a client made of an answer.
func outcome(err error) string {
	var timeout net.Error
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "reset"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	}
	return err.Error()
}

func TestBehaviours(t *testing.T) {
	echo := []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}
	for _, c := range []struct {
		script, http, udp, icmp string
		took                    time.Duration // of HTTP
	}{
		{"", "hello", "ok", "ok", 0},
		{"0s answer", "hello", "ok", "ok", 0},
		{"0s hang", "timeout", "timeout", "ok", time.Second},
		{"0s blackhole", "timeout", "timeout", "timeout", time.Second},
		{"0s refuse", "refused", "refused", "ok", 0},
		{"0s reset", "reset", "ok", "ok", 0},
		{"0s endless", "timeout", "ok", "ok", time.Second},
		{"0s slow 300ms", "hello", "ok", "ok", 300 * time.Millisecond},
		{"0s slow 2s", "timeout", "timeout", "ok", time.Second},
		{"0s status 500", "500 Internal Server Error", "ok", "ok", 0},
		{"0s flap 1m", "refused", "refused", "ok", 0},
		{"0s novip", "hello", "ok", "ok", 0},
		{"0s tunneldown", "hello", "ok", "ok", 0},
		{"1s refuse", "hello", "ok", "ok", 0},
	} {
		t.Run(c.script, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := network(t, hello(), c.script)
				start := time.Now()
				got, err := get(t, n, "http://"+web.String()+"/")
				if err != nil {
					got = outcome(err)
				}
				if took := time.Since(start); got != c.http || took != c.took {
					t.Errorf("HTTP: %s after %s, want %s after %s", got, took, c.http, c.took)
				}
				n = network(t, hello(), c.script)
				answer, err := ask(t, n, "udp", web.String(), []byte("you"))
				if got := outcome(err); got != c.udp || err == nil && string(answer) != "hello you" {
					t.Errorf("UDP: %s, %q, want %s", got, answer, c.udp)
				}
				n = network(t, hello(), c.script)
				answer, err = ask(t, n, "ip4:icmp", web.Addr().String(), echo)
				if got := outcome(err); got != c.icmp || err == nil && (len(answer) != 28 || answer[20] != 0 || answer[22] != 0xff) {
					t.Errorf("ICMP: %s, % x, want %s", got, answer, c.icmp)
				}
				synctest.Wait()
			})
		})
	}
}

// Where nothing is served, packets get lost, or are refused if the host is there.
func TestNoServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network(t, healthtest.Server{}, "")
		for address, want := range map[string]string{"10.168.0.94:81": "refused", "10.168.0.95:80": "timeout"} {
			if _, err := get(t, n, "http://"+address+"/"); outcome(err) != want {
				t.Errorf("%s: %v, want %s", address, err, want)
			}
		}
		if _, err := ask(t, n, "udp", web.String(), nil); outcome(err) != "refused" {
			t.Errorf("UDP: %v", err)
		}
		for _, c := range [][2]string{{"tcp", "nowhere"}, {"unix", "/run/x"}, {"ip4:icmp", "10.168.0.94:80"}, {"ip6:icmp", "10.168.0.94"}, {"ip4:icmp", "2001:db8::1"}, {"ip4:tcp", "10.168.0.94"}} {
			if c, err := n.DialContext(t.Context(), c[0], c[1]); err == nil {
				t.Errorf("%s: connected", c.RemoteAddr())
			}
		}
		n.Remove(web)
		if _, err := get(t, n, "http://"+web.String()+"/"); outcome(err) != "timeout" {
			t.Errorf("removed: %v", err)
		}
		start := time.Now()
		if _, err := n.DialContext(t.Context(), "tcp", web.String()); !errors.Is(err, syscall.ETIMEDOUT) || time.Since(start) != 127*time.Second {
			t.Errorf("without a deadline: %v after %s", err, time.Since(start))
		}
	})
}

// greeter says hello, and then repeats lines.
func greeter(c net.Conn) {
	_, _ = io.WriteString(c, "hello\n")
	for in := bufio.NewScanner(c); in.Scan(); {
		if _, err := io.WriteString(c, in.Text()+"\n"); err != nil {
			return
		}
	}
}

// An open connection notices what its server does: silence, and its end.
func TestOpenConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network(t, healthtest.Server{TCP: greeter}, "10s hang; 20s answer; 30s refuse; 40s answer")
		c, err := n.DialContext(t.Context(), "tcp", web.String())
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewReader(c)
		start := time.Now()
		say := func(want string, after time.Duration) {
			t.Helper()
			got, err := lines.ReadString('\n')
			if strings.TrimSpace(got) != want || time.Since(start) != after {
				t.Fatalf("got %q after %s, want %q after %s: %v", got, time.Since(start), want, after, err)
			}
			_, _ = io.WriteString(c, time.Since(start).String()+"\n")
		}
		say("hello", 0)
		say("0s", 0)
		time.Sleep(12 * time.Second)
		say("0s", 12*time.Second) // it had arrived
		say("12s", 20*time.Second)
		say("20s", 20*time.Second)
		if got, err := lines.ReadString('\n'); got != "20s\n" || err != nil {
			t.Fatal(got, err)
		}
		if _, err := lines.ReadString('\n'); outcome(err) != "reset" || time.Since(start) != 30*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		c.Close()
		time.Sleep(10 * time.Second)
		if c, err := n.DialContext(t.Context(), "tcp", web.String()); err != nil {
			t.Error(err)
		} else {
			c.Close()
		}
		synctest.Wait()
		if attempts, open := n.Dialled(web); attempts != 2 || open != 0 {
			t.Errorf("%d attempts, %d open", attempts, open)
		}
	})
}

// A connection that was reset stays so, whatever its server does next.
func TestResetStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, script := range []string{"10s refuse; 20s hang", "10s reset; 20s blackhole", "10s refuse; 20s answer", "0s slow 20s; 10s reset; 15s hang"} {
			n := network(t, healthtest.Server{}, script)
			c, err := n.DialContext(t.Context(), "tcp", web.String())
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(30 * time.Second)
			_ = c.SetDeadline(time.Now().Add(time.Second))
			if _, err := c.Read(make([]byte, 1)); outcome(err) != "reset" {
				t.Errorf("%s: %v", script, err)
			}
			c.Close()
			n.Close()
		}
	})
}

// Set replaces the script, and reaches open connections as well.
func TestSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network(t, healthtest.Server{TCP: greeter}, "1h refuse")
		c, err := n.DialContext(t.Context(), "tcp", web.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = bufio.NewReader(c).ReadString('\n')
		if err := n.Set(web, healthtest.Refuse()); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); outcome(err) != "reset" {
			t.Errorf("the connection goes on: %v", err)
		}
		if got := n.Behaviour(web); got != healthtest.Refuse() {
			t.Errorf("it does %s", got)
		}
		if err := n.Set(netip.MustParseAddrPort("10.168.0.95:80"), healthtest.Hang()); err == nil {
			t.Error("a server that does not exist behaves")
		}
		if err := n.Set(web, healthtest.Slow(-1)); err == nil {
			t.Error("a server is slow by a negative time")
		}
		if err := n.Serve(web, healthtest.Server{Script: healthtest.Script{{At: -1}}}); err == nil {
			t.Error("a script begins too early")
		}
		if err := n.Serve(netip.MustParseAddrPort("10.168.0.94:0"), healthtest.Server{}); err == nil {
			t.Error("a server has port 0")
		}
	})
}

// A connection has the deadlines and the window of a real one, and can be closed at any
// moment.
func TestConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := network(t, healthtest.Server{TCP: func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, 1000)); err != nil {
					return
				}
			}
		}}, "0s hang")
		c, err := n.DialContext(t.Context(), "tcp", web.String())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		_ = c.SetReadDeadline(start.Add(time.Second))
		time.AfterFunc(500*time.Millisecond, func() { _ = c.SetReadDeadline(start.Add(3 * time.Second)) })
		if _, err := c.Read(make([]byte, 1)); outcome(err) != "timeout" || time.Since(start) != 3*time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		sent := 0
		for err == nil {
			var k int
			k, err = c.Write(make([]byte, 1000))
			sent += k
		}
		if outcome(err) != "timeout" || sent != 64<<10 {
			t.Errorf("sent %d bytes to a server that does not read: %v", sent, err)
		}
		time.AfterFunc(time.Second, func() { c.Close() })
		_ = c.SetReadDeadline(time.Time{})
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("read after Close: %v", err)
		}
		if err := c.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed twice: %v", err)
		}
	})
}
