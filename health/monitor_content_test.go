package health

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

// A server differs if fewer than half of the others serve what it serves.
func TestSameContent(t *testing.T) {
	for _, c := range []struct{ served, differ string }{
		{"", ""},
		{"a", ""},
		{"aa", ""},
		{"ab", "01"},
		{"aab", "2"},
		{"abc", "012"},
		{"aabb", "0123"},
		{"aaab", "3"},
		{"baaa", "0"},
		{"aaabb", "34"},
		{"aabbc", "01234"},
		{"aa.b", "3"}, // one that failed does not count
	} {
		f := newFake()
		want := tableOf(lvs.WLC, make([]int, len(c.served))...)
		for i, content := range c.served {
			if content == '.' {
				f.hang[rip(i)] = true
				continue
			}
			f.answer[rip(i)] = Answer{Content: string(content)}
		}
		p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SameContent: true}
		play(t, want, want, p, func(s *scene) {
			s.sleep(5 * time.Second)
			differ := ""
			for i := range c.served {
				if s.Status().Services[0].Servers[i].Differs {
					differ += string(rune('0' + i))
				}
			}
			if diff := cmp.Diff(c.differ, differ); diff != "" {
				t.Errorf("of %q differ (-want +got):\n%s", c.served, diff)
			}
		})
	}
}

func TestMostServed(t *testing.T) {
	for _, c := range []struct {
		counts     map[string]int
		most, next string
	}{
		{nil, "", ""},
		{map[string]int{"a": 1}, "a", ""},
		{map[string]int{"b": 1, "a": 1}, "a", "b"},
		{map[string]int{"a": 1, "b": 2, "c": 3}, "c", "b"},
		{map[string]int{"a": 3, "b": 2, "c": 2}, "a", "b"},
	} {
		if most, next := mostServed(c.counts); most != c.most || next != c.next {
			t.Errorf("of %v: %q and %q, want %q and %q", c.counts, most, next, c.most, c.next)
		}
	}
}

func TestContentEvents(t *testing.T) {
	f := newFake()
	for i := range 3 {
		f.answer[rip(i)] = Answer{Content: "old"}
	}
	want := tableOf(lvs.WLC, 1, 1, 1)
	p := Policy{Checks: []Check{{Probe: f, Interval: time.Second}}, SameContent: true}
	play(t, want, want, p, func(s *scene) {
		serve := func(i int, content string) {
			f.say(i, Answer{Content: content})
			s.sleep(3 * time.Second)
		}
		s.sleep(3 * time.Second)
		serve(1, "new")
		s.is("what differs still works", map[string]int{"10.1.0.0": 1, "10.1.0.1": 1, "10.1.0.2": 1})
		serve(1, "old")
		var about []string
		for _, e := range s.events {
			if strings.Contains(e, "content") {
				about = append(about, e)
			}
		}
		if diff := cmp.Diff([]string{
			"tcp://10.168.0.91:80 -> 10.1.0.1:80 serves other content than most servers",
			"tcp://10.168.0.91:80 -> 10.1.0.1:80 serves the same content as most servers again",
		}, about); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}
