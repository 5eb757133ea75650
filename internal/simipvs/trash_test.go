package simipvs

import (
	"testing"
	"time"
)

// A server that was removed comes back as long as it is in the trash: two to
// four minutes after its last connection.
func TestTrash(t *testing.T) {
	type step struct {
		after time.Duration // since the start
		do    func(k *Kernel, d *dest)
	}
	const never = time.Hour
	for name, c := range map[string]struct {
		steps []step
		freed time.Duration // after which it is free
	}{
		"without connections": {nil, 180 * time.Second},
		"with a connection": {
			[]step{{0, func(_ *Kernel, d *dest) { d.refs++ }}, {500 * time.Second, func(_ *Kernel, d *dest) { d.refs-- }}},
			(540 + 120) * time.Second,
		},
		"idle, used and idle again": {
			[]step{{70 * time.Second, func(_ *Kernel, d *dest) { d.refs++ }}, {181 * time.Second, func(_ *Kernel, d *dest) { d.refs-- }}},
			240 * time.Second,
		},
		"always with a connection": {[]step{{0, func(_ *Kernel, d *dest) { d.refs++ }}}, never},
	} {
		t.Run(name, func(t *testing.T) {
			k := New(Options{Release: oldRelease})
			p := dialTest(t, k)
			p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
			p.must(cmdNewDest, destAttrs(testVIP, testRIP(0)))
			d := k.dests[1]
			p.must(cmdDelDest, destAttrs(testVIP, testRIP(0)))
			for now := time.Duration(0); now < 20*time.Minute; now += time.Second {
				for _, s := range c.steps {
					if s.after == now {
						s.do(k, d)
					}
				}
				if free, want := k.dests[1] == nil, now >= c.freed; free != want {
					t.Fatalf("%s after its removal it is freed: %t, want %t", now, free, want)
				}
				check(t, k)
				if err := k.Advance(time.Second); err != nil {
					t.Fatal(err)
				}
			}
			if c.freed != never {
				p.must(cmdNewDest, destAttrs(testVIP, testRIP(5)))
				if k.dests[1] == nil || k.dests[1] == d {
					t.Error("the number is not given to another server")
				}
			}
		})
	}
}

// A revived server keeps its connections, and its statistics only where they
// were counted.
func TestRevival(t *testing.T) {
	add, remove := destAttrs(testVIP, testRIP(0)), destAttrs(testVIP, testRIP(0))
	for name, c := range map[string]struct {
		anew func(*peer)
		want uint64
	}{
		"the same service": {func(*peer) {}, 7},
		"another of its name": {func(p *peer) {
			p.must(cmdDelService, keyAttrs(testVIP))
			p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := New(Options{Release: oldRelease, ImmediateStats: true})
			p := dialTest(t, k)
			p.must(cmdNewService, serviceAttrs(testVIP, "rr"))
			p.must(cmdNewDest, add)
			d := k.dests[1]
			d.Inactive, d.refs, d.stats.live.conns = 3, 3, 7
			p.must(cmdDelDest, remove)
			c.anew(p)
			p.must(cmdNewDest, add)
			check(t, k)
			total, _ := k.published(&d.stats)
			if k.dests[1] != d || d.svc != k.lookup(d.key) || d.Inactive != 3 || d.refs != 3 || total.conns != c.want {
				t.Errorf("it comes back as %+v with %d connections told, want %d", d, total.conns, c.want)
			}
		})
	}
}
