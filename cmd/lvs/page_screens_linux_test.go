package main

import (
	"context"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/demo"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
	"github.com/hinshun/vt10x"
)

// captured is a screen of the page: its command, and its size.
var captured = regexp.MustCompile("(?s)<!-- screen: ([^\n]*) (\\d+)x(\\d+) -->\n\n```text\n(.*?)```\n")

// clockOf is the time of the day in the title of the live view.
var clockOf = regexp.MustCompile(`\d\d:\d\d:\d\d`)

var attributes = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// allowed are the parameters of SGR that may be used: none, bold, dim, reverse, and the
// colours that [TestPageColours] found to be legible.
var allowed = []string{"", "0", "1", "2", "7", "31", "35"}

// TestPageScreens holds that the screens of the page are those of the frozen demo.
func TestPageScreens(t *testing.T) {
	page, world, kinds := readPage(t), frozen(t), make(map[string]int)
	now := captured.ReplaceAllStringFunc(page, func(part string) string {
		m := captured.FindStringSubmatch(part)
		columns, _ := strconv.Atoi(m[2])
		lines, _ := strconv.Atoi(m[3])
		words := strings.Fields(m[1])
		kinds[words[0]+" "+m[2]]++
		text, raw := drawScreen(t, world, columns, lines, words)
		for _, a := range attributes.FindAllStringSubmatch(raw, -1) {
			for parameter := range strings.SplitSeq(a[1], ";") {
				if !slices.Contains(allowed, parameter) {
					t.Errorf("%s: SGR %s may not be legible", m[1], a[1])
				}
			}
		}
		before, _, _ := strings.Cut(part, "```text\n")
		return before + "```text\n" + text + "```\n"
	})
	for _, kind := range []string{"top", "show", "check", "explain"} {
		if kinds[kind+" 80"] == 0 || kinds[kind+" 200"] == 0 {
			t.Errorf("the page has not both screens of %s: %v", kind, slices.Sorted(maps.Keys(kinds)))
		}
	}
	if now != page && *update {
		writePage(t, now)
	} else if now != page {
		is, was := strings.Split(now, "\n"), strings.Split(page, "\n")
		for n := range min(len(is), len(was)) {
			if is[n] != was[n] {
				t.Fatalf("%s:%d: got\n%s\nwant\n%s", pagePath, n+1, is[n], was[n])
			}
		}
		t.Fatalf("got %d lines, want %d", len(is), len(was))
	}
}

// drawScreen runs a command on a terminal, and returns what its screen shows, together with
// what scrolled out of it, and what was written. The live view is ended when it is whole.
func drawScreen(t *testing.T, world *demo.World, columns, lines int, words []string) (text, raw string) {
	t.Helper()
	control, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	defer tty.Close()
	if err := pty.Setsize(tty, &pty.Winsize{Cols: uint16(columns), Rows: uint16(lines)}); err != nil {
		t.Fatal(err)
	}
	live := words[0] == "top"
	height := 200
	if live {
		height = lines
	}
	vt := vt10x.New(vt10x.WithSize(columns, height))
	var mu sync.Mutex
	var written []byte
	read := make(chan struct{})
	go func() {
		defer close(read)
		for b := make([]byte, 65536); ; {
			n, err := control.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			written = append(written, b[:n]...)
			_, _ = vt.Write(b[:n])
			mu.Unlock()
		}
	}()
	shown := func() string { mu.Lock(); defer mu.Unlock(); return trimmed(vt.String()) }
	ended := make(chan int, 1)
	vars := map[string]string{"TERM": "xterm", "LANG": "C.UTF-8"}
	env := &cli.Env{In: tty, Out: tty, Err: tty, Getenv: func(name string) string { return vars[name] },
		Demo: func() (*demo.World, error) { return world, nil }}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() { ended <- program().Main(ctx, env, slices.Concat([]string{"lvs", "-demo"}, words)) }()
	if live {
		isWhole := func(text string) bool {
			return strings.Contains(text, "q quit") && strings.Contains(text, "10.168.0.94:80") && strings.Contains(text, "ESTABLISHED")
		}
		for text = shown(); !isWhole(text); text = shown() {
			if ctx.Err() != nil {
				t.Fatalf("the live view is not complete:\n%s", text)
			}
			time.Sleep(5 * time.Millisecond)
		}
		if _, err := control.WriteString("q"); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-ended:
	case <-ctx.Done():
		t.Fatalf("%v does not end:\n%s", words, shown())
	}
	if !live { // which leaves a read of its keys behind, so that the terminal stays open
		tty.Close() // ends the reader when it has read all
		<-read
		text = shown()
	}
	mu.Lock()
	defer mu.Unlock()
	for line := range strings.Lines(text) {
		if n := term.Width(strings.TrimSuffix(line, "\n")); n > columns {
			t.Errorf("%v: %d columns: %s", words, n, line)
		}
	}
	return clockOf.ReplaceAllString(text, "12:00:00"), string(written)
}

// trimmed returns the text of a screen without what is blank at the ends.
func trimmed(screen string) string {
	lines := strings.Split(screen, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \x00")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}

// basic are the first eight colours of xterm, by default, and how it shows them when they
// are bold.
var basic = []struct {
	name         string
	usual, light [3]float64
}{
	{"black", [3]float64{0, 0, 0}, [3]float64{127, 127, 127}},
	{"red", [3]float64{205, 0, 0}, [3]float64{255, 0, 0}},
	{"green", [3]float64{0, 205, 0}, [3]float64{0, 255, 0}},
	{"yellow", [3]float64{205, 205, 0}, [3]float64{255, 255, 0}},
	{"blue", [3]float64{0, 0, 238}, [3]float64{92, 92, 255}},
	{"magenta", [3]float64{205, 0, 205}, [3]float64{255, 0, 255}},
	{"cyan", [3]float64{0, 205, 205}, [3]float64{0, 255, 255}},
	{"white", [3]float64{229, 229, 229}, [3]float64{255, 255, 255}},
}

// contrast returns that of two colours as WCAG 2 defines it, from 1 to 21.
func contrast(a, b [3]float64) float64 {
	luminance := func(colour [3]float64) (sum float64) {
		for i, part := range []float64{0.2126, 0.7152, 0.0722} {
			c := colour[i] / 255
			if c <= 0.03928 {
				c /= 12.92
			} else {
				c = math.Pow((c+0.055)/1.055, 2.4)
			}
			sum += part * c
		}
		return sum + 0.05
	}
	x, y := luminance(a), luminance(b)
	return max(x, y) / min(x, y)
}

// TestPageColours computes which colours are legible on black and on white, bold or not,
// and holds that the page has these figures and that no others are used.
func TestPageColours(t *testing.T) {
	const enough = 3
	black, white := [3]float64{0, 0, 0}, [3]float64{255, 255, 255}
	var rows strings.Builder
	for n, c := range basic {
		onBlack, onWhite := contrast(c.usual, black), contrast(c.usual, white)
		boldBlack, boldWhite := contrast(c.light, black), contrast(c.light, white)
		legible := min(onBlack, onWhite, boldBlack, boldWhite) >= enough
		used := "no"
		if slices.Contains(allowed, strconv.Itoa(30+n)) {
			used = "yes"
			if !legible {
				t.Errorf("%s is used, and has a contrast of %.1f on black and %.1f on white", c.name, onBlack, onWhite)
			}
		}
		fmt.Fprintf(&rows, "| %s | %.1f | %.1f | %.1f | %.1f | %s |\n", c.name, onBlack, onWhite, boldBlack, boldWhite, used)
	}
	const head = "| colour | on black | on white | bold on black | bold on white | used |\n|---|---:|---:|---:|---:|---|\n"
	holdTable(t, head, rows.String())
}
