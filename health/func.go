package health

import (
	"context"
	"fmt"
)

// Func is a probe that a program brings along. Its address is its identity: a [Monitor]
// keeps what it knows of one that is in a policy again.
type Func struct {
	Name string // for status and events; "" is "func"

	// Ask asks the target, as a [Probe] does; must be set. It returns when the context
	// ends, at the latest.
	Ask func(ctx context.Context, t Target) (Answer, error)
}

// Probe calls Ask.
func (f *Func) Probe(ctx context.Context, t Target) (Answer, error) { return f.Ask(ctx, t) }

// String returns the name.
func (f *Func) String() string {
	if f.Name == "" {
		return funcKind
	}
	return f.Name
}

func (f *Func) validate() error {
	if f.Ask == nil {
		return invalid("Ask", "must be set")
	}
	return nil
}

// identity differs from that of any other, because functions cannot be compared.
func (f *Func) identity() string { return fmt.Sprintf("%p", f) }
