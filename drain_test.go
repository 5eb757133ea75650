package lvs

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// inDrainTime runs a test in fake time, on simulators that follow it and count
// connections in both of the kernel's ways, with a service of two real servers.
func inDrainTime(t *testing.T, s Service, test func(t *testing.T, sim *Simulator, c *Client)) {
	t.Helper()
	for _, kernel := range []string{"6.1.176", "7.2.7"} {
		t.Run(kernel, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, err := NewSimulator(SimOptions{Kernel: kernel, Clock: time.Now})
				must(t, err)
				c := sim.Client()
				defer c.Close()
				must(t, c.Do(t.Context(), AddService(s),
					AddRealServer(s.ID, RealServer{Addr: webRIP, Weight: 3}), AddRealServer(s.ID, RealServer{Addr: webRIP2, Weight: 2})))
				test(t, sim, c)
			})
		})
	}
}

var drainWeb = Service{ID: webID, Scheduler: RR}

// drainFlow is the flow of a client's first connection.
func drainFlow(client int) Flow {
	return Flow{Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, 0, byte(client)}), 1000), VIP: webID.AddrPort()}
}

// drainConn opens a connection to webRIP.
func drainConn(t *testing.T, sim *Simulator) *SimConn {
	t.Helper()
	for client := range 10 {
		conn, err := sim.Connect(drainFlow(client))
		must(t, err)
		if conn.Server() == webRIP {
			return conn
		}
	}
	t.Fatalf("no connection reaches %s", webRIP)
	return nil
}

// drained is what a drain returned.
type drained struct {
	end DrainEnd
	err error
}

// drainLater drains webRIP in a goroutine, and returns when it waits.
func drainLater(ctx context.Context, c *Client, o DrainOptions) <-chan drained {
	done := make(chan drained, 1)
	go func() {
		end, err := c.Drain(ctx, webID, webRIP, o)
		done <- drained{end, err}
	}()
	synctest.Wait()
	return done
}

// drainEnded checks how and when a drain ended, and what is left.
func drainEnded(t *testing.T, c *Client, end DrainEnd, want DrainReason, servers ...RealServer) {
	t.Helper()
	if end.Reason != want {
		t.Errorf("got %q, want %q: %s", end.Reason, want, end)
	}
	drainLeft(t, c, servers...)
}

// drainLeft checks the real servers that webID has.
func drainLeft(t *testing.T, c *Client, want ...RealServer) {
	t.Helper()
	live, err := c.RealServers(context.WithoutCancel(t.Context()), webID)
	must(t, err)
	got := []RealServer{}
	for _, s := range live {
		got = append(got, s.RealServer)
	}
	compare(t, "real servers", append([]RealServer{}, want...), got)
}

// drainRest is the real server that is not drained.
var drainRest = RealServer{Addr: webRIP2, Weight: 2}

// New connections go elsewhere, established ones continue, and the end is noticed
// within a second. The kernel remembers connections for a while after their end.
func TestDrain(t *testing.T) {
	for name, last := range map[string]struct {
		end        func(*SimConn) error
		remembered time.Duration
	}{"reset": {(*SimConn).Reset, 10 * time.Second}, "closed": {(*SimConn).Close, 2 * time.Minute}} {
		t.Run(name, func(t *testing.T) {
			inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
				conn := drainConn(t, sim)
				done := drainLater(t.Context(), c, DrainOptions{Timeout: time.Hour})
				drainLeft(t, c, RealServer{Addr: webRIP}, drainRest)
				for n := range 10 {
					other, err := sim.Connect(drainFlow(100 + n))
					must(t, err)
					if other.Server() != webRIP2 {
						t.Fatal("a new connection reached the real server that drains")
					}
				}
				time.Sleep(7*time.Minute + 77*time.Millisecond)
				must(t, conn.Send(100))
				must(t, last.end(conn))
				gone := time.Now().Add(last.remembered)
				got := <-done
				must(t, got.err)
				drainEnded(t, c, got.end, DrainedConns, drainRest)
				if late := time.Since(gone); late < 0 || late >= time.Second {
					t.Errorf("the end was noticed after %s", late)
				}
			})
		})
	}
}

// A real server without connections is removed at once.
func TestDrainIdle(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, _ *Simulator, c *Client) {
		began := time.Now()
		end, err := c.Drain(t.Context(), webID, webRIP, DrainOptions{Timeout: time.Hour})
		must(t, err)
		drainEnded(t, c, end, DrainedConns, drainRest)
		if waited := time.Since(began); waited != 0 {
			t.Errorf("it waited %s", waited)
		}
	})
}

// The deadline is exact, and the end says how many connections were cut: their packets
// are dropped, or refused with expire_nodest_conn.
func TestDrainDeadline(t *testing.T) {
	for expire, want := range map[string]Action{"0": ActionDropped, "1": ActionPassed} {
		t.Run("expire_nodest_conn="+expire, func(t *testing.T) {
			inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
				must(t, sim.Host().SetSysctl(t.Context(), SysctlExpireNoDestConn, expire))
				conn := drainConn(t, sim)
				began := time.Now()
				end, err := c.Drain(t.Context(), webID, webRIP, DrainOptions{Timeout: 61*time.Second + time.Millisecond})
				must(t, err)
				drainEnded(t, c, end, DrainedDeadline, drainRest)
				if took := time.Since(began); took != 61*time.Second+time.Millisecond || end.Conns != 1 {
					t.Errorf("after %s: %v", took, end)
				}
				var refused *NotForwardedError
				if err := conn.Send(1); !errors.As(err, &refused) || refused.Verdict.Action != want {
					t.Errorf("a packet of the connection that was cut: %v, want %s", err, want)
				}
			})
		})
	}
}

// When its context ends, a drain has not ended: it can be continued, with the time that
// it has left, or be taken back.
func TestDrainInterrupted(t *testing.T) {
	for _, back := range []bool{false, true} {
		inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
			drainConn(t, sim)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			began := time.Now()
			end, err := c.Drain(ctx, webID, webRIP, DrainOptions{Timeout: time.Minute})
			ofKind(t, "interrupted", err, context.DeadlineExceeded)
			drainEnded(t, c, end, "", RealServer{Addr: webRIP}, drainRest)
			if back {
				must(t, c.TakeBackDrain(t.Context(), end.Drain))
				drainLeft(t, c, RealServer{Addr: webRIP, Weight: 3}, drainRest)
				return
			}
			left, ended, err := c.AwaitDrains(t.Context(), []Drain{end.Drain})
			must(t, err)
			if len(left) != 0 || len(ended) != 1 || time.Since(began) != time.Minute {
				t.Fatalf("after %s: %v left, %v ended", time.Since(began), left, ended)
			}
			drainEnded(t, c, ended[0], DrainedDeadline, drainRest)
		})
	}
}

// What another program does to the real server during a drain is noticed, and stays.
func TestDrainByOthers(t *testing.T) {
	readded := RealServer{Addr: webRIP, Weight: 5}
	for name, other := range map[string]struct {
		changes []Change
		reason  DrainReason
		left    []RealServer
	}{
		"weight":  {[]Change{UpdateRealServer(webID, readded)}, DrainTakenBack, []RealServer{readded, drainRest}},
		"removed": {[]Change{RemoveRealServer(webID, webRIP)}, DrainGoneAlready, []RealServer{drainRest}},
		"added again": {
			[]Change{RemoveRealServer(webID, webRIP), AddRealServer(webID, readded)},
			DrainTakenBack, []RealServer{drainRest, readded},
		},
		"service again": {[]Change{RemoveService(webID), AddService(drainWeb)}, DrainGoneAlready, nil},
		"edited": {
			[]Change{UpdateRealServer(webID, RealServer{Addr: webRIP, UpperThreshold: 9}), UpdateService(Service{ID: webID, Scheduler: LC})},
			DrainedConns, []RealServer{drainRest},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
				drainConn(t, sim)
				done := drainLater(t.Context(), c, DrainOptions{Timeout: time.Hour})
				time.Sleep(time.Minute + time.Millisecond) // between two looks, so that none falls between two changes
				must(t, c.Do(t.Context(), other.changes...))
				noticed := time.Now()
				got := <-done
				must(t, got.err)
				drainEnded(t, c, got.end, other.reason, other.left...)
				if late := time.Since(noticed); late >= time.Second && other.reason != DrainedConns {
					t.Errorf("it was noticed after %s", late)
				}
				if got.end.Conns != 0 {
					t.Errorf("nothing was cut: %v", got.end)
				}
			})
		})
	}
}

// Taking back restores weights alone, and only those that are still 0.
func TestTakeBackDrain(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, _ *Simulator, c *Client) {
		ctx, o := t.Context(), DrainOptions{Timeout: time.Hour}
		resting := RealServer{Addr: netip.MustParseAddrPort("10.2.0.9:80")}
		must(t, c.AddRealServer(ctx, webID, resting))
		d, err := c.BeginServiceDrain(ctx, webID, o)
		must(t, err)
		drainLeft(t, c, RealServer{Addr: webRIP}, RealServer{Addr: webRIP2}, resting)
		must(t, c.Do(ctx, UpdateRealServer(webID, RealServer{Addr: webRIP, Mode: NAT(), UpperThreshold: 7}),
			UpdateRealServer(webID, RealServer{Addr: webRIP2, Weight: 8})))
		must(t, c.TakeBackDrain(ctx, d))
		drainLeft(t, c, RealServer{Addr: webRIP, Mode: NAT(), UpperThreshold: 7, Weight: 3}, RealServer{Addr: webRIP2, Weight: 8}, resting)

		d, err = c.BeginDrain(ctx, webID, webRIP, o)
		must(t, err)
		must(t, c.RemoveRealServer(ctx, webID, webRIP))
		ofKind(t, "taking back what is gone", c.TakeBackDrain(ctx, d), ErrNoRealServer)
		must(t, c.RemoveService(ctx, webID))
		ofKind(t, "taking back without the service", c.TakeBackDrain(ctx, d), ErrNoService)
	})
}
