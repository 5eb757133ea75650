package genl

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

var schedules = flag.Int("schedules", 100, "how many random schedules are made")

// TestRandomSchedules lets calls with and without a deadline, and Close, happen at
// random times, which are so few that many things happen at the same one.
func TestRandomSchedules(t *testing.T) {
	for seed := range uint64(*schedules) {
		ok := t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newSchedule(t, seed).run() })
		})
		if !ok {
			return
		}
	}
}

type schedule struct {
	t      *testing.T
	kernel *fakeKernel
	conn   *Conn
	closed time.Time // when it is closed; zero if it is not

	mu     sync.Mutex // guards random
	random *rand.Rand
}

const callers = 8

func newSchedule(t *testing.T, seed uint64) *schedule {
	s := &schedule{t: t, random: rand.New(rand.NewPCG(seed, 0)), kernel: newFakeKernel(echo)}
	s.kernel.pause = func() { time.Sleep(s.draw(4)) }
	s.kernel.handle = func(cmd byte, args []byte) (int, [][]byte) {
		if cmd == cmdWrite {
			return 0, nil
		}
		return echo(cmd, args)
	}
	s.conn = New(s.kernel.dial, "TEST")
	return s
}

// draw returns one of n times, and 0 as often as the others together.
func (s *schedule) draw(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(max(0, s.random.IntN(2*n)-n)) * time.Millisecond
}

const cmdWrite = 2

func (s *schedule) run() {
	if s.draw(2) > 0 {
		after := 10 * s.draw(10)
		s.closed = time.Now().Add(after)
		time.AfterFunc(after, func() { s.conn.Close() })
	}
	var wg sync.WaitGroup
	for caller := range uint32(callers) {
		wg.Go(func() {
			for i := range uint32(12) {
				s.call(caller<<16 | i)
			}
		})
	}
	wg.Wait()
	synctest.Wait()
	if !s.closed.IsZero() {
		time.Sleep(time.Until(s.closed))
		time.Sleep(time.Second) // the kernel lets go of all
	} else {
		time.Sleep(time.Second)
		if _, err := s.conn.Get(s.t.Context(), numbered(1)); err != nil {
			s.t.Errorf("afterwards: %v", err)
		}
	}
	synctest.Wait()
	s.checkEnd()
}

// call makes one call, of which only its own context or Close may be the end.
func (s *schedule) call(number uint32) {
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	isShort := s.draw(2) == 0
	if limit := s.draw(12); isShort {
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err := s.exchange(ctx, number)
	switch {
	case err == nil:
	case errors.Is(err, context.DeadlineExceeded) && isShort:
	case errors.Is(err, ErrClosed) && !s.closed.IsZero() && !time.Now().Before(s.closed):
	default:
		s.t.Errorf("call %#x (short %t): %v", number, isShort, err)
	}
}

// exchange reads or writes, as the number's last bits say.
func (s *schedule) exchange(ctx context.Context, number uint32) error {
	var got uint32
	switch number % 4 {
	case 0:
		_, err := s.conn.Send(ctx, 1, func(b []byte, _ int) []byte {
			return host.AppendUint32(append(b, cmdWrite, 1, 0, 0), number)
		})
		return err
	case 1:
		msg, err := s.conn.Get(ctx, numbered(number))
		if err != nil {
			return err
		}
		got = host.Uint32(msg)
	case 2:
		all, err := Dump(ctx, s.conn, numbered(number), func(msg []byte) (uint32, error) { return host.Uint32(msg), nil })
		if err != nil {
			return err
		}
		got = all[0]
	case 3:
		all, err := Read(ctx, s.conn, func(r *Reader) (all []uint32, err error) {
			for range 3 {
				err := r.Dump(numbered(number), func(msg []byte) error { all = append(all, host.Uint32(msg)); return nil })
				if err != nil {
					return nil, err
				}
			}
			return all, nil
		})
		if err != nil {
			return err
		}
		if len(all) != 3 || len(slices.Compact(all)) != 1 {
			return fmt.Errorf("got the answers to %#x", all)
		}
		got = all[0]
	}
	if got != number {
		return fmt.Errorf("got the answer to %#x", got)
	}
	return nil
}

// checkEnd looks whether changes were made in the order in which each caller asked
// for them, and that nothing is left behind.
func (s *schedule) checkEnd() {
	var last [callers]uint32
	for _, args := range s.kernel.executed {
		number := host.Uint32(args)
		if caller := number >> 16; number%4 == 0 {
			if number < last[caller] {
				s.t.Errorf("change %#x was made after %#x", number, last[caller])
			}
			last[caller] = number
		}
	}
	if c := s.conn; c.stuck.n != 0 || c.stuckWrites.n != 0 {
		s.t.Errorf("%d calls are stuck, %d of them write", c.stuck.n, c.stuckWrites.n)
	}
	if _, open := s.kernel.count(); open != len(s.conn.idle) {
		s.t.Errorf("%d sockets are open, %d idle", open, len(s.conn.idle))
	}
	s.conn.Close()
	if _, open := s.kernel.count(); open != 0 {
		s.t.Errorf("%d sockets are open after Close", open)
	}
}
