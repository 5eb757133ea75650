package health

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Hook runs a program of the user's for each event, one after another in the order of the
// events. [NewHook] returns one. Its OnEvent is made for [Options], and its Run does the
// work.
//
// The program gets one line of JSON on its standard input, an object with "version": 1,
// and the same in its environment where that fits:
//
//	LVS_EVENT    event     the [EventKind], such as "server changed"
//	LVS_TEXT     text      a sentence for a log
//	LVS_SERVICE  service   the service, such as "tcp://10.168.0.91:80"
//	LVS_SERVER   server    the real server, such as "10.168.0.94:80"
//	LVS_STATE    is        of a server, "up", "down" or "unknown"; of a limit, "below" or "above"
//	LVS_DROPPED  dropped   how many events were lost before this one
//
// The object also has "at", when the event was, and, by kind, "was", "reason", "then",
// "working", "needed", "content", "most" and "override". Otherwise the environment has Env
// alone. The exit status says whether the program did its work; if not, the first line
// that it printed is part of the error. When its time is over, it is killed with its
// process group.
type Hook struct {
	onError func(error)
	wake    chan struct{} // has an element when there is something for Run to do

	mu       sync.Mutex
	o        HookOptions
	queue    []eventText
	finished bool // no event comes any more
	status   HookStatus
}

// HookStatus is what a hook has done. It prints.
type HookStatus struct {
	Runs    int    `json:"runs"`              // that ended
	Failed  int    `json:"failed"`            // of those, that did not start, were killed or ended with a status that is not 0
	Waiting int    `json:"waiting"`           // events for which it has not run yet
	Dropped int    `json:"dropped"`           // events for which it will not run, because too many were waiting
	Error   string `json:"error,omitempty"`   // of the last run; "" if it succeeded
	Running bool   `json:"running,omitempty"` // whether the program runs now
}

// String returns the numbers, and why the last run failed.
func (s HookStatus) String() string {
	text := fmt.Sprintf("%d runs", s.Runs)
	if s.Runs == 1 {
		text = "1 run"
	}
	for _, rare := range []struct {
		n    int
		what string
	}{{s.Failed, "failed"}, {s.Waiting, "waiting"}, {s.Dropped, "dropped"}} {
		if rare.n > 0 {
			text += fmt.Sprintf(", %d %s", rare.n, rare.what)
		}
	}
	if s.Error != "" {
		text += ": " + s.Error
	}
	return text
}

// NewHook returns a hook. OnError is called in the goroutine of [Hook.Run] for each run
// that failed and for events that were dropped; nil calls nothing. The error matches
// [lvs.ErrInvalid].
func NewHook(o HookOptions, onError func(error)) (*Hook, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if onError == nil {
		onError = func(error) {}
	}
	return &Hook{o: o.complete(), onError: onError, wake: make(chan struct{}, 1)}, nil
}

// Set changes the options. They count for the events that come from now on, and for how
// the program runs for those that wait. The error matches [lvs.ErrInvalid], and nothing
// has changed then.
func (h *Hook) Set(o HookOptions) error {
	if err := o.Validate(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.o = o.complete()
	h.drop()
	return nil
}

// OnEvent makes the program run for an event. It never waits.
func (h *Hook) OnEvent(e Event) {
	t := textOf(e, time.Now().Round(0))
	h.mu.Lock()
	if h.o.admits(&t) {
		h.queue = append(h.queue, t)
		h.drop()
	}
	h.mu.Unlock()
	h.note()
}

// drop drops the oldest events while too many wait. The newest are what is true now.
func (h *Hook) drop() {
	for len(h.queue) > h.o.Queue {
		h.queue[1].Dropped += h.queue[0].Dropped + 1
		h.queue[0] = eventText{}
		h.queue = h.queue[1:]
		h.status.Dropped++
	}
}

// note wakes Run.
func (h *Hook) note() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Finish makes [Hook.Run] return once no event waits.
func (h *Hook) Finish() {
	h.mu.Lock()
	h.finished = true
	h.mu.Unlock()
	h.note()
}

// Run runs the program for events until the context ends, and returns its cause, or until
// [Hook.Finish], and then returns nil. A program that is under way is killed when the
// context ends. Events that wait are kept for the next Run. Only one Run may be running.
func (h *Hook) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		t, o, finished := h.next()
		switch {
		case t != nil:
			h.call(ctx, o, t)
			continue
		case finished:
			return nil
		}
		select {
		case <-ctx.Done():
		case <-h.wake:
		}
	}
	return context.Cause(ctx)
}

// next takes an event from the queue, with the options of now. It returns nil without
// one, and whether one may still come.
func (h *Hook) next() (t *eventText, o HookOptions, finished bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		h.queue = nil // so that a long queue does not stay in memory
		return nil, h.o, h.finished
	}
	first := h.queue[0]
	h.queue[0] = eventText{}
	h.queue = h.queue[1:]
	h.status.Running = true
	return &first, h.o, false
}

// call runs the program for one event.
func (h *Hook) call(ctx context.Context, o HookOptions, t *eventText) {
	if t.Dropped > 0 {
		h.onError(fmt.Errorf("health: %d events were dropped, because more than %d waited for %s", t.Dropped, o.Queue, o.Path))
	}
	err := o.run(ctx, t)
	h.mu.Lock()
	h.status.Running, h.status.Error = false, ""
	h.status.Runs++
	if err != nil {
		h.status.Failed++
		h.status.Error = err.Error()
	}
	h.mu.Unlock()
	if err != nil {
		h.onError(fmt.Errorf("health: run for %q: %w", t.Text, err))
	}
}

// run runs the program for one event, and returns why it did not do its work.
func (o *HookOptions) run(ctx context.Context, t *eventText) error {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	line, err := t.line()
	if err != nil {
		return err
	}
	p := program{argv: append([]string{o.Path}, o.Args...), env: append(t.env(), o.Env...), stdin: line}
	result, err := p.run(ctx)
	if err == nil && result.code != 0 {
		err = fmt.Errorf("%s exited with status %d", o.Path, result.code)
	}
	if err != nil {
		return withOutput(err, result.output)
	}
	return nil
}

// Status returns what the hook has done.
func (h *Hook) Status() HookStatus {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.status
	s.Waiting = len(h.queue)
	return s
}
