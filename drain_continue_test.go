package lvs

import (
	"context"
	"encoding/json"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// The real servers of a drained service get no connections, and the service stays until
// the last one has ended.
func TestDrainService(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		conn := drainConn(t, sim)
		d, err := c.BeginServiceDrain(t.Context(), webID, DrainOptions{Timeout: time.Hour})
		must(t, err)
		if _, err := sim.Connect(drainFlow(99)); err == nil {
			t.Error("a new connection was forwarded")
		}
		must(t, conn.Send(1))
		time.AfterFunc(time.Minute, func() { _ = conn.Reset() })
		_, ended, err := c.AwaitDrains(t.Context(), []Drain{d})
		must(t, err)
		if len(ended) != 1 || ended[0].Reason != DrainedConns {
			t.Fatalf("ended: %v", ended)
		}
		if all, err := c.Services(t.Context()); err != nil || len(all) != 0 {
			t.Errorf("the services are %v, %v", all, err)
		}
	})
}

// A drain that was saved goes on in another process, with the time that it has left.
func TestDrainRestart(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		drainConn(t, sim)
		d, err := c.BeginDrain(t.Context(), webID, webRIP, DrainOptions{Timeout: time.Minute})
		must(t, err)
		text, err := json.Marshal(d)
		must(t, err)
		time.Sleep(50 * time.Second) // nothing runs
		var saved Drain
		must(t, json.Unmarshal(text, &saved))
		began := time.Now()
		_, ended, err := sim.Client().AwaitDrains(t.Context(), []Drain{saved})
		must(t, err)
		drainEnded(t, c, ended[0], DrainedDeadline, drainRest)
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("it went on for %s, want the 10s that were left", waited)
		}
	})
}

// One reading is enough for all drains of a service, and other services are not read.
func TestContinueDrainsReads(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		must(t, c.Do(t.Context(), AddService(Service{ID: dnsID}), AddRealServer(dnsID, NewRealServer(netip.MustParseAddrPort("10.2.0.2:53"), DR()))))
		drainConn(t, sim)
		var drains []Drain
		for _, addr := range []netip.AddrPort{webRIP, webRIP2} {
			d, err := c.BeginDrain(t.Context(), webID, addr, DrainOptions{Timeout: time.Minute})
			must(t, err)
			drains = append(drains, d)
		}
		calls := 0
		must(t, sim.Inject(SimFault{Times: 1000, Before: func() { calls++ }}))
		left, ended, err := c.ContinueDrains(t.Context(), drains)
		must(t, err)
		if calls != 1 || len(left) != 2 || len(ended) != 0 {
			t.Errorf("%d calls, %v left, %v ended", calls, left, ended)
		}
		if _, err := c.BeginDrain(t.Context(), webID, webRIP, DrainOptions{Timeout: time.Minute}); err != nil || calls != 2 {
			t.Errorf("draining what has weight 0 already: %d calls, want the reading alone; %v", calls-1, err)
		}
	})
}

// What cannot be removed is left, with the reason, and the others end.
func TestContinueDrainsRefused(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		one, err := c.BeginDrain(t.Context(), webID, webRIP, DrainOptions{Timeout: time.Minute})
		must(t, err)
		other, err := c.BeginDrain(t.Context(), webID, webRIP2, DrainOptions{Timeout: time.Minute})
		must(t, err)
		must(t, sim.Inject(SimFault{Op: OpRemoveRealServer, Errno: EPERM}))
		left, ended, err := c.ContinueDrains(t.Context(), []Drain{one, other})
		ofKind(t, "the removal that is refused", err, ErrPermission)
		compare(t, "left", []Drain{one}, left)
		drainEnded(t, c, ended[0], DrainedConns, RealServer{Addr: webRIP})

		remove := func() { must(t, sim.Client().RemoveRealServer(context.Background(), webID, webRIP)) }
		must(t, sim.Inject(SimFault{Op: OpRemoveRealServer, Before: remove}))
		left, ended, err = c.ContinueDrains(t.Context(), left)
		must(t, err)
		if len(left) != 0 || len(ended) != 1 || ended[0].Reason != DrainGoneAlready {
			t.Errorf("removed by another at the same time: %v left, %v ended", left, ended)
		}
	})
}

// Trouble that passes does not end the wait, and other trouble does.
func TestAwaitDrainsErrors(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		d, err := c.BeginDrain(t.Context(), webID, webRIP, DrainOptions{Timeout: time.Minute})
		must(t, err)
		must(t, sim.Inject(SimFault{Op: OpListRealServers, Errno: EPERM}))
		left, _, err := c.AwaitDrains(t.Context(), []Drain{d})
		ofKind(t, "refused", err, ErrPermission)
		must(t, sim.Inject(SimFault{Op: OpListRealServers, Errno: ENOMEM, Times: 3}))
		must(t, sim.Inject(SimFault{Op: OpRemoveRealServer, Errno: ENOMEM, Times: 3}))
		began := time.Now()
		_, ended, err := c.AwaitDrains(t.Context(), left)
		must(t, err)
		drainEnded(t, c, ended[0], DrainedConns, drainRest)
		if waited := time.Since(began); waited != 6*drainInterval {
			t.Errorf("it waited %s, want 6 intervals", waited)
		}
	})
}

// A drain of which it is not known whether it began can be taken back.
func TestDrainUnknown(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		must(t, sim.Inject(SimFault{Op: OpUpdateRealServer, LoseReply: true}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d, err := c.BeginDrain(ctx, webID, webRIP, DrainOptions{Timeout: time.Minute})
		ofKind(t, "without a reply", err, context.DeadlineExceeded)
		drainLeft(t, c, RealServer{Addr: webRIP}, drainRest)
		must(t, c.TakeBackDrain(t.Context(), d))
		drainLeft(t, c, RealServer{Addr: webRIP, Weight: 3}, drainRest)

		must(t, sim.Inject(SimFault{Op: OpUpdateRealServer, Errno: EPERM}))
		d, err = c.BeginServiceDrain(t.Context(), webID, DrainOptions{Timeout: time.Minute})
		ofKind(t, "one of two refused", err, ErrPermission)
		drainLeft(t, c, RealServer{Addr: webRIP, Weight: 3}, RealServer{Addr: webRIP2})
		must(t, c.TakeBackDrain(t.Context(), d))

		must(t, sim.Inject(SimFault{Op: OpUpdateRealServer, Errno: EPERM}))
		end, err := c.Drain(t.Context(), webID, webRIP, DrainOptions{Timeout: time.Minute})
		ofKind(t, "refused", err, ErrPermission)
		compare(t, "the end of what did not begin", DrainEnd{}, end)
		drainLeft(t, c, RealServer{Addr: webRIP, Weight: 3}, drainRest)
	})
}

// Mistakes are refused before anything is read or changed.
func TestDrainInvalid(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		ctx, good := t.Context(), DrainOptions{Timeout: time.Minute}
		for what, drain := range map[string]func() error{
			"no timeout":  func() error { _, err := c.Drain(ctx, webID, webRIP, DrainOptions{}); return err },
			"negative":    func() error { _, err := c.DrainService(ctx, webID, DrainOptions{Timeout: -1}); return err },
			"no service":  func() error { _, err := c.Drain(ctx, ServiceID{}, webRIP, good); return err },
			"no services": func() error { _, err := c.DrainService(ctx, ServiceID{}, good); return err },
			"no deadline": func() error { _, _, err := c.ContinueDrains(ctx, []Drain{{Service: webID}}); return err },
			"zero drain":  func() error { return c.TakeBackDrain(ctx, Drain{}) },
		} {
			ofKind(t, what, drain(), ErrInvalid)
		}
		for _, addr := range []netip.AddrPort{{}, netip.MustParseAddrPort("10.2.0.99:80")} {
			_, err := c.Drain(ctx, webID, addr, good)
			ofKind(t, "unknown server", err, ErrNoRealServer)
		}
		_, err := c.DrainService(ctx, dnsID, good)
		ofKind(t, "unknown service", err, ErrNoService)
		drainLeft(t, c, RealServer{Addr: webRIP, Weight: 3}, drainRest)
	})
}

// Several drains end each in its own time, each noticed within a second.
func TestAwaitDrains(t *testing.T) {
	inDrainTime(t, drainWeb, func(t *testing.T, sim *Simulator, c *Client) {
		drainConn(t, sim)
		var drains []Drain
		for addr, timeout := range map[netip.AddrPort]time.Duration{webRIP: 100 * time.Second, webRIP2: time.Hour} {
			d, err := c.BeginDrain(t.Context(), webID, addr, DrainOptions{Timeout: timeout})
			must(t, err)
			drains = append(drains, d)
		}
		time.AfterFunc(7*time.Second, func() { _ = c.SetWeight(context.Background(), webID, webRIP2, 9) })
		began := time.Now()
		left, ended, err := c.AwaitDrains(t.Context(), drains)
		must(t, err)
		if len(left) != 0 || len(ended) != 2 {
			t.Fatalf("%v left, %v ended", left, ended)
		}
		for i, want := range []struct {
			reason DrainReason
			after  time.Duration
		}{{DrainTakenBack, 7 * time.Second}, {DrainedDeadline, 100 * time.Second}} {
			if late := ended[i].Ended.Sub(began) - want.after; ended[i].Reason != want.reason || late < 0 || late >= time.Second {
				t.Errorf("end %d: %v, %s late", i, ended[i], late)
			}
		}
		synctest.Wait()
		drainLeft(t, c, RealServer{Addr: webRIP2, Weight: 9})
	})
}
