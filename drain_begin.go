package lvs

import (
	"context"
	"net/netip"
	"slices"
)

// BeginDrain sets the weight of a real server to 0 and keeps everything else of it. The
// drain ends when [Client.AwaitDrains] or [Client.ContinueDrains] removes the real
// server. [Client.Drain] does both.
//
// From now on the scheduler gives no new connection to the real server; where it then
// finds none, connections are refused: if the others have weight 0 or are full, and
// with [DH], and with [SH] and [MH] without [HashFallback], for those clients to which the
// scheduler assigns this one. Established connections and UDP flows continue. New
// connections of clients that persistence keeps on the real server still reach it, unless
// net.ipv4.vs.expire_quiescent_template is 1.
//
// It fails with [ErrInvalid], [ErrNoService] or [ErrNoRealServer]. If the error is that
// of a change whose outcome is unknown, the Drain is returned along with it, so that it
// can be taken back; otherwise it is the zero value.
func (c *Client) BeginDrain(ctx context.Context, id ServiceID, addr netip.AddrPort, o DrainOptions) (Drain, error) {
	if err := o.validate(); err != nil {
		return Drain{}, err.about(OpDrain, id.String()+" -> "+addr.String())
	}
	was, err := c.RealServer(ctx, id, addr)
	if err != nil {
		return Drain{}, err
	}
	d := newDrain(id, addr, []RealServer{was.RealServer}, o)
	return c.beginDrain(ctx, d, drainWeights(id, d.Before))
}

// BeginServiceDrain sets the weights of all real servers of a service to 0, as
// [Client.BeginDrain] does for one. New connections to the service are refused from
// then on, and it stays until the last connection has ended, or the deadline. It fails
// with [ErrInvalid] or [ErrNoService]. If it fails after it has changed some weights,
// the Drain is returned along with the error.
func (c *Client) BeginServiceDrain(ctx context.Context, id ServiceID, o DrainOptions) (Drain, error) {
	if err := o.validate(); err != nil {
		return Drain{}, err.about(OpDrain, id.String())
	}
	servers, err := c.RealServers(ctx, id)
	if err != nil {
		return Drain{}, err
	}
	before := make([]RealServer, len(servers))
	for i, s := range servers {
		before[i] = s.RealServer
	}
	return c.beginDrain(ctx, newDrain(id, netip.AddrPort{}, before, o), drainWeights(id, before))
}

// beginDrain sets the weights of a drain to 0.
func (c *Client) beginDrain(ctx context.Context, d Drain, changes []Change) (Drain, error) {
	if len(changes) == 0 {
		return d, nil
	}
	err := c.send(ctx, changes)
	if d.isService() {
		err = Ignore(err, ErrNoRealServer) // removed just now, by another program
	}
	if err != nil && !mayHaveChanged(err) {
		return Drain{}, onlyFailure(err)
	}
	return d, onlyFailure(err)
}

// drainWeights returns the changes that set weights to 0 which are not.
func drainWeights(id ServiceID, servers []RealServer) (changes []Change) {
	for _, s := range servers {
		if s.Weight != 0 {
			s.Weight = 0
			changes = append(changes, UpdateRealServer(id, s))
		}
	}
	return changes
}

// mayHaveChanged reports whether the kernel may have made one of the changes of a
// failed Do.
func mayHaveChanged(err error) bool {
	batch, ok := err.(*BatchError)
	return ok && (len(batch.Failures) < batch.Total || slices.ContainsFunc(batch.Failures, func(f Failure) bool {
		return f.Err.Outcome == OutcomeUnknown
	}))
}

// onlyFailure returns the error of a single change instead of that of a batch.
func onlyFailure(err error) error {
	if batch, ok := err.(*BatchError); ok && len(batch.Failures) == 1 {
		return batch.Failures[0].Err
	}
	return err
}

// TakeBackDrain ends a drain without a removal: it gives the real servers the weights
// that they had before. It changes only weights that are still 0, and nothing else of a
// real server. Continue the drain no more.
//
// It fails with [ErrInvalid], [ErrNoService], or [ErrNoRealServer] if the real server
// was removed. Real servers of a drained service that were removed are left out. After
// another error it can be called again.
func (c *Client) TakeBackDrain(ctx context.Context, d Drain) error {
	if err := d.validate(); err != nil {
		return err
	}
	live, err := c.RealServers(ctx, d.Service)
	if err != nil {
		return err
	}
	var changes []Change
	for _, was := range d.Before {
		i := slices.IndexFunc(live, func(s RealServerStatus) bool { return s.Addr == unmap(was.Addr) })
		if i < 0 && !d.isService() {
			return &Error{Op: OpDrain, Object: d.object(), kind: ErrNoRealServer, detail: "it was removed, so the drain cannot be taken back"}
		}
		if i < 0 || live[i].Weight != 0 || was.Weight == 0 {
			continue
		}
		now := live[i].RealServer
		now.Weight = was.Weight
		changes = append(changes, UpdateRealServer(d.Service, now))
	}
	if len(changes) == 0 {
		return nil
	}
	return onlyFailure(c.send(ctx, changes))
}
