package lvs

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Drain lets the connections of a real server end, and then removes it: it sets the
// weight to 0, as [Client.BeginDrain] does, waits until the real server has no
// connection or the deadline passes, and removes it. It returns how that ended: another
// program may have removed the real server, or may want it again.
//
// If it fails, or the context ends, the end has no Reason. Unless its Drain is the zero
// value, the weight is still 0 then, and Drain can be continued with
// [Client.AwaitDrains] or taken back with [Client.TakeBackDrain], with another context.
// The errors are those of the three methods.
func (c *Client) Drain(ctx context.Context, id ServiceID, addr netip.AddrPort, o DrainOptions) (DrainEnd, error) {
	d, err := c.BeginDrain(ctx, id, addr, o)
	return c.awaitDrain(ctx, d, err)
}

// DrainService lets the connections of a service end, and then removes it with its real
// servers, as [Client.Drain] does with one real server. New connections are refused
// from the beginning; the service stays until the end.
func (c *Client) DrainService(ctx context.Context, id ServiceID, o DrainOptions) (DrainEnd, error) {
	d, err := c.BeginServiceDrain(ctx, id, o)
	return c.awaitDrain(ctx, d, err)
}

// awaitDrain waits for the end of a drain unless it failed to begin.
func (c *Client) awaitDrain(ctx context.Context, d Drain, err error) (DrainEnd, error) {
	if err != nil {
		return DrainEnd{Drain: d}, err
	}
	_, ended, err := c.AwaitDrains(ctx, []Drain{d})
	if len(ended) == 0 {
		return DrainEnd{Drain: d}, err
	}
	return ended[0], err
}

// drainInterval is the time between two readings of [Client.AwaitDrains].
const drainInterval = 500 * time.Millisecond

// AwaitDrains continues drains until all have ended. It reads the real servers of the
// services concerned every half second, and at each deadline, so that it notices an end
// within a second.
//
// It returns earlier if it fails or the context ends. Those that are left then still
// have weight 0, and can be continued. The errors are those of [Client.ContinueDrains],
// but with [ErrBusy] and [ErrStuck] it tries again until the context ends.
func (c *Client) AwaitDrains(ctx context.Context, drains []Drain) (left []Drain, ended []DrainEnd, err error) {
	for left = drains; ; {
		var more []DrainEnd
		left, more, err = c.ContinueDrains(ctx, left)
		ended = append(ended, more...)
		if len(left) == 0 || err != nil && Ignore(err, ErrBusy, ErrStuck) != nil {
			return left, ended, err
		}
		if pauseErr := pause(ctx, untilNextReading(left)); pauseErr != nil {
			return left, ended, call{op: OpDrain}.explain(pauseErr)
		}
	}
}

// untilNextReading returns how long to wait before drains are looked at again.
func untilNextReading(drains []Drain) time.Duration {
	wait := drainInterval
	for _, d := range drains {
		if rest := time.Until(d.Deadline); rest > 0 {
			wait = min(wait, rest)
		}
	}
	return wait
}

// ContinueDrains looks once at the real servers of drains, removes those that have no
// connections, or whose deadline has passed, and returns the drains that are left and
// those that have ended. Whoever owns drains calls it about twice a second, and keeps
// those that are left; [Client.AwaitDrains] does that. It reads only the services of the
// drains, and removes with one [Client.Do].
//
// Reading and removing are two steps. A connection that begins between them is cut: a
// client that persistence keeps on the real server can still open one, others cannot. If
// another program sets a weight between them, the real server is removed nevertheless.
// If one removes a real server and adds it again with weight 0 between two readings, its
// drain continues.
//
// It fails with [ErrInvalid] if a drain has no Service or no Deadline, and with a
// [*BatchError] that lists the removals that failed. After an error, drains have ended
// as far as they are in ended, and the others are left.
func (c *Client) ContinueDrains(ctx context.Context, drains []Drain) (left []Drain, ended []DrainEnd, err error) {
	for i := range drains {
		if err := drains[i].validate(); err != nil {
			return drains, nil, err
		}
	}
	services, err := c.drainedServices(ctx, drains)
	if err != nil {
		return drains, nil, err
	}
	var removed []DrainEnd
	now := time.Now()
	for _, d := range drains {
		end := d.look(services[d.Service], now)
		switch end.Reason {
		case "":
			left = append(left, d)
		case DrainedConns, DrainedDeadline:
			removed = append(removed, end)
		default:
			ended = append(ended, end)
		}
	}
	failed, more, err := c.removeDrained(ctx, removed)
	return append(left, failed...), append(ended, more...), err
}

// drainedService is what is left of a service with drains.
type drainedService struct {
	exists  bool
	servers []RealServerStatus
}

// drainedServices reads the services that have drains.
func (c *Client) drainedServices(ctx context.Context, drains []Drain) (map[ServiceID]drainedService, error) {
	all := make(map[ServiceID]drainedService)
	for _, d := range drains {
		if _, ok := all[d.Service]; ok {
			continue
		}
		servers, err := c.RealServers(ctx, d.Service)
		if err != nil && !errors.Is(err, ErrNoService) {
			return nil, err
		}
		all[d.Service] = drainedService{err == nil, servers}
	}
	return all, nil
}

// look returns the end of a drain if it is due; otherwise the end has no Reason.
func (d Drain) look(s drainedService, now time.Time) DrainEnd {
	end := DrainEnd{Drain: d, Ended: now.UTC().Round(0)}
	there := s.exists && d.isService()
	for _, server := range s.servers {
		if !d.isService() && server.Addr != unmap(d.RealServer) {
			continue
		}
		there = true
		end.Conns += server.ActiveConns + server.InactiveConns
		end.PersistentConns += server.PersistentConns
		if server.Weight != 0 {
			end.Reason = DrainTakenBack
		}
	}
	switch {
	case !there:
		end.Reason = DrainGoneAlready
	case end.Reason == DrainTakenBack:
		end.Conns, end.PersistentConns = 0, 0 // none was cut
	case end.Conns == 0 && (end.PersistentConns == 0 || !d.WaitPersistent):
		end.Reason = DrainedConns
	case !now.Before(d.Deadline):
		end.Reason = DrainedDeadline
	}
	return end
}

// removeDrained removes what has been drained. It returns the drains whose removal
// failed, and the ends of the others.
func (c *Client) removeDrained(ctx context.Context, due []DrainEnd) (failed []Drain, ended []DrainEnd, err error) {
	if len(due) == 0 {
		return nil, nil, nil
	}
	changes := make([]Change, len(due))
	for i := range due {
		changes[i] = due[i].Drain.removal()
	}
	err = c.send(ctx, changes)
	for i, end := range due {
		switch why := failureOf(err, i); {
		case why == nil:
			ended = append(ended, end)
		case errors.Is(why, ErrNotFound):
			end.Reason, end.Conns, end.PersistentConns = DrainGoneAlready, 0, 0
			ended = append(ended, end)
		default:
			failed = append(failed, end.Drain)
		}
	}
	return failed, ended, Ignore(err, ErrNotFound)
}

// failureOf returns why the change with an index was not made.
func failureOf(err error, i int) error {
	batch, ok := err.(*BatchError)
	if !ok {
		return err
	}
	for _, f := range batch.Failures {
		if f.Index == i {
			return f.Err
		}
	}
	return nil
}
