package lvs

import (
	"context"
	"net/netip"
)

// ModifyService reads a service, lets edit change it, writes it back if it
// changed, and returns it as it was before. What edit does not touch stays,
// whatever it is; the identity must. Reading and writing are two steps: the
// last of two who edit at once wins.
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
	validate := func(ch Change) *Error {
		if now.ID != was.ID {
			return invalid("ID", "cannot be edited: remove the service and add another")
		}
		return ch.validateUpdate(&was)
	}
	return was, only(c.do(ctx, []Change{UpdateService(now)}, validate))
}

// ModifyRealServer reads a real server, lets edit change it, writes it back if it
// changed, and returns it as it was before, as [Client.ModifyService] does. The
// address must stay.
//
// An edited mode is that of new connections. Existing ones keep the mode that they
// began with.
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
	validate := func(ch Change) *Error {
		if now.Addr != was.Addr {
			return invalid("Addr", "cannot be edited: remove the real server and add another")
		}
		return ch.server.validate(id, &was)
	}
	return was, only(c.do(ctx, []Change{UpdateRealServer(id, now)}, validate))
}

// SetWeight sets the weight of a real server and returns the one it had. With
// 0 the server takes no new connections and keeps those that it has; clients
// that persistence ties to it still come, unless
// net.ipv4.vs.expire_quiescent_template is 1.
func (c *Client) SetWeight(ctx context.Context, id ServiceID, addr netip.AddrPort, weight int) (int, error) {
	was, err := c.ModifyRealServer(ctx, id, addr, func(s *RealServer) { s.Weight = weight })
	return was.Weight, err
}
