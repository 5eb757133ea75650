package genl

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestReaderFollowsTheFamily(t *testing.T) {
	k := newFakeKernel(echo)
	c := open(t, k)
	got, err := Read(t.Context(), c, func(r *Reader) (all []uint32, err error) {
		for i := range uint32(3) {
			k.set(func() { k.family++ })
			if err := r.Dump(numbered(i), func(msg []byte) error { all = append(all, host.Uint32(msg)); return nil }); err != nil {
				return nil, err
			}
		}
		msg, err := r.Get(numbered(3))
		return append(all, host.Uint32(msg)), err
	})
	if err != nil || len(got) != 4 || got[0] != 0 || got[2] != 2 || got[3] != 3 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReaderGoesOnAfterARefusal(t *testing.T) {
	k := newFakeKernel(func(_ byte, args []byte) (int, [][]byte) {
		if host.Uint32(args) == 1 {
			return 22, nil
		}
		return echo(0, args)
	})
	c := open(t, k)
	_, err := Read(t.Context(), c, func(r *Reader) (none struct{}, err error) {
		if _, err := r.Get(numbered(1)); errno(err) != 22 {
			t.Errorf("got %v, want errno 22", err)
		}
		msg, err := r.Get(numbered(2))
		if err == nil && host.Uint32(msg) != 2 {
			t.Errorf("got the answer to %d, want that to 2", host.Uint32(msg))
		}
		return none, err
	})
	if dialled, open := k.count(); err != nil || dialled != 1 || open != 1 {
		t.Errorf("%d sockets were dialled, %d are open, want one; %v", dialled, open, err)
	}
}

// A message that visit refuses is malformed. Others may follow it, so the socket is closed.
func TestReaderRefusesAMessage(t *testing.T) {
	k := newFakeKernel(echo)
	c := open(t, k)
	bad := errors.New("bad")
	_, err := Read(t.Context(), c, func(r *Reader) (none struct{}, err error) {
		return none, r.Dump(numbered(1), func([]byte) error { return bad })
	})
	if !errors.Is(err, bad) || !errors.Is(err, ErrMalformed) {
		t.Errorf("error %v", err)
	}
	if _, open := k.count(); open != 0 {
		t.Errorf("%d sockets are open, want none", open)
	}
}

// A caller that has given up is not kept by the requests that are left, and the
// kernel is asked no more.
func TestReaderIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newFakeKernel(echo)
		c, err := Open(t.Context(), k.dial, "TEST")
		if err != nil {
			t.Fatal(err)
		}
		k.pause = func() { time.Sleep(time.Second) }
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err = Read(ctx, c, func(r *Reader) (none struct{}, err error) {
			for i := range uint32(1000) {
				if err := r.Dump(numbered(i), func([]byte) error { return nil }); err != nil {
					return none, err
				}
			}
			return none, nil
		})
		if waited := time.Since(start); waited != 10*time.Second+time.Millisecond || err == nil {
			t.Errorf("returned after %v: %v", waited, err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(k.executed); n > 10 {
			t.Errorf("%d requests were made in ten seconds of a second each", n)
		}
		if _, open := k.count(); open != 0 {
			t.Errorf("%d sockets are open, want none", open)
		}
		c.Close()
	})
}
