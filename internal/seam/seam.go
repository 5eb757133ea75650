// Package seam opens package lvs where it meets a kernel, for tests in other packages.
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
