package top

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the screens in testdata")

// screenText returns a frame as text.
func screenText(m *Model) string {
	var b strings.Builder
	for _, l := range m.Draw() {
		b.WriteString(strings.TrimRight(l.String(), " ") + "\n")
	}
	return b.String()
}

// golden compares a screen with the one in a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
	}
}

func TestDraw(t *testing.T) {
	w := newWorld(t)
	for _, size := range [][2]int{{80, 24}, {200, 50}, {60, 12}, {20, 5}} {
		m := w.model(size[0], size[1])
		golden(t, fmt.Sprintf("%dx%d", size[0], size[1]), screenText(m))
	}
	m := w.model(80, 24)
	m.Press("?")
	golden(t, "help", screenText(m))
	m = w.model(160, 0)
	golden(t, "batch", m.Text())
}

// A frame has as many lines as the screen, and none is wider, whatever the size and
// whatever is shown.
func TestDrawFits(t *testing.T) {
	w := newWorld(t)
	m := w.model(80, 24)
	for _, keys := range []string{"", "?", "f", "w", "d", "e", "jjjjjj", "G"} {
		m.Prompt, m.Panel = nil, nil
		for _, key := range keys {
			m.Press(Key(key))
		}
		for _, width := range []int{1, 2, 5, 8, 20, 36, 55, 77, 78, 79, 80, 99, 100, 129, 130, 200, 1000} {
			for _, height := range []int{0, 1, 2, 3, 5, 6, 11, 12, 24, 50} {
				m.Width, m.Height = width, height
				lines := m.Draw()
				if len(lines) != height {
					t.Fatalf("%q at %dx%d: %d lines", keys, width, height, len(lines))
				}
				for _, l := range lines {
					if l.Width() > width {
						t.Fatalf("%q at %dx%d: %d cells in %q", keys, width, height, l.Width(), l)
					}
				}
			}
		}
	}
}

func TestDrawFailure(t *testing.T) {
	w := newWorld(t)
	m := w.model(80, 24)
	rows := screenText(m)
	m.SetReading(Reading{}, fmt.Errorf("the kernel has no IPVS\x1b[2J"))
	m.Now = m.Now.Add(7 * time.Second)
	m.SetReading(Reading{}, fmt.Errorf("the kernel has no IPVS\x1b[2J"))
	got := screenText(m)
	if want := `failing for 7s (shown: 7s old): the kernel has no IPVS\x1b[2J`; !strings.Contains(got, want) {
		t.Errorf("the screen does not say %q:\n%s", want, got)
	}
	if !strings.Contains(got, strings.Split(rows, "\n")[5]) {
		t.Errorf("the rows went away:\n%s", got)
	}
	w.read(m)
	if got := screenText(m); strings.Contains(got, "failing") {
		t.Errorf("it has recovered, and shows\n%s", got)
	}
}
