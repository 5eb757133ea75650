package genl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestSendKeepsOrderAndMatchesErrors(t *testing.T) {
	// Every third request fails with an errno that its number makes.
	k := newFakeKernel(func(_ byte, args []byte) (int, [][]byte) {
		if n := host.Uint32(args); n%3 == 0 {
			return 100 + int(n%7), nil
		}
		return 0, nil
	})
	c := open(t, k)
	const n = 5000
	fates, err := send(t.Context(), c, n)
	if err != nil {
		t.Fatal(err)
	}
	for i, args := range k.executed {
		if host.Uint32(args) != uint32(i) {
			t.Fatalf("request %d was executed as number %d", host.Uint32(args), i)
		}
	}
	if len(fates) != n || len(k.executed) != n {
		t.Fatalf("%d fates and %d executed, want %d", len(fates), len(k.executed), n)
	}
	for i, f := range fates {
		if want := i%3 == 0; want != (f.State == Failed) || want && errno(f.Err) != 100+i%7 {
			t.Fatalf("request %d: %+v", i, f)
		}
	}
}

func TestSendBoundsUnansweredRequests(t *testing.T) {
	var most int
	k := newFakeKernel(func(byte, []byte) (int, [][]byte) { return 22, nil })
	k.buffer = 10 * answerCost
	c := open(t, k)
	dial := c.dial
	c.dial = func() (Socket, error) {
		s, err := dial()
		return &countingSocket{Socket: s, most: &most}, err
	}
	c.idle = nil // so that it dials, through the counter
	fates, err := send(t.Context(), c, 1000)
	if err != nil || len(fates) != 1000 || fates[999].State != Failed {
		t.Fatalf("%d fates, error %v", len(fates), err)
	}
	if most != 10 {
		t.Errorf("%d requests were sent at once; 10 errors fit", most)
	}
}

type countingSocket struct {
	Socket
	most *int
}

func (s *countingSocket) Send(b []byte) error {
	n := 0
	for rest := b; len(rest) > 0; rest = rest[host.Uint32(rest):] {
		if host.Uint16(rest[4:]) > controller {
			n++
		}
	}
	*s.most = max(*s.most, n)
	return s.Socket.Send(b)
}

func TestFamilyMovedIsResolvedAgain(t *testing.T) {
	k := newFakeKernel(accept)
	c := open(t, k)
	k.set(func() { k.family++ })
	if fates, err := send(t.Context(), c, 700); fates != nil || err != nil {
		t.Fatalf("after the family moved: %v, %v", fates, err)
	}
	if len(k.executed) != 700 {
		t.Errorf("%d requests were executed, want each once", len(k.executed))
	}
	k.set(func() { k.family++; k.handle = echo })
	if got, err := c.Get(t.Context(), numbered(0)); err != nil || len(got) != 4 {
		t.Errorf("Get after the family moved: %v, %v", got, err)
	}
	k.set(func() { k.family++ })
	all, err := Dump(t.Context(), c, numbered(0), func([]byte) (int, error) { return 1, nil })
	if err != nil || len(all) != 1 {
		t.Errorf("Dump after the family moved: %v, %v", all, err)
	}
}

// The module may be removed again before a request gets to it.
func TestFamilyKeepsMoving(t *testing.T) {
	for _, tt := range []struct {
		moves int
		want  error
	}{{3, nil}, {maxMoves - 1, nil}, {1000, ErrMoving}} {
		k := newFakeKernel(accept)
		c := open(t, k)
		k.set(func() { k.family, k.moves = k.family+1, tt.moves })
		fates, err := send(t.Context(), c, 10)
		if !errors.Is(err, tt.want) || (tt.want != nil) != (len(fates) == 10) {
			t.Errorf("%d moves: %v, %v", tt.moves, fates, err)
		}
		for i, f := range fates {
			if f.State != NotSent || !errors.Is(f.Err, ErrMoving) {
				t.Errorf("%d moves: request %d: %v", tt.moves, i, f)
			}
		}
		if done := len(k.executed); tt.want == nil && done != 10 {
			t.Errorf("%d moves: %d requests were executed", tt.moves, done)
		}
		k.set(func() { k.family, k.moves, k.handle = k.family+1, tt.moves, echo })
		if _, err := c.Get(t.Context(), numbered(0)); !errors.Is(err, tt.want) {
			t.Errorf("%d moves: Get: %v", tt.moves, err)
		}
	}
}

func TestENOENTOfTheFamilyItselfIsAnAnswer(t *testing.T) {
	k := newFakeKernel(func(byte, []byte) (int, [][]byte) { return enoent, nil })
	c := open(t, k)
	fates, err := send(t.Context(), c, 2)
	if err != nil || len(fates) != 2 || errno(fates[1].Err) != enoent {
		t.Errorf("got %v, %v", fates, err)
	}
	if len(k.executed) != 2 {
		t.Errorf("%d requests were executed, want each once", len(k.executed))
	}
}

func TestAnswerThatNeverComes(t *testing.T) {
	k := newFakeKernel(func(byte, []byte) (int, [][]byte) { return eintr, nil })
	c := open(t, k)
	if fates, err := send(t.Context(), c, 2); fates != nil || err != nil {
		t.Errorf("got %v, %v; what netlink does not answer was done", fates, err)
	}
}

func TestFamilyGone(t *testing.T) {
	k := newFakeKernel(accept)
	c := open(t, k)
	k.set(func() { k.family = 0 })
	fates, err := send(t.Context(), c, 2)
	if !errors.Is(err, ErrNoFamily) || len(fates) != 2 || !errors.Is(fates[0].Err, ErrNoFamily) {
		t.Errorf("Send: %v, %v", fates, err)
	}
	if _, err := c.Get(t.Context(), numbered(0)); !errors.Is(err, ErrNoFamily) {
		t.Errorf("Get: %v", err)
	}
	if _, err := Open(t.Context(), k.dial, "TEST"); !errors.Is(err, ErrNoFamily) {
		t.Errorf("Open: %v", err)
	}
}

func TestCancelledWhileTheKernelWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel(accept)
		c, err := Open(t.Context(), k.dial, "TEST")
		if err != nil {
			t.Fatal(err)
		}
		release := make(chan struct{})
		k.set(func() { k.blocking = release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		fates, err := send(ctx, c, 5000)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("returned after %v", waited)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("error %v", err)
		}
		first, last := fates[0], fates[4999]
		if first.State != Unknown || last.State != NotSent || !errors.Is(last.Err, context.DeadlineExceeded) {
			t.Errorf("fates of the first and the last request: %v, %v", first, last)
		}
		close(release)
		synctest.Wait()
		k.set(func() { k.blocking = nil })
		if _, open := k.count(); open != 0 {
			t.Errorf("%d sockets are open: the abandoned one must be closed", open)
		}
		if len(k.executed) >= 5000 {
			t.Error("sending went on after the call was given up")
		}
		if fates, err := send(t.Context(), c, 1); fates != nil || err != nil {
			t.Errorf("the next call: %v, %v", fates, err)
		}
		c.Close()
	})
}

func TestTooManyCallsInsideTheKernel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel(echo)
		c, err := Open(t.Context(), k.dial, "TEST")
		if err != nil {
			t.Fatal(err)
		}
		get := func(limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := c.Get(ctx, numbered(0))
			return err
		}
		release := make(chan struct{})
		k.set(func() { k.blocking = release })
		for range maxStuck {
			if err := get(time.Second); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrStuck) {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := get(time.Second); !errors.Is(err, ErrStuck) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within a second: %v, want ErrStuck and the context's error", err)
		}
		if err := get(time.Hour); !errors.Is(err, ErrStuck) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("within an hour: %v, want ErrStuck", err)
		}
		if waited := time.Since(start); waited != time.Second+patience {
			t.Errorf("both waited %v", waited)
		}
		time.AfterFunc(patience-1, func() {
			k.set(func() { k.blocking = nil })
			close(release)
		})
		if err := get(time.Hour); err != nil {
			t.Errorf("when the kernel let go in the meantime: %v", err)
		}
		synctest.Wait()
		if c.stuck.n != 0 || c.stuck.receded != nil {
			t.Errorf("%d calls are stuck", c.stuck.n)
		}
		c.Close()
	})
}

// A change that was given up may yet be made. A later one waits for that, within
// its own context, and reading does not.
func TestChangesAreNotOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel(accept)
		c, err := Open(t.Context(), k.dial, "TEST")
		if err != nil {
			t.Fatal(err)
		}
		write := func(ctx context.Context, number uint32) ([]Fate, error) {
			return c.Send(ctx, 1, func(b []byte, _ int) []byte { return numbered(number)(b) })
		}
		release := make(chan struct{})
		k.set(func() { k.blocking = release })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if fates, err := write(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || fates[0].State != Unknown {
			t.Fatalf("the change that is given up: %v, %v", fates, err)
		}
		k.set(func() { k.blocking, k.handle = nil, echo })
		if _, err := c.Get(t.Context(), numbered(2)); err != nil {
			t.Errorf("reading: %v", err)
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		fates, err := write(ctx, 3)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrStuck) || fates[0].State != NotSent {
			t.Errorf("a change with less time than the kernel takes: %v, %v", fates, err)
		}
		k.set(func() { k.handle = accept })
		time.AfterFunc(time.Hour, func() { close(release) })
		if fates, err := write(t.Context(), 4); fates != nil || err != nil {
			t.Errorf("a change with time enough: %v, %v", fates, err)
		}
		var order []uint32
		for _, args := range k.executed {
			order = append(order, host.Uint32(args))
		}
		if want := []uint32{2, 1, 4}; !slices.Equal(order, want) {
			t.Errorf("executed %v, want %v", order, want)
		}
		c.Close()
	})
}

func TestCloseEndsCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel(func(byte, []byte) (int, [][]byte) { return 0, nil }) // Get is never answered
		c, err := Open(t.Context(), k.dial, "TEST")
		if err != nil {
			t.Fatal(err)
		}
		result := make(chan error)
		go func() {
			_, err := c.Get(context.Background(), numbered(0))
			result <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-result; !errors.Is(err, ErrClosed) {
			t.Errorf("the call in flight: %v", err)
		}
		if _, err := c.Get(context.Background(), numbered(0)); !errors.Is(err, ErrClosed) {
			t.Errorf("a call after Close: %v", err)
		}
		if err := c.Close(); !errors.Is(err, ErrClosed) {
			t.Errorf("closing twice: %v", err)
		}
		synctest.Wait()
		if _, open := k.count(); open != 0 {
			t.Errorf("%d sockets are open", open)
		}
	})
}

func TestCancelledBeforehandSendsNothing(t *testing.T) {
	k := newFakeKernel(accept)
	c := open(t, k)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("no longer wanted")
	cancel(reason)
	fates, err := send(ctx, c, 3)
	if !errors.Is(err, reason) || len(fates) != 3 || fates[0].State != NotSent || len(k.executed) != 0 {
		t.Errorf("got %v, %v; %d executed", fates, err, len(k.executed))
	}
}

func TestManyGoroutinesShareThePool(t *testing.T) {
	k := newFakeKernel(echo)
	c := open(t, k)
	var wg sync.WaitGroup
	for g := range 50 {
		wg.Go(func() {
			for i := range 50 {
				want := uint32(g<<16 | i)
				got, err := c.Get(t.Context(), numbered(want))
				if err != nil || len(got) != 4 || host.Uint32(got) != want {
					t.Errorf("asked %d, got %v, %v", want, got, err)
				}
			}
		})
	}
	wg.Wait()
	if _, open := k.count(); open > maxIdle {
		t.Errorf("%d sockets are kept, want at most %d", open, maxIdle)
	}
}

func TestRandomCancellationsLeaveNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	k := newFakeKernel(accept)
	c := open(t, k)
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(300))*time.Microsecond)
		fates, err := send(ctx, c, 2000)
		cancel()
		if (err == nil) != (fates == nil) {
			t.Fatalf("%d fates with error %v", len(fates), err)
		}
	}
	c.Close()
	deadline := time.Now().Add(5 * time.Second)
	for _, open := k.count(); (open > 0 || runtime.NumGoroutine() > before) && time.Now().Before(deadline); _, open = k.count() {
		time.Sleep(time.Millisecond)
	}
	if _, open := k.count(); open > 0 || runtime.NumGoroutine() > before {
		t.Errorf("%d sockets, %d goroutines more", open, runtime.NumGoroutine()-before)
	}
}

func TestOverrunIsNotTakenForSuccess(t *testing.T) {
	k := newFakeKernel(accept)
	c := open(t, k)
	dial := c.dial
	c.idle, c.dial = nil, func() (Socket, error) {
		s, err := dial()
		return &overrunSocket{s, 1}, err // the first receive resolves the family
	}
	fates, err := send(t.Context(), c, 3)
	if !errors.Is(err, ErrOverrun) || fates[0].State != Unknown {
		t.Errorf("got %v, %v", fates, err)
	}
}

type overrunSocket struct {
	Socket
	good int
}

func (s *overrunSocket) Receive(b []byte) (int, error) {
	if s.good--; s.good < 0 {
		return 0, ErrOverrun
	}
	return s.Socket.Receive(b)
}

func TestInterruptedDump(t *testing.T) {
	k := newFakeKernel(echo)
	c := open(t, k)
	dial := c.dial
	c.idle, c.dial = nil, func() (Socket, error) {
		s, err := dial()
		return markingSocket{s}, err
	}
	if _, err := Dump(t.Context(), c, numbered(0), func([]byte) (int, error) { return 0, nil }); !errors.Is(err, ErrInterrupted) {
		t.Errorf("error %v", err)
	}
}

type markingSocket struct{ Socket }

func (s markingSocket) Receive(b []byte) (int, error) {
	n, err := s.Socket.Receive(b)
	if flags := host.Uint16(b[6:]); flags&flagMulti != 0 {
		host.PutUint16(b[6:], flags|flagDumpIntr)
	}
	return n, err
}

func TestAnswer(t *testing.T) {
	text := attribute(attrAckString, []byte("bad attribute"))
	echoed := encode(0x20, 0, 1, []byte{1, 2, 3, 4, 5, 6, 7, 8})
	for _, tt := range []struct {
		name string
		m    message
		want string
	}{
		{"success", message{kind: typeError, body: make([]byte, 20)}, "<nil>"},
		{"capped", message{typeError, flagCapped | flagAckTLVs, 1,
			slices.Concat(host.AppendUint32(nil, ^uint32(21)), make([]byte, headerLen), text)}, "errno 22: bad attribute"},
		{"echoed", message{typeError, flagAckTLVs, 1,
			slices.Concat(host.AppendUint32(nil, ^uint32(21)), echoed, text)}, "errno 22: bad attribute"},
		{"no attributes", message{typeError, 0, 1, slices.Concat(host.AppendUint32(nil, ^uint32(0)), make([]byte, headerLen))}, "errno 1"},
		{"cut short", message{typeError, 0, 1, []byte{1}}, "netlink: malformed answer: an error message of 1 bytes"},
		{"positive", message{typeError, 0, 1, host.AppendUint32(nil, 1)}, "netlink: malformed answer: an error message with status 1"},
	} {
		if got := fmt.Sprint(tt.m.answer()); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzDatagram feeds a call whatever a kernel could send.
func FuzzDatagram(f *testing.F) {
	f.Add(fakeAck(3, 22))
	f.Add(encode(0x20, flagMulti, 3, append([]byte{1, 1, 0, 0}, attribute(1, []byte{1, 2, 3, 4})...)))
	f.Add(encode(typeDone, flagMulti, 3, nil))
	f.Add(encode(typeError, 0, 0, nil)[:12])
	f.Fuzz(func(t *testing.T, datagram []byte) {
		for rest := datagram; len(rest) > 0; {
			m, next, err := splitMessage(rest)
			if err != nil {
				return
			}
			if len(next) >= len(rest) {
				t.Fatal("no progress")
			}
			_ = m.answer()
			_, _ = findAttr(m.body, 1)
			rest = next
		}
	})
}
