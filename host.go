package lvs

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/golvs/lvs/internal/release"
)

// Host is a network namespace, real or simulated. It gives access to the IPVS table
// through a [Client], to what the kernel has under /proc, and to the resources of a
// [Setup]. Any number of goroutines may use it. The zero Host is not usable: get one from
// [OpenHost] or [Simulator.Host].
type Host struct {
	client   *Client
	guard    *guard
	files    files         // by the guard
	network  network       // by the guard
	changing chan struct{} // has room for one call that changes resources

	life context.Context // ends when the host is being closed
	end  context.CancelCauseFunc
}

func newHost(client *Client, g *guard) *Host {
	life, end := context.WithCancelCause(context.Background())
	return &Host{client, g, g, g, make(chan struct{}, 1), life, end}
}

// files is the seam between a host and the files of a kernel, real or simulated. Paths
// are those of /proc as seen by a process in the namespace.
type files interface {
	ReadFile(path string) ([]byte, error)
	Open(path string) (io.ReadCloser, error)     // to be read anywhere
	ReadFiles(paths []string) ([]content, error) // many cost little more than one
	WriteFile(path string, data []byte) error
}

// content is the content of a file, or the error of reading it.
type content struct {
	text []byte
	err  error
}

// readEach reads files one by one.
func readEach(paths []string, read func(path string) ([]byte, error)) []content {
	all := make([]content, len(paths))
	for i, path := range paths {
		all[i].text, all[i].err = read(path)
	}
	return all
}

// OpenHost returns the network namespace of the calling thread, or the one that an
// option gives, as [Open] does. The namespace is opened once: that a name is removed or
// bound to another namespace later changes nothing. A host may be without IPVS, as real
// servers are: then the errors of its client match [ErrUnavailable].
//
// A context from [WithSimulators] makes OpenHost return hosts of simulators.
func OpenHost(ctx context.Context, opts ...Option) (*Host, error) {
	o := optionsOf(opts)
	if s, ok := ctx.Value(simulatedNamespaces{}).(hostOpener); ok {
		return s.openHost(ctx, o)
	}
	g, dial, err := o.openKernel()
	if err != nil {
		return nil, o.openError(err)
	}
	log := orDiscard(o.log)
	client, err := newClient(ctx, dial, log)
	if errors.Is(err, ErrUnavailable) {
		client, err = lateClient(dial, log), nil
	}
	if err != nil {
		_ = g.close()
		return nil, err
	}
	return newHost(client, g), nil
}

type hostOpener interface {
	openHost(ctx context.Context, o *options) (*Host, error)
}

// Client returns the client of the host's table. It is closed with the host.
func (h *Host) Client() *Client { return h.client }

// Close closes the host and its client. It ends a [Host.Apply] or [Host.Undo] that is
// running, as the end of its context would: Apply sets back what it did. Close waits for
// that, and for every call that is inside the kernel, even one whose caller has given up,
// so that nothing changes the namespace after Close has returned. The errors of the calls
// that it ends, and of all later ones, match [ErrClosed]. So does that of a second Close,
// which waits for the first.
func (h *Host) Close() error {
	h.end(errHostClosed)
	_ = h.client.Close() // it may be closed already
	h.changing <- struct{}{}
	defer h.unlock()
	if err := h.guard.close(); err != nil {
		return fileError(OpClose, "host", err)
	}
	return nil
}

// open returns an error if the host is closed.
func (h *Host) open(op Op, object string) error {
	if h.life.Err() != nil {
		return fileError(op, object, errHostClosed)
	}
	return nil
}

// ended returns why work must stop: its context has ended, or the host is being closed.
func (h *Host) ended(ctx context.Context) error {
	return cmp.Or(context.Cause(ctx), context.Cause(h.life))
}

func (h *Host) readFile(ctx context.Context, path string) ([]byte, error) {
	text, err := within(ctx, func() ([]byte, error) { return h.files.ReadFile(path) })
	return text, fileError(OpReadHost, path, err)
}

// readFiles reads many files. The error concerns all of them.
func (h *Host) readFiles(ctx context.Context, paths []string) ([]content, error) {
	all, err := within(ctx, func() ([]content, error) { return h.files.ReadFiles(paths) })
	for i := range all {
		all[i].err = fileError(OpReadHost, paths[i], all[i].err)
	}
	return all, fileError(OpReadHost, "files", err)
}

// within waits for work no longer than the context lasts. Work that is given up continues
// until the kernel lets go of it; [Host.Close] waits for it.
func within[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	if err := context.Cause(ctx); err != nil {
		return *new(T), err
	}
	done := make(chan result, 1)
	go func() {
		value, err := work()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return *new(T), context.Cause(ctx)
	}
}

// KernelRelease returns the release of Linux that the host runs, such as "6.12.94", as
// far as its files tell: the release of Debian's kernels names their ABI, such as
// 6.12.94+deb13-amd64, and the version of the source is taken from elsewhere. That of a
// simulated host is [SimOptions.Kernel]. The error matches [ErrClosed] after
// [Host.Close].
func (h *Host) KernelRelease(ctx context.Context) (string, error) {
	files, err := h.readFiles(ctx, []string{"/proc/sys/kernel/version", "/proc/sys/kernel/osrelease"})
	if err != nil {
		return "", err
	}
	version, osrelease := files[0], files[1]
	return release.OfKernel(string(osrelease.text), string(version.text)), cmp.Or(version.err, osrelease.err)
}
