package top

import (
	"errors"
	"strings"
	"testing"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Only lines that differ are written, and what is behind them is cleared.
func TestScreen(t *testing.T) {
	var w strings.Builder
	s := Screen{W: &w}
	for _, test := range []struct {
		name  string
		lines []string
		width int
		want  string
	}{
		{"first", []string{"one", "two", ""}, 5, "\x1b[0m\x1b[2J\x1b[1;1Hone\x1b[K\x1b[2;1Htwo\x1b[K"},
		{"same", []string{"one", "two", ""}, 5, ""},
		{"changed", []string{"one", "2", ""}, 5, "\x1b[2;1H2\x1b[K"},
		{"full line", []string{"one", "2", "three"}, 5, "\x1b[3;1Hthree"},
		{"emptied", []string{"", "2", "three"}, 5, "\x1b[1;1H\x1b[K"},
		{"wider", []string{"", "2", "three"}, 9, "\x1b[0m\x1b[2J\x1b[2;1H2\x1b[K\x1b[3;1Hthree\x1b[K"},
		{"lower", []string{"", "2"}, 9, "\x1b[0m\x1b[2J\x1b[2;1H2\x1b[K"},
	} {
		w.Reset()
		var lines []term.Line
		for _, text := range test.lines {
			lines = append(lines, term.Text(text))
		}
		if err := s.Show(lines, test.width); err != nil || w.String() != test.want {
			t.Errorf("%s: %q, %v; want %q", test.name, w.String(), err, test.want)
		}
	}
	w.Reset()
	s.Forget()
	if _ = s.Show([]term.Line{term.Text("x")}, 9); w.String() != "\x1b[0m\x1b[2J\x1b[1;1Hx\x1b[K" {
		t.Errorf("forgotten: %q", w.String())
	}
	s.W = &fakeTerminal{failing: errors.New("gone")}
	if err := s.Show(nil, 9); err == nil {
		t.Error("an error of writing is lost")
	}
}
