package lvs

import (
	"context"
	"net/netip"
)

// ModifyService reads a service, calls edit to change it, writes it back if it has
// changed, and returns its previous value. Fields that edit leaves alone are
// preserved, including values of other programs that this package would refuse;
// edit must not change the ID. Reading and writing are two steps, so with concurrent
// edits the last write wins. It fails with [ErrNoService], [ErrScheduler],
// [ErrEngine] or [ErrInvalid].
func (c *Client) ModifyService(ctx context.Context, id ServiceID, edit func(*Service)) (Service, error) {
	status, err := c.Service(ctx, id)
	if err != nil {
		return Service{}, err
	}
	was, now := status.Service, status.Service
	edit(&now)
	if now == was {
		return was, nil
	}
	ch := UpdateService(now)
	bad := now.validate(&was)
	if now.ID != was.ID {
		bad = invalid("ID", "cannot be modified: remove the service and add another")
	}
	if bad != nil {
		return was, bad.about(ch.Op(), ch.object())
	}
	return was, c.send1(ctx, ch)
}

// ModifyRealServer reads a real server, calls edit to change it, writes it back if it
// has changed, and returns its previous value, as [Client.ModifyService] does. edit
// must not change the address. It fails with [ErrNoRealServer], [ErrNoService] or
// [ErrInvalid].
//
// A new mode applies to new connections. Existing ones keep the mode that they began
// with.
func (c *Client) ModifyRealServer(ctx context.Context, id ServiceID, addr netip.AddrPort, edit func(*RealServer)) (RealServer, error) {
	status, err := c.RealServer(ctx, id, addr)
	if err != nil {
		return RealServer{}, err
	}
	was, now := status.RealServer, status.RealServer
	edit(&now)
	if now == was {
		return was, nil
	}
	ch := UpdateRealServer(id, now)
	bad := now.validate(id, &was)
	if now.Addr != was.Addr {
		bad = invalid("Addr", "cannot be modified: remove the real server and add another")
	}
	if bad != nil {
		return was, bad.about(ch.Op(), ch.object())
	}
	return was, c.send1(ctx, ch)
}

// SetWeight sets the weight of a real server and keeps everything else of it. With
// 0, it gets no new connections; existing ones continue, and clients that are
// persistent on it still reach it, unless net.ipv4.vs.expire_quiescent_template
// is 1. To know the weight that it had, use [Client.ModifyRealServer], which this
// calls and whose errors it returns.
//
// The kernel has no call to read one real server, so each SetWeight lists those of
// the service. To set many weights, read the table once and give [Client.Do] a
// change by [UpdateRealServer] for each.
func (c *Client) SetWeight(ctx context.Context, id ServiceID, addr netip.AddrPort, weight int) error {
	_, err := c.ModifyRealServer(ctx, id, addr, func(s *RealServer) { s.Weight = weight })
	return err
}
