package simipvs

import (
	"errors"
	"sync"
	"testing"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// refuser is a scheduler that picks no server.
type refuser struct{ sched.Scheduler }

func (refuser) Attach(*sched.Group) error { return errors.New("never") }

// A scheduler that is set again continues where it was; one that another could not
// replace starts again.
func TestSchedulerStays(t *testing.T) {
	k := New(Options{Release: oldRelease, Schedulers: map[string]func(*ServiceName) sched.Scheduler{
		"refuser": func(*ServiceName) sched.Scheduler { return refuser{} },
	}})
	p := dialTest(t, k)
	p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
	for i := range 3 {
		p.must(cmdNewDest, destAttrs(testVIP, testRIP(i)))
	}
	var s *service
	for s = range k.services.all() {
	}
	pick := func(want int) {
		t.Helper()
		if got := s.group.Pick(&sched.Flow{}); got.Addr != testRIP(want) {
			t.Errorf("picked %s, want %s", got.Addr, testRIP(want))
		}
	}
	pick(2)
	p.must(cmdSetService, serviceAttrs(testVIP, "rr"))
	pick(1)
	if e := p.do(cmdSetService, serviceAttrs(testVIP, "refuser")); e != einval || s.scheduler != "rr" {
		t.Errorf("a scheduler that refuses: errno %d, and it is %s", e, s.scheduler)
	}
	pick(2)
	p.must(cmdSetService, serviceAttrs(testVIP, "none"))
	if got := s.group.Pick(&sched.Flow{}); got != nil {
		t.Errorf("without a scheduler %s is picked", got.Addr)
	}
}

// twos came to Debian after 6.1.
func TestTwosDependsOnRelease(t *testing.T) {
	for _, r := range []release.Release{oldRelease, newRelease} {
		if _, e := New(Options{Release: r}).newScheduler("twos", serviceKey{family: inet4}); r == oldRelease && e != enoent {
			t.Errorf("%s has twos", r)
		}
	}
}

// Any number of sockets may be used at once.
func TestSocketsAtOnce(t *testing.T) {
	k := New(Options{Release: newRelease})
	dialTest(t, k).must(cmdNewService, serviceAttrs(testVIP, "wlc"))
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			p := dialTest(t, k)
			for j := range 200 {
				rip := testRIP(i + 4*j)
				p.must(cmdNewDest, destAttrs(testVIP, rip))
				p.send(cmdGetDest, flagDump, keyAttrs(testVIP))
				p.rest()
				if j%2 == 0 {
					p.must(cmdDelDest, destAttrs(testVIP, rip))
				}
			}
		})
	}
	all.Wait()
	check(t, k)
	if n := len(k.lookup(serviceKey{family: inet4, protocol: protoTCP, port: 80, addr: testVIP.Addr().As16()}).dests); n != 400 {
		t.Errorf("there are %d servers, want 400", n)
	}
}
