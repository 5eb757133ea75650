package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/golvs/lvs/workload"
)

// bar shows the progress of the runs, only on a terminal, and only if they take
// longer than a moment.
type bar struct {
	to      io.Writer // nil discards it
	runs    int
	started time.Time
	shown   time.Time
}

const (
	patience = time.Second // before the bar is shown
	redraw   = 100 * time.Millisecond
	barWidth = 40
)

func newBar(to io.Writer, runs int) *bar {
	if !isTerminal(to) {
		to = nil
	}
	return &bar{to: to, runs: runs, started: time.Now()}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (b *bar) show(run int, p workload.Progress) {
	now := time.Now()
	if b.to == nil || now.Sub(b.started) < patience || now.Sub(b.shown) < redraw {
		return
	}
	b.shown = now
	fmt.Fprint(b.to, "\r", b.line(run, p))
}

func (b *bar) line(run int, p workload.Progress) string {
	done := (float64(run) + float64(p.Done)/float64(max(1, p.Of))) / float64(b.runs)
	full := int(done * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f %%  run %d of %d, %d connections ",
		strings.Repeat("#", full), strings.Repeat("-", barWidth-full), 100*done, run+1, b.runs, p.Arrived)
}

// end clears the line.
func (b *bar) end() {
	if b.to != nil && !b.shown.IsZero() {
		fmt.Fprint(b.to, "\r\x1b[K")
	}
}
