package lvs

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/seam"
	"github.com/golvs/lvs/internal/wire"
)

// Client reads and changes the IPVS table of one network namespace. Any number
// of goroutines may use it, and call it while they range over what it returned.
//
// Every call returns when its context ends, whatever the kernel is doing. How soon,
// a busy machine decides: it takes a processor, and nothing else.
//
// A change that was on its way then has an [Error] that is Unknown: the kernel may
// have made it, or may yet make it. Later changes of the same client wait for the
// kernel to let go of it, within their own contexts, so that none is overtaken.
// Reading does not wait.
type Client struct {
	conn    *genl.Conn
	release func() error
	log     *slog.Logger
	note    func(changes []Change, err error) // of a simulator, after each Do; nil for the kernel
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

// newClient is where a simulated kernel takes the real one's place.
func newClient(ctx context.Context, dial genl.Dialer, log *slog.Logger) (*Client, error) {
	c := &Client{log: log, release: func() error { return nil }}
	var err error
	start := c.start(ctx)
	c.conn, err = genl.Open(ctx, dial, wire.Family, wire.Version)
	if err = c.done(ctx, call{op: OpOpen, object: "IPVS"}, start, err); err != nil {
		return nil, err
	}
	return c, nil
}

// lateClient finds IPVS when it is first asked for something.
func lateClient(dial genl.Dialer, log *slog.Logger) *Client {
	return &Client{log: log, release: func() error { return nil }, conn: genl.New(dial, wire.Family, wire.Version)}
}

// Close ends the calls in flight with [ErrClosed] and closes all sockets.
// Closing twice is [ErrClosed] too.
func (c *Client) Close() error {
	if err := c.conn.Close(); err != nil {
		return call{op: OpClose, object: "client"}.explain(err)
	}
	return c.release()
}

// listRounds is how often services are listed again of which some were told
// twice. The pauses between, which double, come to a second.
const (
	listRounds = 10
	firstPause = time.Millisecond
)

// Services returns all services, ordered by [ServiceID.Compare]. What is added
// or removed meanwhile may or may not be there.
//
// The kernel tells services twice, and others not at all, when its table changes
// while it is listed; since Linux 7.1 it goes on doing so for a moment after the
// table has grown. Then the services are listed again, and after about a second
// of that the error is [ErrUnstable].
func (c *Client) Services(ctx context.Context) ([]ServiceStatus, error) {
	what := call{op: OpListServices}
	for round := range listRounds {
		all, err := dump(ctx, c, what, command(wire.CmdGetService), decodeService)
		if err != nil {
			return nil, err
		}
		told := len(all)
		slices.SortStableFunc(all, func(a, b ServiceStatus) int { return a.ID.Compare(b.ID) })
		all = slices.CompactFunc(all, func(a, b ServiceStatus) bool { return a.ID == b.ID })
		if len(all) == told {
			return all, nil
		}
		if err := pause(ctx, firstPause<<round); err != nil {
			return nil, what.explain(err)
		}
	}
	return nil, &Error{
		Op: what.op, kind: ErrUnstable, hint: "try again when fewer changes are made",
		detail: fmt.Sprintf("services were told twice in each of %d listings", listRounds),
	}
}

// pause waits, but no longer than the context lasts.
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

func decodeService(msg []byte) (ServiceStatus, error) {
	var w wire.Service
	if err := wire.DecodeService(msg, &w); err != nil {
		return ServiceStatus{}, err
	}
	return serviceFromWire(&w), nil
}

// Service returns one service. [ErrNotFound]: it is not there.
func (c *Client) Service(ctx context.Context, id ServiceID) (ServiceStatus, error) {
	what := call{op: OpGetService, object: id.String()}
	if err := requireID(id); err != nil {
		return ServiceStatus{}, err.about(what.op, what.object)
	}
	var s ServiceStatus
	err := c.get(ctx, what, naming(wire.CmdGetService, id), func(msg []byte) (err error) {
		s, err = decodeService(msg)
		return err
	})
	return s, err
}

// command is a request without attributes.
func command(cmd wire.Command) genl.Request {
	return func(b []byte) []byte { return wire.AppendCommand(b, cmd) }
}

// naming is a request that names a service.
func naming(cmd wire.Command, id ServiceID) genl.Request {
	return func(b []byte) []byte {
		key := id.toWire()
		return wire.AppendServiceKey(b, cmd, &key)
	}
}

// RealServers returns the real servers of a service in the order in which they
// were added. [ErrNotFound]: the service is not there.
func (c *Client) RealServers(ctx context.Context, id ServiceID) ([]RealServerStatus, error) {
	what := call{op: OpListRealServers, object: id.String()}
	if err := requireID(id); err != nil {
		return nil, err.about(what.op, what.object)
	}
	all, err := dump(ctx, c, what, naming(wire.CmdGetDest, id), func(msg []byte) (RealServerStatus, error) {
		var w wire.Dest
		if err := wire.DecodeDest(msg, &w); err != nil {
			return RealServerStatus{}, err
		}
		return serverFromWire(id, &w), nil
	})
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		// The kernel lists a service that is not there as one without servers.
		if _, err := c.Service(ctx, id); err != nil {
			return nil, err
		}
	}
	return inOrderAdded(all), nil
}

// inOrderAdded turns the kernel's order, newest first, and drops servers that
// were told twice because others were added meanwhile.
func inOrderAdded(all []RealServerStatus) []RealServerStatus {
	slices.Reverse(all)
	seen := make(map[netip.AddrPort]bool, len(all))
	return slices.DeleteFunc(all, func(s RealServerStatus) bool {
		again := seen[s.Addr]
		seen[s.Addr] = true
		return again
	})
}

// RealServer returns one real server of a service. [ErrNotFound]: it, or the
// service, is not there. The kernel has no call for one, so all are listed.
func (c *Client) RealServer(ctx context.Context, id ServiceID, addr netip.AddrPort) (RealServerStatus, error) {
	all, err := c.RealServers(ctx, id)
	if err != nil {
		return RealServerStatus{}, err
	}
	addr = unmap(addr)
	for _, s := range all {
		if s.Addr == addr {
			return s, nil
		}
	}
	return RealServerStatus{}, &Error{
		Op: OpGetRealServer, Object: id.String() + " -> " + addr.String(),
		kind: ErrNoRealServer, detail: "the service has no such real server",
	}
}

// AddService adds a service without real servers. [ErrExists]: there is one of
// that identity; [ErrScheduler]: the kernel lacks its scheduler or engine.
func (c *Client) AddService(ctx context.Context, s Service) error {
	return c.do1(ctx, AddService(s))
}

// UpdateService replaces everything of a service but its identity, real servers
// and counters: what s leaves out is gone afterwards. To change one thing, use
// [Client.ModifyService]. [ErrNotFound]: the service is not there.
func (c *Client) UpdateService(ctx context.Context, s Service) error {
	return c.do1(ctx, UpdateService(s))
}

// RemoveService removes a service with its real servers. [ErrNotFound]: it is
// not there. What becomes of connections says the function [RemoveService].
func (c *Client) RemoveService(ctx context.Context, id ServiceID) error {
	return c.do1(ctx, RemoveService(id))
}

// AddRealServer adds a real server to a service. [ErrExists]: it is there;
// [ErrNotFound]: the service is not.
func (c *Client) AddRealServer(ctx context.Context, id ServiceID, s RealServer) error {
	return c.do1(ctx, AddRealServer(id, s))
}

// UpdateRealServer replaces everything of a real server but its address and
// counters: what s leaves out, the tunnel too, is gone afterwards. To change
// one thing, use [Client.ModifyRealServer]. [ErrNotFound]: it, or the service, is not
// there.
func (c *Client) UpdateRealServer(ctx context.Context, id ServiceID, s RealServer) error {
	return c.do1(ctx, UpdateRealServer(id, s))
}

// RemoveRealServer removes a real server from a service. [ErrNotFound]: it, or the
// service, is not there. What becomes of connections says the function
// [RemoveRealServer].
func (c *Client) RemoveRealServer(ctx context.Context, id ServiceID, addr netip.AddrPort) error {
	return c.do1(ctx, RemoveRealServer(id, addr))
}

// ZeroCounters sets the counters of a service and of its real servers to 0; see [Stats].
func (c *Client) ZeroCounters(ctx context.Context, id ServiceID) error {
	return c.do1(ctx, ZeroCounters(id))
}

// ZeroAllCounters sets all counters of the network namespace to 0.
func (c *Client) ZeroAllCounters(ctx context.Context) error { return c.do1(ctx, ZeroAllCounters()) }

// Flush removes all services of the network namespace, whoever made them.
func (c *Client) Flush(ctx context.Context) error { return c.do1(ctx, Flush()) }

// Info is what the kernel says of its IPVS.
type Info struct {
	Version string // of IPVS, such as "1.2.1"; it has not changed in years

	// ConnTableSize is the number of hash buckets of the connection table.
	// Since Linux 7.1 each namespace has its own, which grows, and which is 0
	// until the first service is added.
	ConnTableSize int
}

// Info returns what the kernel says of its IPVS.
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

// get asks for one message and decodes it.
func (c *Client) get(ctx context.Context, what call, request genl.Request, decode func(msg []byte) error) error {
	start := c.start(ctx)
	msg, err := c.conn.Get(ctx, request)
	if err == nil {
		if err = decode(msg); err != nil {
			err = fmt.Errorf("%w: %w", genl.ErrMalformed, err)
		}
	}
	return c.done(ctx, what, start, err)
}

// dump asks for any number of messages and decodes them.
func dump[T any](ctx context.Context, c *Client, what call, request genl.Request, decode func(msg []byte) (T, error)) ([]T, error) {
	start := c.start(ctx)
	all, err := genl.Dump(ctx, c.conn, request, decode)
	if err := c.done(ctx, what, start, err); err != nil {
		return nil, err
	}
	return all, nil
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
