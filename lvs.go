package lvs

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/seam"
	"github.com/golvs/lvs/internal/wire"
)

// Client reads and changes the IPVS table of one network namespace. [Open],
// [Host.Client] and [Simulator.Client] return one; the zero Client is not usable. It
// is safe for concurrent use.
//
// Every call returns promptly when its context ends, whatever the kernel is doing. A
// change that was on its way then has an [Error] with [OutcomeUnknown]: the kernel
// may have made it, or may still make it. Later changes of the same client wait,
// within their own contexts, until the kernel is done with it, so that none overtakes
// it. Reading does not wait.
//
// The errors of all methods are of type [*Error], except that of [Client.Do]. Every
// method can fail with [ErrPermission], [ErrUnavailable], [ErrBusy], [ErrStuck],
// [ErrClosed] and the context's error; the methods' comments name the other kinds.
type Client struct {
	conn    *genl.Conn
	release func() error
	log     *slog.Logger
	note    func(changes []Change, err error) // of a simulator, after each Do; nil for the kernel
	listed  atomic.Int32                      // services of the last Snapshot, for which the next one has room
}

// Open returns a client for the network namespace of the calling thread, or for the
// one that an option gives. If the kernel has not loaded its IPVS module, it tries to;
// the error matches [ErrUnavailable] if the kernel has no IPVS. Opening needs no
// privilege, but every other call does: see [ErrPermission].
//
// A context from [WithSimulators] makes Open return clients of simulators.
func Open(ctx context.Context, opts ...Option) (*Client, error) {
	o := optionsOf(opts)
	if s, ok := ctx.Value(simulatedNamespaces{}).(clientOpener); ok {
		return s.openClient(ctx, o)
	}
	if dial := seam.Dialer(ctx); dial != nil {
		return newClient(ctx, dial, orDiscard(o.log))
	}
	dial, release, err := o.dialer()
	if err != nil {
		return nil, o.openError(err)
	}
	c, err := newClient(ctx, dial, orDiscard(o.log))
	if err != nil {
		_ = release()
		return nil, err
	}
	c.release = release
	return c, nil
}

// simulatedNamespaces is the key of a context's simulators, which replace the
// namespaces of this machine.
type simulatedNamespaces struct{}

type clientOpener interface {
	openClient(ctx context.Context, o *options) (*Client, error)
}

// newClient returns a client of the kernel that a dialer reaches, real or simulated.
func newClient(ctx context.Context, dial genl.Dialer, log *slog.Logger) (*Client, error) {
	c := &Client{log: log, release: func() error { return nil }}
	var err error
	start := c.start(ctx)
	c.conn, err = genl.Open(ctx, dial, wire.Family)
	if err = c.done(ctx, call{op: OpOpen, object: "IPVS"}, start, err); err != nil {
		return nil, err
	}
	return c, nil
}

// lateClient returns a client that looks for IPVS in its first call.
func lateClient(dial genl.Dialer, log *slog.Logger) *Client {
	return &Client{log: log, release: func() error { return nil }, conn: genl.New(dial, wire.Family)}
}

// Close ends the calls in flight, which fail with [ErrClosed], and closes all
// sockets. Closing again fails with [ErrClosed], too.
func (c *Client) Close() error {
	if err := c.conn.Close(); err != nil {
		return call{op: OpClose, object: "client"}.explain(err)
	}
	return c.release()
}

// listRounds is how often services are listed if some are listed twice. The pauses
// between, which double, add up to a second.
const (
	listRounds = 10
	firstPause = time.Millisecond
)

// Services returns all services, ordered by [ServiceID.Compare]. Services that are
// added or removed at the same time may be missing or included.
//
// If the table changes while it is being listed, the kernel may list some services
// twice and omit others; since Linux 7.1 this can last for a moment after the table
// has grown. Services then lists them again, and fails with [ErrUnstable] after about
// a second.
func (c *Client) Services(ctx context.Context) ([]ServiceStatus, error) {
	what := call{op: OpListServices}
	for round := range listRounds {
		all, err := dump(ctx, c, what, command(wire.CmdGetService), decodeService)
		if err != nil {
			return nil, err
		}
		listed := len(all)
		sortByID(all, func(s *ServiceStatus) ServiceID { return s.ID })
		all = slices.CompactFunc(all, func(a, b ServiceStatus) bool { return a.ID == b.ID })
		if len(all) == listed {
			return all, nil
		}
		if err := pause(ctx, firstPause<<round); err != nil {
			return nil, what.explain(err)
		}
	}
	return nil, &Error{
		Op: what.op, kind: ErrUnstable, hint: "try again when the table changes less often",
		detail: fmt.Sprintf("the table kept changing: each of %d listings contained duplicates", listRounds),
	}
}

// pause waits until a duration has passed or the context ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Service returns one service. It fails with [ErrNoService] if the service does not
// exist.
func (c *Client) Service(ctx context.Context, id ServiceID) (ServiceStatus, error) {
	if err := requireID(id); err != nil {
		return ServiceStatus{}, err.about(OpGetService, id.String())
	}
	return read(ctx, c, OpGetService, id, func(r *genl.Reader) (ServiceStatus, error) { return getService(r, id) })
}

// AddService makes the change [AddService]: it adds a service without real servers.
// It fails with [ErrExists], [ErrScheduler], [ErrEngine] or [ErrInvalid].
func (c *Client) AddService(ctx context.Context, s Service) error {
	return c.do1(ctx, AddService(s))
}

// UpdateService makes the change [UpdateService]: it replaces everything of a service
// but its ID, its real servers and its counters. To change one field, use
// [Client.ModifyService]. It fails with [ErrNoService], [ErrScheduler], [ErrEngine] or
// [ErrInvalid].
func (c *Client) UpdateService(ctx context.Context, s Service) error {
	return c.do1(ctx, UpdateService(s))
}

// RemoveService makes the change [RemoveService]: it removes a service with its real
// servers. It fails with [ErrNoService].
func (c *Client) RemoveService(ctx context.Context, id ServiceID) error {
	return c.do1(ctx, RemoveService(id))
}

// AddRealServer makes the change [AddRealServer]: it adds a real server to a service.
// It fails with [ErrExists], [ErrNoService] or [ErrInvalid].
func (c *Client) AddRealServer(ctx context.Context, id ServiceID, s RealServer) error {
	return c.do1(ctx, AddRealServer(id, s))
}

// UpdateRealServer makes the change [UpdateRealServer]: it replaces everything of a
// real server but its address and its counters, including the tunnel. To change one
// field, use [Client.ModifyRealServer]. It fails with [ErrNoRealServer],
// [ErrNoService] or [ErrInvalid].
func (c *Client) UpdateRealServer(ctx context.Context, id ServiceID, s RealServer) error {
	return c.do1(ctx, UpdateRealServer(id, s))
}

// RemoveRealServer makes the change [RemoveRealServer]: it removes a real server from
// a service. It fails with [ErrNoRealServer] or [ErrNoService].
func (c *Client) RemoveRealServer(ctx context.Context, id ServiceID, addr netip.AddrPort) error {
	return c.do1(ctx, RemoveRealServer(id, addr))
}

// ZeroCounters makes the change [ZeroCounters]: it sets the counters of a service and
// of its real servers to 0. It fails with [ErrNoService].
func (c *Client) ZeroCounters(ctx context.Context, id ServiceID) error {
	return c.do1(ctx, ZeroCounters(id))
}

// ZeroAllCounters makes the change [ZeroAllCounters]: it sets all counters of the
// network namespace to 0.
func (c *Client) ZeroAllCounters(ctx context.Context) error { return c.do1(ctx, ZeroAllCounters()) }

// Flush makes the change [Flush]: it removes all services of the network namespace,
// including those of other programs.
func (c *Client) Flush(ctx context.Context) error { return c.do1(ctx, Flush()) }

// Info describes the kernel's IPVS.
type Info struct {
	Version string // of IPVS, such as "1.2.1"; it has not changed in years

	// ConnTableSize is the number of hash buckets of the connection table.
	// Since Linux 7.1 each namespace has its own, which grows, and which is 0
	// until the first service is added.
	ConnTableSize int
}

// Info returns a description of the kernel's IPVS.
func (c *Client) Info(ctx context.Context) (Info, error) {
	var w wire.Info
	if err := c.get(ctx, call{op: OpGetInfo}, command(wire.CmdGetInfo), func(msg []byte) error { return wire.DecodeInfo(msg, &w) }); err != nil {
		return Info{}, err
	}
	return Info{
		Version:       fmt.Sprintf("%d.%d.%d", w.Version>>16, w.Version>>8&0xff, w.Version&0xff),
		ConnTableSize: int(w.ConnTableSize),
	}, nil
}

// done explains the error of a call, if there is one, and logs the call.
func (c *Client) done(ctx context.Context, what call, start time.Time, err error) error {
	if err != nil {
		err = what.explain(err)
	}
	if !start.IsZero() {
		c.trace(ctx, what, start, err)
	}
	return err
}

// start returns when a call starts, or the zero time if calls are not logged.
func (c *Client) start(ctx context.Context) (now time.Time) {
	if c.log.Enabled(ctx, slog.LevelDebug) {
		now = time.Now()
	}
	return now
}

func (c *Client) trace(ctx context.Context, what call, start time.Time, err error) {
	attrs := []slog.Attr{slog.String("object", what.object), slog.Duration("took", time.Since(start))}
	if err != nil {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	c.log.LogAttrs(ctx, slog.LevelDebug, "lvs: "+what.op.words(), attrs...)
}
