package health

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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
//	LVS_STATE    is        of a server, "up" or "down"; of a limit, "below" or "above"
//	LVS_DROPPED  dropped   how many events were lost before this one
//
// The object also has "at", when the event was, and, by kind, "was", "reason", "then",
// "working", "needed", "content", "most" and "override". Otherwise its environment has Env
// alone. Its end status says whether it did its work; what it prints is part of the error
// if not. When its time is over, its process group is killed.
type Hook struct {
	o       HookOptions
	onError func(error)

	mu     sync.Mutex
	queue  []hookCall
	wake   chan struct{} // has an element when there is something in the queue
	status HookStatus
}

// HookOptions configures a [Hook].
type HookOptions struct {
	Path string   `json:"path"`           // of the program; must be absolute, and is run without a shell
	Args []string `json:"args,omitempty"` // behind its name
	Env  []string `json:"env,omitempty"`  // in the form "NAME=value"

	Events  []EventKind   `json:"events,omitempty"`  // it runs for these; none is all
	Timeout time.Duration `json:"timeout,omitempty"` // of one run; 0 is 10 s
	Queue   int           `json:"queue,omitempty"`   // how many events may wait, the oldest being dropped beyond that; 0 is 1000
}

// MarshalJSON returns the options in JSON. Fields that are zero are left out, and Timeout
// is a text such as "10s".
func (o HookOptions) MarshalJSON() ([]byte, error) { return encode(&o) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (o *HookOptions) UnmarshalJSON(text []byte) error { return decode(text, o) }

// HookStatus is what a hook has done.
type HookStatus struct {
	Runs    int    `json:"runs"`              // that ended
	Failed  int    `json:"failed"`            // of those, that did not start, were killed or ended with a status that is not 0
	Waiting int    `json:"waiting"`           // events for which it has not run yet
	Dropped int    `json:"dropped"`           // events for which it will not run, because too many were waiting
	Error   string `json:"error,omitempty"`   // of the last run; "" if it succeeded
	Running bool   `json:"running,omitempty"` // whether the program runs now
}

// hookCall is an event for which a program runs.
type hookCall struct {
	event   Event
	at      time.Time
	dropped int // before it
}

const (
	defaultHookTimeout = 10 * time.Second
	defaultHookQueue   = 1000
	longestHookTimeout = time.Hour
	longestHookQueue   = 1_000_000
)

// Validate returns an error that matches [lvs.ErrInvalid] if the hook can never work.
func (o HookOptions) Validate() error {
	if err := (Exec{Path: o.Path, Args: o.Args, Env: o.Env}).validate(); err != nil {
		return within("HookOptions", err)
	}
	for i, kind := range o.Events {
		if !slices.Contains(eventKinds, kind) {
			return invalid(indexed("HookOptions.Events", i), "%q is not one of %q", kind, eventKinds)
		}
	}
	switch {
	case o.Timeout < 0 || o.Timeout > longestHookTimeout:
		return invalid("HookOptions.Timeout", "%s is out of range [0s, %s]", o.Timeout, longestHookTimeout)
	case o.Queue < 0 || o.Queue > longestHookQueue:
		return invalid("HookOptions.Queue", "%d is out of range [0, %d]", o.Queue, longestHookQueue)
	}
	return nil
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
	o.Timeout, o.Queue = cmp.Or(o.Timeout, defaultHookTimeout), cmp.Or(o.Queue, defaultHookQueue)
	return &Hook{o: o, onError: onError, wake: make(chan struct{}, 1)}, nil
}

// OnEvent makes the program run for an event. It never waits.
func (h *Hook) OnEvent(e Event) {
	if len(h.o.Events) > 0 && !slices.Contains(h.o.Events, e.event()) {
		return
	}
	h.mu.Lock()
	h.queue = append(h.queue, hookCall{event: e, at: time.Now().Round(0)})
	if len(h.queue) > h.o.Queue {
		// The newest events are what is true now.
		h.queue[1].dropped += h.queue[0].dropped + 1
		h.queue[0] = hookCall{}
		h.queue = h.queue[1:]
		h.status.Dropped++
	}
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Run runs the program for events until the context ends, and returns its cause. A run
// that is under way is killed then. Events that wait are kept for the next Run. Only one
// Run may be running.
func (h *Hook) Run(ctx context.Context) error {
	for {
		for ctx.Err() == nil {
			call, ok := h.next()
			if !ok {
				break
			}
			h.call(ctx, call)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-h.wake:
		}
	}
}

// next takes an event from the queue.
func (h *Hook) next() (hookCall, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.queue) == 0 {
		h.queue = nil // so that a long queue does not stay in memory
		return hookCall{}, false
	}
	call := h.queue[0]
	h.queue[0] = hookCall{}
	h.queue = h.queue[1:]
	h.status.Running = true
	return call, true
}

// call runs the program for one event.
func (h *Hook) call(ctx context.Context, c hookCall) {
	if c.dropped > 0 {
		h.onError(fmt.Errorf("health: hook %s: %d events were dropped, because more than %d waited", h.o.Path, c.dropped, h.o.Queue))
	}
	err := h.run(ctx, c)
	h.mu.Lock()
	h.status.Running, h.status.Error = false, ""
	h.status.Runs++
	if err != nil {
		h.status.Failed++
		h.status.Error = err.Error()
	}
	h.mu.Unlock()
	if err != nil {
		h.onError(fmt.Errorf("health: hook for %q: %w", c.event.String(), err))
	}
}

func (h *Hook) run(ctx context.Context, c hookCall) error {
	ctx, cancel := context.WithTimeout(ctx, h.o.Timeout)
	defer cancel()
	text := textOf(c)
	line, err := text.line()
	if err != nil {
		return err
	}
	p := program{argv: append([]string{h.o.Path}, h.o.Args...), env: append(text.env(), h.o.Env...), stdin: line}
	result, err := p.run(ctx)
	if err == nil && result.code != 0 {
		err = fmt.Errorf("%s exited with status %d", h.o.Path, result.code)
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
