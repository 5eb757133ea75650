package lvs

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/golvs/lvs/internal/genl"
)

// Host is one network namespace with IPVS in it, real or simulated: its table,
// by a [Client], and what the kernel tells and takes by files. Any number of
// goroutines may use it.
type Host struct {
	client   *Client
	guard    *guard
	files    files         // by the guard
	network  network       // by the guard
	changing chan struct{} // has room for one who changes settings

	life context.Context // ends when the host is being closed
	end  context.CancelCauseFunc
}

func newHost(client *Client, g *guard) *Host {
	life, end := context.WithCancelCause(context.Background())
	return &Host{client, g, g, g, make(chan struct{}, 1), life, end}
}

// files is the seam between a host and a kernel, real or simulated, beside the
// client's. Paths are those of /proc as a process in the namespace sees it.
type files interface {
	ReadFile(path string) ([]byte, error)
	ReadFiles(paths []string) ([]content, error) // many cost little more than one
	WriteFile(path string, data []byte) error
}

// content is that of a file, or why it could not be read.
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

// OpenHost returns the network namespace of the calling thread, or another one,
// as [Open] does. The namespace is opened once: a name that is removed or bound to
// another namespace later changes nothing. A host without IPVS is one too, for a
// real server takes none: its client answers [ErrUnavailable].
func OpenHost(ctx context.Context, opts ...Option) (*Host, error) {
	o := optionsOf(opts)
	g, err := o.openKernel()
	if err != nil {
		return nil, o.openError(err)
	}
	client, err := o.open(func(dial genl.Dialer) (*Client, error) { return newClient(ctx, dial, o.log) })
	if errors.Is(err, ErrUnavailable) {
		client, err = o.open(func(dial genl.Dialer) (*Client, error) { return lateClient(dial, o.log), nil })
	}
	if err != nil {
		_ = g.close()
		return nil, err
	}
	return newHost(client, g), nil
}

// Client returns the client of the host's table. It ends with the host.
func (h *Host) Client() *Client { return h.client }

// Close closes the host and its client. It ends an [Host.Apply] or [Host.Undo] that
// is under way as the end of its context would: Apply sets back what it did. Close
// waits for that, and for all that is inside the kernel, calls that were given up
// included, so nothing changes the namespace after it has returned. What it ends
// and every later call is [ErrClosed]; closing twice is [ErrClosed] too, once the
// first Close is done.
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

// open refuses the work of a host that is closed.
func (h *Host) open(op Op, object string) error {
	if h.life.Err() != nil {
		return fileError(op, object, errHostClosed)
	}
	return nil
}

// ended says why work is to stop: its context has ended, or the host is being closed.
func (h *Host) ended(ctx context.Context) error {
	return cmp.Or(context.Cause(ctx), context.Cause(h.life))
}

func (h *Host) readFile(ctx context.Context, path string) ([]byte, error) {
	text, err := within(ctx, func() ([]byte, error) { return h.files.ReadFile(path) })
	return text, fileError(OpReadHost, path, err)
}

// readFiles reads many files. The error is that of all of them.
func (h *Host) readFiles(ctx context.Context, paths []string) ([]content, error) {
	all, err := within(ctx, func() ([]content, error) { return h.files.ReadFiles(paths) })
	for i := range all {
		all[i].err = fileError(OpReadHost, paths[i], all[i].err)
	}
	return all, fileError(OpReadHost, "files", err)
}

// within waits for work no longer than the context lasts. Work that is given up goes
// on until the kernel lets go of it; [Host.Close] waits for it.
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

// debianVersionText finds the version in what Debian's kernels say of their build.
// Their release names the ABI instead: 6.1.0-56-amd64.
var debianVersionText = regexp.MustCompile(`Debian (\d+\.\d+\.\d+)`)

// kernelRelease returns the host's release of Linux.
func (h *Host) kernelRelease(ctx context.Context) (string, error) {
	files, err := h.readFiles(ctx, []string{"/proc/sys/kernel/version", "/proc/sys/kernel/osrelease"})
	if err != nil {
		return "", err
	}
	version, release := files[0], files[1]
	if m := debianVersionText.FindSubmatch(version.text); m != nil {
		return string(m[1]), nil
	}
	return strings.TrimSpace(string(release.text)), cmp.Or(version.err, release.err)
}
