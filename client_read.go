package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/wire"
)

// RealServers returns the real servers of a service in the order in which they were
// added. It fails with [ErrNoService] if the service does not exist.
func (c *Client) RealServers(ctx context.Context, id ServiceID) ([]RealServerStatus, error) {
	if err := requireID(id); err != nil {
		return nil, err.about(OpListRealServers, id.String())
	}
	return read(ctx, c, OpListRealServers, id, func(r *genl.Reader) ([]RealServerStatus, error) {
		var l serverList
		if err := l.read(r, id); err != nil {
			return nil, err
		}
		return l.inOrderAdded(), l.requireService(r, id)
	})
}

// RealServer returns one real server of a service. It fails with [ErrNoRealServer] or
// [ErrNoService]. The kernel has no call for one real server, so all are listed.
func (c *Client) RealServer(ctx context.Context, id ServiceID, addr netip.AddrPort) (RealServerStatus, error) {
	if err := requireID(id); err != nil {
		return RealServerStatus{}, err.about(OpListRealServers, id.String())
	}
	addr = unmap(addr)
	all, err := read(ctx, c, OpListRealServers, id, func(r *genl.Reader) ([]RealServerStatus, error) {
		l := serverList{wants: func(s *RealServerStatus) bool { return s.Addr == addr }}
		if err := l.read(r, id); err != nil {
			return nil, err
		}
		return l.listed, l.requireService(r, id)
	})
	if err != nil {
		return RealServerStatus{}, err
	}
	if len(all) > 0 {
		return all[0], nil
	}
	return RealServerStatus{}, &Error{
		Op: OpGetRealServer, Object: id.String() + " -> " + addr.String(),
		kind: ErrNoRealServer, detail: "the service has no such real server",
	}
}

// serverList reads the real servers of services, one service after another.
type serverList struct {
	wants   func(*RealServerStatus) bool // which real servers it keeps; nil: all
	listed  []RealServerStatus           // in the kernel's order, newest first
	isEmpty bool                         // the kernel listed none
	message wire.Dest
}

func (l *serverList) read(r *genl.Reader, id ServiceID) error {
	l.listed, l.isEmpty = l.listed[:0], true
	err := r.Dump(naming(wire.CmdGetDest, id), func(msg []byte) error {
		if err := wire.DecodeDest(msg, &l.message); err != nil {
			return err
		}
		l.isEmpty = false
		l.listed = append(l.listed, serverFromWire(id, &l.message))
		if n := len(l.listed) - 1; l.wants != nil && !l.wants(&l.listed[n]) {
			l.listed = l.listed[:n]
		}
		return nil
	})
	return attempt(OpListRealServers, id, err)
}

// requireService looks whether the service exists if nothing was listed: the kernel
// lists no real servers of one that does not exist.
func (l *serverList) requireService(r *genl.Reader, id ServiceID) error {
	if !l.isEmpty {
		return nil
	}
	_, err := getService(r, id)
	return err
}

// inOrderAdded returns a copy in the order in which the servers were added, without
// the second of two entries for one server, which the kernel lists if others were
// added at the same time.
func (l *serverList) inOrderAdded() []RealServerStatus {
	if len(l.listed) == 0 {
		return nil
	}
	all := slices.Clone(l.listed)
	slices.Reverse(all)
	if !serversRepeat(all) {
		return all
	}
	seen := make(map[netip.AddrPort]bool, len(all))
	return slices.DeleteFunc(all, func(s RealServerStatus) bool {
		again := seen[s.Addr]
		seen[s.Addr] = true
		return again
	})
}

// fewServers are so few that comparing each with each costs less than a map.
const fewServers = 16

func serversRepeat(all []RealServerStatus) bool {
	if len(all) > fewServers {
		seen := make(map[netip.AddrPort]struct{}, len(all))
		for i := range all {
			seen[all[i].Addr] = struct{}{}
		}
		return len(seen) < len(all)
	}
	for i := range all {
		for j := range i {
			if all[i].Addr == all[j].Addr {
				return true
			}
		}
	}
	return false
}

// getService reads one service.
func getService(r *genl.Reader, id ServiceID) (s ServiceStatus, err error) {
	msg, err := r.Get(naming(wire.CmdGetService, id))
	if err == nil {
		if s, err = decodeService(msg); err != nil {
			err = fmt.Errorf("%w: %w", genl.ErrMalformed, err)
		}
	}
	return s, attempt(OpGetService, id, err)
}

func decodeService(msg []byte) (ServiceStatus, error) {
	var w wire.Service
	if err := wire.DecodeService(msg, &w); err != nil {
		return ServiceStatus{}, err
	}
	return serviceFromWire(&w), nil
}

// command returns a request without attributes.
func command(cmd wire.Command) genl.Request {
	return func(b []byte) []byte { return wire.AppendCommand(b, cmd) }
}

// naming returns a request that names a service.
func naming(cmd wire.Command, id ServiceID) genl.Request {
	return func(b []byte) []byte {
		key := id.toWire()
		return wire.AppendServiceKey(b, cmd, &key)
	}
}

// read makes requests that change nothing, in one call of the connection. id is the
// service that they are about, the zero value if they are about all.
func read[T any](ctx context.Context, c *Client, op Op, id ServiceID, work func(*genl.Reader) (T, error)) (T, error) {
	start := c.start(ctx)
	value, err := genl.Read(ctx, c.conn, work)
	if err == nil && start.IsZero() {
		return value, nil // without a text that is not needed
	}
	if failed := (*attemptError)(nil); errors.As(err, &failed) {
		op, id, err = failed.op, failed.id, failed.err
	}
	what := call{op: op}
	if id.IsValid() {
		what.object = id.String()
	}
	if err = c.done(ctx, what, start, err); err != nil {
		var none T
		return none, err
	}
	return value, nil
}

// attemptError names the request that failed, of several.
type attemptError struct {
	op  Op
	id  ServiceID // the zero value: all services
	err error
}

func attempt(op Op, id ServiceID, err error) error {
	if err == nil {
		return nil
	}
	return &attemptError{op, id, err}
}

func (e *attemptError) Error() string { return e.err.Error() }
func (e *attemptError) Unwrap() error { return e.err }

// get requests one message and decodes it.
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

// dump requests any number of messages and decodes them.
func dump[T any](ctx context.Context, c *Client, what call, request genl.Request, decode func(msg []byte) (T, error)) ([]T, error) {
	start := c.start(ctx)
	all, err := genl.Dump(ctx, c.conn, request, decode)
	if err := c.done(ctx, what, start, err); err != nil {
		return nil, err
	}
	return all, nil
}
