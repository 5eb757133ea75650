package lvs

import (
	"context"
	"io"
	"net/netip"
	"sync"

	"github.com/golvs/lvs/internal/netstate"
)

// guard is the only way from a host to what it has besides the table. Everything runs
// inside the host's namespace, and nothing runs once the host is closed, so nothing can
// happen in the namespace in which a thread is by chance.
type guard struct {
	files   files
	network network
	inside  func(fn func() error) error // runs fn in the namespace
	release func() error                // closes the namespace

	mu       sync.Mutex
	isClosed bool
	uses     sync.WaitGroup // that began before it was closed
}

// errHostClosed is the error of calls that are running when a host is closed, and of
// later ones.
var errHostClosed error = newKind("the host is closed", ErrClosed)

// begin counts a use, until uses.Done.
func (g *guard) begin() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isClosed {
		return errHostClosed
	}
	g.uses.Add(1)
	return nil
}

// close refuses all further uses, and waits for the others.
func (g *guard) close() error {
	g.mu.Lock()
	wasClosed := g.isClosed
	g.isClosed = true
	g.mu.Unlock()
	if wasClosed {
		return errHostClosed
	}
	g.uses.Wait()
	return g.release()
}

// through returns what work returns, which runs inside the namespace.
func through[T any](g *guard, work func() (T, error)) (value T, err error) {
	if err := g.begin(); err != nil {
		return value, err
	}
	defer g.uses.Done()
	err = g.inside(func() (err error) {
		value, err = work()
		return err
	})
	return value, err
}

// does is like through for work that returns only an error.
func (g *guard) does(work func() error) error {
	_, err := through(g, func() (struct{}, error) { return struct{}{}, work() })
	return err
}

func (g *guard) ReadFile(path string) ([]byte, error) {
	return through(g, func() ([]byte, error) { return g.files.ReadFile(path) })
}

// Open opens a file inside the namespace. It may be read elsewhere, but not once the host
// is closed.
func (g *guard) Open(path string) (io.ReadCloser, error) {
	file, err := through(g, func() (io.ReadCloser, error) { return g.files.Open(path) })
	if err != nil {
		return nil, err
	}
	return guardedFile{g, file}, nil
}

// guardedFile is a file that was opened inside the namespace, and belongs to it.
type guardedFile struct {
	guard *guard
	io.ReadCloser
}

func (f guardedFile) Read(b []byte) (int, error) {
	if err := f.guard.begin(); err != nil {
		return 0, err
	}
	defer f.guard.uses.Done()
	return f.ReadCloser.Read(b)
}

func (g *guard) ReadFiles(paths []string) ([]content, error) {
	return through(g, func() ([]content, error) { return g.files.ReadFiles(paths) })
}

func (g *guard) WriteFile(path string, data []byte) error {
	return g.does(func() error { return g.files.WriteFile(path, data) })
}

func (g *guard) Find(f netstate.Resource) (netstate.Resource, error) {
	return through(g, func() (netstate.Resource, error) { return g.network.Find(f) })
}

func (g *guard) Put(f netstate.Resource) error {
	return g.does(func() error { return g.network.Put(f) })
}

func (g *guard) Remove(f netstate.Resource) error {
	return g.does(func() error { return g.network.Remove(f) })
}

func (g *guard) Links() ([]netstate.Link, error) {
	return through(g, func() ([]netstate.Link, error) { return g.network.Links() })
}

func (g *guard) Addresses() ([]netstate.Address, error) {
	return through(g, func() ([]netstate.Address, error) { return g.network.Addresses() })
}

func (g *guard) Observe(ctx context.Context) (netstate.Observed, error) {
	return through(g, func() (netstate.Observed, error) { return g.network.Observe(ctx) })
}

func (g *guard) Settled(f netstate.Resource) (bool, error) {
	return through(g, func() (bool, error) { return g.network.Settled(f) })
}

func (g *guard) Identity() (string, error) { return through(g, g.network.Identity) }

func (g *guard) Lookup(to, from netip.Addr) (netstate.Route, error) {
	return through(g, func() (netstate.Route, error) { return g.network.Lookup(to, from) })
}
