package lvs

import (
	"context"
	"errors"
	"strconv"

	"github.com/golvs/lvs/internal/genl"
)

// Do makes changes, in order, many with one system call. It continues after a
// change that fails. Without changes it does nothing.
//
// The error, also of a single change, is a [*BatchError] that lists the changes
// that were not made, or of which that is not known; every other change was made.
// If a change is invalid, nothing is sent: the error lists all changes, the valid
// ones with [ErrSkipped]. [errors.As] finds an [*Error] in it, that of the first
// change that was refused, and [Ignore] removes errors that do not matter.
func (c *Client) Do(ctx context.Context, changes ...Change) error {
	if err := validateAll(changes); err != nil {
		return err
	}
	return c.send(ctx, changes)
}

// do1 makes one change and returns its own error.
func (c *Client) do1(ctx context.Context, ch Change) error {
	if err := ch.Validate(); err != nil {
		return err
	}
	return c.send1(ctx, ch)
}

// send1 makes one change without validating it, and returns its own error.
func (c *Client) send1(ctx context.Context, ch Change) error {
	err := c.send(ctx, []Change{ch})
	if batch, ok := err.(*BatchError); ok {
		return batch.Failures[0].Err
	}
	return err
}

// send makes changes without validating them.
func (c *Client) send(ctx context.Context, changes []Change) error {
	start := c.start(ctx)
	requests := requestsOf(changes)
	fates, cause := c.conn.Send(ctx, len(requests), func(b []byte, i int) []byte { return requests[i].appendTo(b) })
	var err error
	if fates != nil {
		err = batchError(changes, fates)
	} else if cause != nil {
		err = call{op: OpDo}.explain(cause)
	}
	if c.note != nil {
		c.note(changes, err)
	}
	if !start.IsZero() {
		c.trace(ctx, call{op: OpDo, object: strconv.Itoa(len(changes)) + " changes"}, start, err)
	}
	return err
}

// validateAll returns an error of all changes if some of them are invalid.
func validateAll(changes []Change) error {
	var bad map[int]*Error
	for i := range changes {
		if err := changes[i].validate(); err != nil {
			if bad == nil {
				bad = make(map[int]*Error)
			}
			bad[i] = err
		}
	}
	if bad == nil {
		return nil
	}
	e := &BatchError{Total: len(changes)}
	for i, ch := range changes {
		err := bad[i]
		if err == nil {
			err = &Error{Outcome: OutcomeNotSent, kind: ErrSkipped, detail: "it was not sent, because another change is invalid"}
		}
		what := ch.call()
		e.Failures = append(e.Failures, Failure{i, ch, err.about(what.op, what.object)})
	}
	return e
}

// requestsOf returns the changes with the two commands of each put in its place.
func requestsOf(changes []Change) []Change {
	puts := 0
	for i := range changes {
		if changes[i].isPut() {
			puts++
		}
	}
	if puts == 0 {
		return changes
	}
	all := make([]Change, 0, len(changes)+puts)
	for _, ch := range changes {
		if ch.isPut() {
			add, update := ch.addOrUpdate()
			all = append(all, add, update)
		} else {
			all = append(all, ch)
		}
	}
	return all
}

func (ch Change) isPut() bool {
	kind := ch.get().kind
	return kind == putService || kind == putServer
}

// addOrUpdate returns the two changes that a put consists of. Both are sent, so that
// the order of all changes stays: the update repeats what the addition has done, or
// does what it could not.
func (ch Change) addOrUpdate() (add, update Change) {
	d := ch.get()
	if d.kind == putService {
		return serviceChange(addService, d.service), serviceChange(updateService, d.service)
	}
	return serverChange(addServer, d.service.ID, d.server), serverChange(updateServer, d.service.ID, d.server)
}

// batchError returns the error of changes by the fates of their requests, or nil if
// all were made.
func batchError(changes []Change, fates []genl.Fate) error {
	e := &BatchError{Total: len(changes)}
	for i, ch := range changes {
		request, fate := ch, fates[0]
		if fates = fates[1:]; ch.isPut() {
			request, fate = ch.fateOfPut(fate, fates[0])
			fates = fates[1:]
		}
		if fate.State == genl.Done {
			continue
		}
		err := request.call().explain(fate.Err)
		err.Op = ch.Op()
		switch fate.State {
		case genl.Unknown:
			err.Outcome = OutcomeUnknown
			err.prefix("it was sent, and its outcome is unknown")
		case genl.NotSent:
			err.Outcome = OutcomeNotSent
			err.prefix("it was not sent")
		}
		e.Failures = append(e.Failures, Failure{i, ch, err})
	}
	if e.Failures == nil {
		return nil
	}
	return e
}

// fateOfPut returns the fate of a put, and the request that decided it.
func (ch Change) fateOfPut(added, updated genl.Fate) (Change, genl.Fate) {
	add, update := ch.addOrUpdate()
	var answer *genl.Error
	exists := added.State == genl.Failed && errors.As(added.Err, &answer) && Errno(answer.Errno) == EEXIST
	if exists || updated.State == genl.Done || updated.State == genl.Unknown && added.State == genl.NotSent {
		return update, updated
	}
	return add, added
}
