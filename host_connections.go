package lvs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"time"
)

// The files that list connections. They differ in the columns at the end of a line.
const (
	connectionsPath = "/proc/net/ip_vs_conn"
	originsPath     = "/proc/net/ip_vs_conn_sync"
)

// Connections returns the entries of the kernel's connection table that a filter selects,
// in no particular order. It reads them while the loop runs, in constant memory; a loop
// that ends early reads no further. The kernel's files have neither the service of an
// entry nor its firewall mark, forwarding method and counters.
//
// The result is not a consistent picture. The kernel lists a few dozen entries at a time,
// and while connections come and go it may omit entries, or list them twice. Since Linux
// 7.1 it may do so for some milliseconds after that, too, while it moves its entries to a
// larger or a smaller table. Kernels before 7.1 search their place in the table each time,
// so the time that they need grows with the square of the table.
//
// An error comes with the last pair, and what was read before it is not the whole table.
// It matches [ErrInvalid] if the filter can select nothing, [ErrUnavailable] if the kernel
// has no IPVS, [errors.ErrUnsupported] if the kernel's text cannot be understood, where
// [Error.Line] and [Error.Column] are the place in it, and [ErrClosed] if the host was
// closed before the end. A filter with a Client adds the errors of [Host.QuickTable]. [Host.Close] does not wait for the
// loop: it ends it the next time that something has to be read.
func (h *Host) Connections(ctx context.Context, f ConnectionFilter) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		path := f.path()
		selects, err := f.compile()
		if err == nil && selects.needsMasks() {
			var table QuickTable
			table, err = h.QuickTable(ctx)
			selects.masks = newTemplateMasks(table)
		}
		if err == nil {
			err = h.eachConnection(ctx, path, selects, yield)
		}
		if err != nil {
			yield(Connection{}, connectionsError(path, err))
		}
	}
}

// eachConnection yields connections until yield returns false.
func (h *Host) eachConnection(ctx context.Context, path string, selects connectionSelector, yield func(Connection, error) bool) error {
	file, err := within(ctx, func() (io.ReadCloser, error) { return h.files.Open(path) })
	if err != nil {
		return err
	}
	defer file.Close()
	r := newConnectionReader(untilEnd{ctx, h, file})
	for {
		c, err := r.next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case selects.has(c) && !yield(*c, nil):
			return nil
		}
	}
}

// untilEnd reads a file as long as neither the context has ended nor the host is being
// closed.
type untilEnd struct {
	ctx  context.Context
	host *Host
	file io.Reader
}

func (r untilEnd) Read(b []byte) (int, error) {
	if err := r.host.ended(r.ctx); err != nil {
		return 0, err
	}
	return r.file.Read(b)
}

// How often, and how far apart, a listing that has entries twice is read again.
const (
	mostListings    = 10
	betweenListings = 5 * time.Millisecond
)

// wholeTable returns all entries of the connection table, each once. A listing that has
// some twice may lack others and is read again.
func (h *Host) wholeTable(ctx context.Context) (all []Connection, err error) {
	for range mostListings {
		if all, err = CollectConnections(h.Connections(ctx, ConnectionFilter{})); err != nil {
			return nil, err
		}
		listed := len(all)
		if all = distinctConnections(all); len(all) == listed {
			break
		}
		if err := pause(ctx, betweenListings); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// distinctConnections removes entries that were listed before.
func distinctConnections(all []Connection) []Connection {
	seen := make(map[Connection]bool, len(all))
	return slices.DeleteFunc(all, func(c Connection) bool {
		c.State, c.Expires = "", 0 // may change between
		before := seen[c]
		seen[c] = true
		return before
	})
}

// connectionsError returns the error of a listing with its kind.
func connectionsError(path string, err error) error {
	var known *Error
	switch {
	case errors.As(err, &known) && known.Op != "":
		return known
	case known != nil:
		return known.about(OpReadHost, path)
	case errors.Is(err, fs.ErrNotExist):
		return (&Error{kind: ErrUnavailable, cause: fs.ErrNotExist, hint: hintNoIPVS}).about(OpReadHost, path)
	}
	return fileError(OpReadHost, path, err)
}

// CollectConnections returns all connections of a sequence, or its error.
func CollectConnections(all iter.Seq2[Connection, error]) ([]Connection, error) {
	var list []Connection
	for c, err := range all {
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}
