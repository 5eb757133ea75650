package lvs

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
)

// WithSimulators returns a context that makes [Open] and [OpenHost] return clients and
// hosts of simulators, so that a program that opens namespaces can be tested as it is.
// The keys are the names or paths that it gives to [InNamespace]; "" is the
// namespace that is opened without an option. A namespace that has no simulator, or a
// nil one, does not exist: the error matches [ErrInvalid] and [os.ErrNotExist]. So
// does that of [InNamespaceFile], which is never simulated. Nothing is opened on the
// machine.
//
// The map is copied. [WithLogger] counts, and [SimOptions.Logger] without it.
func WithSimulators(ctx context.Context, namespaces map[string]*Simulator) context.Context {
	return context.WithValue(ctx, simulatedNamespaces{}, simulators(maps.Clone(namespaces)))
}

// simulators are those of a context, by the names of their namespaces.
type simulators map[string]*Simulator

func (all simulators) openClient(ctx context.Context, o *options) (*Client, error) {
	s := all[o.name]
	if s == nil || o.given == "InNamespaceFile" {
		bad := &Error{Field: o.given, kind: ErrInvalid, cause: fmt.Errorf("network namespace %q is not simulated: %w", o.name, os.ErrNotExist)}
		return nil, bad.about(OpOpen, "IPVS")
	}
	return s.clientThat(ctx, cmp.Or(o.log, s.log))
}

func (all simulators) openHost(ctx context.Context, o *options) (*Host, error) {
	client, err := all.openClient(ctx, o)
	if err != nil {
		return nil, err
	}
	return newHost(client, all[o.name].guard()), nil
}
