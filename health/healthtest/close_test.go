package healthtest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/health/healthtest"
)

// Close resets what is open, and leaves nothing that runs: in real time here.
func TestClose(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, does := range []string{"answer", "hang", "slow 1h", "endless", "status 500", "flap 1h", "reset", "blackhole"} {
		waiting := make(chan bool, 1)
		s := healthtest.Server{
			HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				waiting <- true
				<-r.Context().Done()
			}),
			UDP: func([]byte, func([]byte)) {},
		}
		n := network(t, s, "0s "+does)
		ctx, cancel := context.WithCancel(t.Context())
		asked := make(chan error, 1)
		tr := &http.Transport{DialContext: n.DialContext}
		go func() {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+web.String(), nil)
			if err != nil {
				asked <- err
				return
			}
			resp, err := tr.RoundTrip(req)
			if err == nil {
				resp.Body.Close()
			}
			asked <- err
		}()
		datagrams, err := n.DialContext(ctx, "udp", web.String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := datagrams.Write([]byte("you")); err != nil {
			t.Error(err)
		}
		for attempts := 0; attempts == 0; attempts, _ = n.Dialled(web) {
			time.Sleep(time.Millisecond)
		}
		if does == "answer" || does == "hang" || does == "slow 1h" {
			<-waiting // so that a handler is at work
		}
		n.Close()
		if does == "blackhole" {
			cancel() // what was lost is not answered by the end
		}
		if err := <-asked; err == nil && (does == "answer" || does == "hang" || does == "slow 1h") {
			t.Errorf("%s: the request was answered", does)
		}
		if got := n.Behaviour(web); got != healthtest.BlackHole() {
			t.Errorf("%s: the server is still there: %s", does, got)
		}
		cancel()
		datagrams.Close()
		tr.CloseIdleConnections()
	}
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			text := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, text[:runtime.Stack(text, true)])
		}
	}
}

// Close waits for functions, which fail at once: fake time does not pass.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended, answered := false, false
		n := network(t, healthtest.Server{
			TCP: func(c net.Conn) {
				_, err := c.Read(make([]byte, 1))
				ended = outcome(err) == "reset"
			},
			UDP: func([]byte, func([]byte)) { answered = true },
		}, "0s slow 1m")
		c, err := n.DialContext(t.Context(), "tcp", web.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		datagrams, err := n.DialContext(t.Context(), "udp", web.String())
		if err != nil {
			t.Fatal(err)
		}
		defer datagrams.Close()
		_, _ = datagrams.Write(nil)
		start := time.Now()
		n.Close()
		n.Close()
		if !ended || time.Since(start) != 0 {
			t.Errorf("ended: %t, after %s", ended, time.Since(start))
		}
		time.Sleep(time.Hour)
		if answered {
			t.Error("a datagram was answered after Close")
		}
		if err := n.Serve(web, hello()); err != nil {
			t.Fatal(err)
		}
		if got, err := get(t, n, "http://"+web.String()); got != "hello" {
			t.Errorf("served again: %q, %v", got, err)
		}
		if _, err := c.Read(make([]byte, 1)); outcome(err) != "reset" || errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
}
