// Package seam opens package lvs where it meets a kernel or a file, for tests.
package seam

import (
	"context"

	"github.com/golvs/lvs/internal/genl"
)

type dialerKey struct{}

// WithDialer returns a context that makes lvs.Open return a client whose sockets dial
// opens.
func WithDialer(ctx context.Context, dial genl.Dialer) context.Context {
	return context.WithValue(ctx, dialerKey{}, dial)
}

// Dialer returns the dialer of a context, nil if it has none.
func Dialer(ctx context.Context) genl.Dialer {
	dial, _ := ctx.Value(dialerKey{}).(genl.Dialer)
	return dial
}

type stepKey struct{}

// WithStep returns a context with which each [Step] calls step.
func WithStep(ctx context.Context, step func(name string)) context.Context {
	return context.WithValue(ctx, stepKey{}, step)
}

// Step marks a place at which a test may interrupt the program.
func Step(ctx context.Context, name string) {
	if step, ok := ctx.Value(stepKey{}).(func(string)); ok {
		step(name)
	}
}
