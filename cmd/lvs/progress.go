package main

import (
	"fmt"
	"time"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// progress shows how a long work goes on: in one line of a terminal, and otherwise in a
// line now and then.
type progress struct {
	env  *cli.Env
	out  term.Output
	last time.Time
	open bool
}

func newProgress(env *cli.Env) *progress {
	return &progress{env: env, out: term.Inspect(env.Err, env.Getenv)}
}

// live reports whether there is a line to show things in.
func (p *progress) live() bool { return p.out.IsTerminal && !term.IsDumb(p.env.Getenv) }

const progressInterval = 10 * time.Second

func (p *progress) say(now time.Time, text string) {
	switch {
	case p.live():
		fmt.Fprintf(p.env.Err, "\r%s\x1b[K", term.Cut(text, max(1, p.out.Width-1)))
		p.open = true
	case now.Sub(p.last) >= progressInterval:
		fmt.Fprintln(p.env.Err, text)
		p.last = now
	}
}

// end removes the line.
func (p *progress) end() {
	if p.open {
		fmt.Fprint(p.env.Err, "\r\x1b[K")
	}
}

// showWork shows on a terminal what is being done, and for how long, once it takes more
// than a second, until stop is called.
func showWork(env *cli.Env, what string) (stop func()) {
	shown := newProgress(env)
	if !shown.live() {
		return func() {}
	}
	began, quit, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			select {
			case <-quit:
				shown.end()
				return
			case now := <-ticker.C:
				shown.say(now, fmt.Sprintf("%s: %v", what, now.Sub(began).Round(time.Second)))
			}
		}
	}()
	return func() { close(quit); <-ended }
}
