package lvs

import (
	"errors"
	"log/slog"
	"os"

	"github.com/golvs/lvs/internal/netspace"
)

// Option is an option of [Open] and [OpenHost]. A nil Option does nothing. Of options
// that contradict each other, the last one counts.
type Option func(*options)

type options struct {
	given string       // the option that chose the namespace; "" for that of the calling thread
	name  string       // for InNamespace
	file  *os.File     // for InNamespaceFile
	log   *slog.Logger // nil if none was given
}

// InNamespace opens the network namespace with a name that `ip netns` lists, or with a
// path, such as /proc/123/ns/net. Entering another namespace needs CAP_SYS_ADMIN. The
// error of what is not a namespace matches [ErrInvalid], and [os.ErrNotExist] too if
// it does not exist.
func InNamespace(nameOrPath string) Option {
	return func(o *options) { o.given, o.name = "InNamespace", nameOrPath }
}

// InNamespaceFile opens the network namespace of an open file, such as
// /proc/123/ns/net. The file stays the caller's, who can close it after [Open] or
// [OpenHost] has returned. Entering another namespace needs CAP_SYS_ADMIN. The error
// of a file that is nil, closed, or not of a network namespace matches [ErrInvalid].
func InNamespaceFile(f *os.File) Option {
	return func(o *options) { o.given, o.file = "InNamespaceFile", f }
}

// WithLogger logs every call at level Debug, with its object, its duration and its
// error. With nil, or without this option, nothing is logged.
func WithLogger(l *slog.Logger) Option {
	return func(o *options) { o.log = orDiscard(l) }
}

// orDiscard returns a logger that discards everything in place of nil.
func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}

func optionsOf(opts []Option) *options {
	o := new(options)
	for _, opt := range opts {
		if opt != nil {
			opt(o)
		}
	}
	return o
}

// openError explains why the namespace could not be opened.
func (o *options) openError(err error) error {
	e := call{op: OpOpen, object: "IPVS"}.explain(err)
	unknown := e.kind == nil || e.kind == errors.ErrUnsupported
	switch {
	case errors.Is(err, netspace.ErrNotNamespace), unknown && o.given != "":
		e.kind, e.Field = ErrInvalid, o.given
		e.hint = "give a name that 'ip netns' lists, or a path such as /proc/PID/ns/net; one that was removed is an empty file"
		if o.given == "InNamespaceFile" {
			e.hint = "give an open file of a network namespace, such as /proc/PID/ns/net"
		}
	case unknown:
		e.kind, e.hint = ErrUnavailable, "mount /proc"
	}
	return e
}
