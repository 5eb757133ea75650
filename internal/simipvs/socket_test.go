package simipvs

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/internal/genl"
)

// Receive waits without anything to run for it, until it is interrupted.
func TestReceiveWaits(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(*Socket)
		want error
	}{
		"interrupted": {(*Socket).Interrupt, os.ErrDeadlineExceeded},
		"closed":      {func(s *Socket) { s.Close() }, os.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{Release: newRelease, Clock: time.Now}).Dial(true)
				start := time.Now()
				time.AfterFunc(time.Hour, func() { c.end(s) })
				for range 2 {
					if _, err := s.Receive(make([]byte, 100)); !errors.Is(err, c.want) {
						t.Errorf("receiving: %v, want %v", err, c.want)
					}
				}
				if err := s.Send(nil); !errors.Is(err, c.want) {
					t.Errorf("sending: %v, want %v", err, c.want)
				}
				if took := time.Since(start); took != time.Hour {
					t.Errorf("it took %s, want an hour", took)
				}
			})
		})
	}
}

// Answers that do not fit are lost. The loss is reported once, at once; then come the
// queued answers, and only after the last of them new ones.
func TestOverrun(t *testing.T) {
	p := dialTest(t, New(Options{Release: oldRelease}))
	const cost = 768 // of an acknowledgement
	fit := receiveBuffer/cost + 1
	for range fit + 10 {
		p.send(cmdFlush, flagAck, nil)
	}
	if _, err := p.socket.Receive(p.buffer); !errors.Is(err, genl.ErrOverrun) {
		t.Fatalf("receiving: %v, want an overrun", err)
	}
	for i := range fit {
		if got := p.receive()[0]; got.seq != uint32(i+1) {
			t.Fatalf("acknowledgement %d is of request %d", i, got.seq-1)
		}
		if i < fit-1 {
			p.send(cmdFlush, flagAck, nil)
		}
	}
	p.must(cmdFlush, nil)
}

// What does not fit the reader's buffer is lost, and the next datagram is not.
func TestTruncated(t *testing.T) {
	p := dialTest(t, New(Options{Release: oldRelease}))
	p.send(cmdFlush, flagAck, nil)
	p.send(cmdFlush, flagAck, nil)
	if _, err := p.socket.Receive(make([]byte, 35)); !errors.Is(err, errTruncated) {
		t.Errorf("receiving into a small buffer: %v", err)
	}
	if got := p.receive()[0]; got.seq != 2 {
		t.Errorf("then comes the answer to request %d, want 2", got.seq)
	}
	if err := p.socket.Send(make([]byte, maxSent+1)); !errors.Is(err, errTooLarge) {
		t.Errorf("sending too much: %v", err)
	}
}

// Faults strike one request each.
func TestFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := New(Options{Release: newRelease, Clock: time.Now})
		p, other := dialTest(t, k), dialTest(t, k)
		k.Inject(Fault{Command: cmdNewDest, Errno: int(enodev)})
		k.Inject(Fault{Command: cmdNewService, Delay: time.Minute, Do: func() error {
			other.must(cmdNewService, serviceAttrs(testVIP, "lc"))
			return nil
		}})
		start := time.Now()
		if e := p.do(cmdNewService, serviceAttrs(testVIP, "rr")); e != eexist || time.Since(start) != time.Minute {
			t.Errorf("a service that another socket adds: errno %d after %s", e, time.Since(start))
		}
		if e := p.do(cmdNewDest, destAttrs(testVIP, testRIP(1))); e != enodev {
			t.Errorf("a server: errno %d", e)
		}
		p.must(cmdNewDest, destAttrs(testVIP, testRIP(1)))

		k.Inject(Fault{Command: cmdDelDest, Lose: true})
		datagram := appendRequest(nil, familyID, flagRequest|flagAck, 100, cmdFlush, nil)
		datagram = appendRequest(datagram, familyID, flagRequest, 101, cmdDelDest, destAttrs(testVIP, testRIP(1)))
		datagram = appendRequest(datagram, familyID, flagRequest|flagAck, 102, cmdNewService, serviceAttrs(testVIP, "rr"))
		if err := p.socket.Send(datagram); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(time.Hour, p.socket.Interrupt)
		if _, err := p.socket.Receive(p.buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("answers that were to be lost: %v", err)
		}
		other.must(cmdDelService, keyAttrs(testVIP))
	})
}
