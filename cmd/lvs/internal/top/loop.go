package top

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// callTimeout bounds each call of the host, so that the view never waits for one for ever.
const callTimeout = 5 * time.Second

// Live is a live view in a terminal.
type Live struct {
	Reader   *Reader
	Model    *Model
	Terminal Terminal
	Style    term.Style
	Frames   int // it ends after so many readings; 0: it does not

	ctx     context.Context
	results chan func() // of background work, to be called by the loop
	signals *signals
	screen  Screen
	pending []byte    // of keys
	reading bool      // a reading is under way
	filled  bool      // what is missing was read since the last tick or key
	counted time.Time // when connections were counted last
	tick    *time.Timer
	escape  *time.Timer
}

// Run shows the view until a key or the context ends it. It leaves the terminal as it was,
// however it ends.
func (l *Live) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.ctx, l.results = ctx, make(chan func())
	defer l.Terminal.Leave() // also when something panics
	l.screen = Screen{W: l.Terminal, Style: l.Style}
	if err := l.enter(); err != nil {
		return err
	}
	if l.signals == nil {
		l.signals = notify()
		defer l.signals.stop()
	}
	l.tick, l.escape = time.NewTimer(0), time.NewTimer(time.Hour)
	input := make(chan []byte)
	l.background(func() func() { l.readKeys(input); return nil })
	return l.loop(ctx, input)
}

// enter begins with a screen of which nothing is known.
func (l *Live) enter() error {
	l.screen.Forget()
	return l.Terminal.Enter()
}

func (l *Live) loop(ctx context.Context, input <-chan []byte) error {
	clock := time.NewTicker(time.Second)
	defer clock.Stop()
	for frames := 0; ; {
		if err := l.show(); err != nil {
			return err
		}
		var keys []Key
		select {
		case <-ctx.Done():
			return nil
		case <-l.signals.hangup:
			return nil
		case <-l.signals.resized:
		case <-l.signals.resumed:
			if err := l.enter(); err != nil {
				return err
			}
		case <-clock.C:
		case <-l.tick.C:
			l.filled = false
			l.read()
		case work := <-l.results:
			was := l.reading
			work()
			if was && !l.reading {
				frames++
			}
			if l.Frames > 0 && frames >= l.Frames {
				return l.show()
			}
		case b, ok := <-input:
			if !ok {
				return nil // the terminal is gone
			}
			keys, l.pending = DecodeKeys(append(l.pending, b...), false)
			if len(l.pending) > 0 {
				l.escape.Reset(100 * time.Millisecond)
			}
		case <-l.escape.C:
			keys, l.pending = DecodeKeys(l.pending, true)
		}
		for _, key := range keys {
			l.filled = false
			if quit, err := l.do(l.Model.Press(key)); quit || err != nil {
				return err
			}
		}
		l.readMissing()
	}
}

// show draws a frame.
func (l *Live) show() error {
	m := l.Model
	m.Now = time.Now()
	m.Width, m.Height = l.Terminal.Size()
	return l.screen.Show(m.Draw(), m.Width)
}

// do has an effect outside of the model.
func (l *Live) do(e Effect) (quit bool, err error) {
	m, host := l.Model, l.Reader.Host
	switch {
	case e.Quit:
		return true, nil
	case e.Suspend:
		l.Terminal.Leave()
		l.signals.stopProcess()
		return false, l.enter()
	case e.Redraw:
		l.screen.Forget()
	case e.Explain != nil:
		l.call(func(ctx context.Context) func() {
			x, err := host.Explain(ctx, *e.Explain)
			return func() { m.Explained(x, err) }
		})
	case e.SetWeight != nil:
		c := *e.SetWeight
		l.call(func(ctx context.Context) func() {
			err := host.Client().SetWeight(ctx, c.Row.Service, c.Row.Server, c.Weight)
			return func() { m.WeightSet(c, err); l.read() }
		})
	}
	if e.Read {
		l.counted = time.Time{}
		l.read()
	}
	return false, nil
}

// read begins a reading, unless one is under way, and sets the time of the next one.
func (l *Live) read() {
	m := l.Model
	l.tick.Reset(m.Interval)
	if l.reading || m.Paused && !m.Reading.At.IsZero() {
		return
	}
	l.reading = true
	wanted := m.Wanted()
	l.call(func(ctx context.Context) func() {
		reading, err := l.Reader.Read(ctx, wanted)
		return func() { l.reading = false; m.SetReading(reading, err); l.count() }
	})
}

// readMissing reads at once what came into view, but only once after each tick and key: the
// order can change with each reading.
func (l *Live) readMissing() {
	if !l.reading && !l.filled && l.Model.Err == nil && l.Model.Lacks() {
		l.filled = true
		l.read()
	}
}

// count counts connections by state, if that is wanted and due, or costs little.
func (l *Live) count() {
	m := l.Model
	if time.Since(l.counted) < statesEvery || !m.CountStates && !m.isSmall() {
		return
	}
	l.counted = time.Now()
	l.call(func(ctx context.Context) func() {
		states, err := l.Reader.States(ctx)
		return func() { m.States, m.StatesErr = states, err }
	})
}

// call makes a call of the host in the background, in bounded time.
func (l *Live) call(work func(ctx context.Context) func()) {
	l.background(func() func() {
		ctx, cancel := context.WithTimeout(l.ctx, callTimeout)
		defer cancel()
		return work(ctx)
	})
}

// background does work beside the loop, which then calls what work returns. A panic of
// work is one of the loop, where the terminal is restored.
func (l *Live) background(work func() func()) {
	go func() {
		var result func()
		defer func() {
			if p := recover(); p != nil {
				text := fmt.Sprintf("%v\n\n%s", p, debug.Stack())
				result = func() { panic(text) }
			}
			if result == nil {
				return
			}
			select {
			case l.results <- result:
			case <-l.ctx.Done():
			}
		}()
		result = work()
	}()
}

// readKeys sends what the terminal sends, and closes the channel when that ends.
func (l *Live) readKeys(input chan<- []byte) {
	defer close(input)
	for {
		b := make([]byte, 256)
		n, err := l.Terminal.Read(b)
		if err != nil {
			return
		}
		select {
		case input <- b[:n]:
		case <-l.ctx.Done():
			return
		}
	}
}
