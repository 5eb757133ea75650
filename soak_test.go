package lvs

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var soakCalls = flag.Int64("soak.calls", 20_000, "how many calls a soak makes")

// The soak uses one client from many goroutines, most of whose calls have so little
// time that many are given up somewhere on their way. No other call may notice.
const (
	soakCallers = 50
	soakShort   = 0.45 // the share of calls with a deadline
)

func TestSoakSimulator(t *testing.T) {
	sim, err := NewSimulator(SimOptions{})
	must(t, err)
	c := sim.Client()
	defer c.Close()
	newSoak(t, c).run(func() held { return held{goroutines: runtime.NumGoroutine()} })
}

// held counts what a process can leak.
type held struct{ goroutines, threads, descriptors int }

// soak counts how the calls ended.
type soak struct {
	t      *testing.T
	client *Client
	usual  atomic.Int64 // nanoseconds that a call took beside the others, of late

	calls, short, ended, refused, foreign atomic.Int64
}

func newSoak(t *testing.T, c *Client) *soak { return &soak{t: t, client: c} }

// run compares what the process holds after the soak with what it holds after a
// tenth of it, for a first use makes threads that the runtime keeps.
func (s *soak) run(count func() held) {
	callers := make([]*soakCaller, soakCallers)
	for i := range callers {
		callers[i] = newSoakCaller(s, byte(i))
	}
	start := time.Now()
	idle := count()
	s.play(callers, *soakCalls/10)
	idle.threads += soakCallers // as many as may be inside the kernel
	before, memory := s.settle(count, idle), heap()
	s.play(callers, *soakCalls)
	after := s.settle(count, before)
	s.t.Logf("%d calls in %v, a usual one in %v; %d short, %d ended by their contexts; %d refused, %d foreign failures",
		s.calls.Load(), time.Since(start).Round(time.Second), time.Duration(s.usual.Load()), s.short.Load(), s.ended.Load(), s.refused.Load(), s.foreign.Load())
	s.t.Logf("before %+v and %d KiB, after %+v and %d KiB", before, memory>>10, after, heap()>>10)
	if s.refused.Load()+s.foreign.Load() > 0 {
		s.t.Error("calls failed because others ended")
	}
	if s.short.Load() < s.calls.Load()*35/100 || s.ended.Load() < s.short.Load()/20 {
		s.t.Error("too few calls had too little time: nothing was tested")
	}
	if now := heap(); now > memory+memory/2+(4<<20) {
		s.t.Errorf("the heap grew from %d to %d bytes", memory, now)
	}
}

// play makes calls until there were so many in all.
func (s *soak) play(callers []*soakCaller, until int64) {
	var wg sync.WaitGroup
	for _, c := range callers {
		wg.Go(func() {
			for s.calls.Add(1) <= until {
				c.step()
			}
			s.calls.Add(-1)
		})
	}
	wg.Wait()
}

// settle waits until the calls that were given up have come back, and the process
// holds no more than before.
func (s *soak) settle(count func() held, before held) (after held) {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if after = count(); after.isWithin(before) {
			return after
		}
		if time.Now().After(deadline) {
			s.t.Errorf("before %+v, after %+v", before, after)
			return after
		}
	}
}

// isWithin reports whether no more is held than before. The runtime keeps a thread
// for each call that was inside the kernel at the same time, as it happens, and
// the client some sockets for the next calls. What leaks leaks by the hundred.
func (h held) isWithin(before held) bool {
	const spareThreads, spareSockets = 25, 4
	return h.goroutines <= before.goroutines && h.threads <= before.threads+spareThreads &&
		h.descriptors <= before.descriptors+spareSockets
}

// Calls that were given up before they got to the kernel, or wait for a processor,
// hold nothing that others would have to wait for.
func TestGivenUpCallsLeaveOthersAlone(t *testing.T) {
	l := newSimLab(t, SimOptions{})
	l.serve(Service{ID: simWeb, Scheduler: WLC}, DR(), 1, 2, 3, 4)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				short, cancel := context.WithTimeout(ctx, 20*time.Microsecond)
				_, _ = l.client.Service(short, simWeb)
				cancel()
			}
		})
	}
	failed := 0
	var last error
	for range 2000 {
		if _, err := l.client.Service(t.Context(), simWeb); err != nil {
			failed, last = failed+1, err
		}
	}
	stop()
	wg.Wait()
	if failed > 0 {
		t.Errorf("%d of 2000 calls failed: %v", failed, last)
	}
}

// soakCaller is a goroutine with a service of its own, whose real server it keeps
// giving weights, and a second service that comes and goes.
type soakCaller struct {
	*soak
	random *rand.Rand
	id     ServiceID
	server RealServer // as the last change made it
	sure   bool       // no change was given up since
	spare  ServiceID
}

func newSoakCaller(s *soak, number byte) *soakCaller {
	c := &soakCaller{soak: s, random: rand.New(rand.NewPCG(uint64(number), 0)), sure: true}
	vip := netip.AddrFrom4([4]byte{10, 60, 0, number})
	c.id, c.spare = TCP(netip.AddrPortFrom(vip, 80)), TCP(netip.AddrPortFrom(vip, 81))
	c.server = NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, number}), 80), DR())
	must(s.t, s.client.Do(s.t.Context(), AddService(Service{ID: c.id, Scheduler: RR}), AddRealServer(c.id, c.server)))
	return c
}

// step makes one call. Only its own context may be the reason that it fails.
func (c *soakCaller) step() {
	ctx, usual := context.Background(), c.usual.Load()
	isShort := usual > 0 && c.random.Float64() < soakShort
	if isShort {
		limited, cancel := context.WithTimeout(ctx, time.Duration(c.random.Float64()*2*float64(usual)))
		defer cancel()
		c.short.Add(1)
		ctx = limited
	}
	start := time.Now()
	err := c.call(ctx)
	if !isShort {
		c.usual.Store(usual + (int64(time.Since(start))-usual)/16)
	}
	switch {
	case err == nil:
	case isShort && errors.Is(err, context.DeadlineExceeded):
		c.ended.Add(1)
	case errors.Is(err, ErrStuck):
		if c.refused.Add(1) <= 3 {
			c.t.Errorf("refused: %v", err)
		}
	default:
		if c.foreign.Add(1) <= 10 {
			c.t.Errorf("a call with a deadline %t: %v", isShort, err)
		}
	}
}

func (c *soakCaller) call(ctx context.Context) error {
	switch n := c.random.IntN(20); {
	case n < 6:
		return c.setWeight(ctx)
	case n < 9:
		return c.replaceSpare(ctx)
	case n < 14:
		return c.checkService(ctx)
	case n < 19:
		return c.checkWeight(ctx)
	}
	all, err := c.client.Services(ctx)
	if err == nil && len(all) < soakCallers {
		err = fmt.Errorf("%d services are listed", len(all))
	}
	if errors.Is(err, ErrUnstable) {
		err = nil // the table does change all the time
	}
	return err
}

func (c *soakCaller) setWeight(ctx context.Context) error {
	now := c.server
	now.Weight = c.random.IntN(1000)
	err := c.client.UpdateRealServer(ctx, c.id, now)
	var e *Error
	switch {
	case err == nil:
		c.server, c.sure = now, true
	case errors.As(err, &e) && e.Outcome == OutcomeUnknown:
		c.sure = false
	}
	return err
}

// replaceSpare ends with the service there, whatever was before.
func (c *soakCaller) replaceSpare(ctx context.Context) error {
	err := c.client.Do(ctx, RemoveService(c.spare), AddService(Service{ID: c.spare, Scheduler: WRR}))
	var e *BatchError
	if errors.As(err, &e) && len(e.Failures) == 1 && e.Failures[0].Index == 0 && errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (c *soakCaller) checkService(ctx context.Context) error {
	s, err := c.client.Service(ctx, c.id)
	if err == nil && s.ID != c.id {
		err = fmt.Errorf("got the answer to a question for %v", s.ID)
	}
	return err
}

// checkWeight looks whether the last change is the one that counts.
func (c *soakCaller) checkWeight(ctx context.Context) error {
	s, err := c.client.RealServer(ctx, c.id, c.server.Addr)
	if err == nil && c.sure && s.Weight != c.server.Weight {
		err = fmt.Errorf("weight %d, and the last change was to %d", s.Weight, c.server.Weight)
	}
	return err
}
