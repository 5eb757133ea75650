//go:build linux

package main

import (
	"os"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"golang.org/x/sys/unix"
)

func needsKernel(t *testing.T) {
	t.Helper()
	if os.Getenv("LVS_KERNEL") == "" {
		t.Skip("LVS_KERNEL is not set: needs a kernel with IPVS; see bench/README.md")
	}
}

// TestContenders has everybody add and read a small table, all of which is
// checked. It times nothing.
func TestContenders(t *testing.T) {
	needsKernel(t)
	for _, w := range works {
		for _, c := range w.contenders {
			t.Run(w.name+"/"+c.name, func(t *testing.T) {
				j := job{services: 4, servers: 3, edited: min(w.job.edited, 2)}
				all, err := w.measure(j, []contender{c}, 1)
				if err != nil {
					t.Fatal(err)
				}
				if len(all) != 1 || len(all[0].took) != 1 || all[0].took[0] <= 0 {
					t.Errorf("got %v, want one time of one contender", all)
				}
			})
		}
	}
}

// TestVerifyTellsWhatIsMissing proves that a contender cannot get away with
// less than the whole table.
func TestVerifyTellsWhatIsMissing(t *testing.T) {
	needsKernel(t)
	ns, err := newNamespace()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oursAdding().once(ns, job{services: 2, servers: 2}); err != nil {
		t.Fatal(err)
	}
	for _, other := range []job{
		{services: 2, servers: 1}, {services: 3, servers: 2}, {services: 1, servers: 2}, {services: 2, servers: 2, edited: 3},
	} {
		if err := other.verify(ns); err == nil {
			t.Errorf("a table of 2 services of 2 servers passed for %+v", other)
		}
	}
}

func TestDatagrams(t *testing.T) {
	j := job{services: 100, servers: 10}
	seq := uint32(0)
	requests := 0
	for _, d := range j.datagrams(0x1f) {
		if len(d.bytes) > sendLen {
			t.Errorf("a send of %d bytes, want at most %d", len(d.bytes), sendLen)
		}
		requests += d.requests
		for b := d.bytes; len(b) > 0; b = b[host.Uint32(b):] {
			seq++
			want := uint16(unix.NLM_F_REQUEST)
			if len(b) == int(host.Uint32(b)) {
				want |= unix.NLM_F_ACK
			}
			if got := host.Uint16(b[6:]); got != want {
				t.Errorf("request %d has flags %#x, want %#x", seq, got, want)
			}
			if got := host.Uint32(b[8:]); got != seq {
				t.Errorf("request %d has number %d", seq, got)
			}
		}
		if d.lastSeq() != seq {
			t.Errorf("the last request of a send is %d, want %d", d.lastSeq(), seq)
		}
	}
	if requests != j.objects() || seq != uint32(requests) {
		t.Errorf("%d requests said, %d there, want %d", requests, seq, j.objects())
	}
}

func TestCompare(t *testing.T) {
	j := job{services: 2, servers: 1}
	for text, want := range map[string]string{
		"-A -t 10.1.0.1:80 -s rr\n-a -t 10.1.0.1:80 -r 10.2.0.1:80 -g -w 1\n" +
			"-A -t 10.1.0.0:80 -s rr\n-a -t 10.1.0.0:80 -r 10.2.0.0:80 -g -w 1\n": "",
		"-A -t 10.1.0.1:80 -s rr\n":                                "lacks 3 of 4",
		j.ipvsadm() + "-a -t 10.1.0.0:80 -r 10.2.0.0:80 -g -w 1\n": "twice",
		"-A -t 10.1.0.1:80 -s wrr\n":                               "not wanted",
	} {
		err := j.compare(text)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// TestDiffing compares without a kernel, and finds just what is edited.
func TestDiffing(t *testing.T) {
	for _, edited := range []int{0, 1, 2, 7, 100} {
		j := job{services: 5, servers: 4, edited: edited}
		for _, c := range []contender{oursDiffing(), mobyDiffing()} {
			if _, err := c.once(nil, j); err != nil {
				t.Errorf("every %d. server is edited: %v", edited, err)
			}
		}
	}
	wish := wishOf(job{services: 5, servers: 4, edited: 3})
	plan, err := lvs.Diff(wish.table, wish.table, lvs.TableOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if wish.check(plan) == nil {
		t.Error("a plan that lacks the edits passed")
	}
}

func TestIpvsadmFile(t *testing.T) {
	const want = `-A -t 10.1.0.0:80 -s rr
-a -t 10.1.0.0:80 -r 10.2.0.0:80 -g -w 1
-a -t 10.1.0.0:80 -r 10.2.0.1:80 -g -w 1
`
	if got := (job{services: 1, servers: 2}).ipvsadm(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-only", "lvs,raw", "-work", "adding"})
	if err != nil {
		t.Fatal(err)
	}
	if got := only(works[0].contenders, o.only); len(got) != 2 {
		t.Errorf("%d contenders are left, want 2", len(got))
	}
	for _, args := range []string{"-rounds 0", "-services -1", "-services 70000", "-services 60000 -servers 300", "more"} {
		if _, err := parseOptions(strings.Fields(args)); err == nil {
			t.Errorf("%s: no error", args)
		}
	}
	for _, o := range []options{{works: []string{"sleeping"}}, {works: []string{"adding"}, only: []string{"unknown"}}} {
		if err := o.measure(new(strings.Builder)); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}
