package lvs

import (
	"context"
	"net/netip"
)

// TableEffect is what applying a plan does to the clients and connections that a host
// has now. See [TablePlan.Effect].
type TableEffect struct {
	Clients     int `json:"clients"`     // of the services of the plan, as connections and persistence show them
	Connections int `json:"connections"` // of those services

	// AtOnce is what has changed when the plan has been applied.
	AtOnce TableImpact `json:"atOnce"`

	// AtDeadline is what has changed when its drains have ended, if the connections and
	// clients of now last until then; nil if the plan drains nothing.
	AtDeadline *TableImpact `json:"atDeadline,omitempty"`

	// Unseen is what may happen besides, because it depends on what a host does not
	// show, or on what cannot be predicted, in words. Empty only if nothing does.
	Unseen []string `json:"unseen,omitempty"`
}

// TableImpact is how things are other than without the plan.
type TableImpact struct {
	Moved   []ClientEffect     `json:"moved,omitempty"`   // whose next connection reaches another server
	Refused []ClientEffect     `json:"refused,omitempty"` // whose next connection reaches no server
	Broken  []ConnectionEffect `json:"broken,omitempty"`  // whose next packet does not reach their server
}

// ClientEffect is a client whose next connection, from another port, is not what it would
// be without the plan.
type ClientEffect struct {
	Service ServiceID      `json:"service"` // that has the connection without the plan
	Client  netip.Addr     `json:"client"`  // of clients that persistence knows by their network, its address
	VIP     netip.AddrPort `json:"vip"`     // that it connects to
	Was     netip.AddrPort `json:"was"`     // the server that it would reach without the plan

	// Now is the server that it reaches. It is not valid if that is none, or any but Was.
	Now    netip.AddrPort `json:"now,omitzero"`
	Action Action         `json:"action"` // what happens to the first packet
	Reason Reason         `json:"reason"` // why
}

// ConnectionEffect is a connection that the plan breaks.
type ConnectionEffect struct {
	Service    ServiceID  `json:"service"`    // that has it
	Connection Connection `json:"connection"` // as it is without the plan

	// Action is what happens to its next packet. A datagram that is forwarded begins a
	// new flow.
	Action Action `json:"action"`
	Reason Reason `json:"reason"` // why
}

// IsZero reports whether nothing has changed.
func (i TableImpact) IsZero() bool { return len(i.Moved)+len(i.Refused)+len(i.Broken) == 0 }

// Effect returns what applying the plan does to the clients and connections of a host. It
// changes nothing: it makes the plan's changes on a copy of the host, see
// [SimulatorFrom], and asks the copy before and after. The deadlines of drains are taken
// to pass while all connections last, which is the worst that can happen.
//
// Whether a client moves can only be said where one has a server of its own: with
// persistence, and with [SH], [MH], [DH] and [FO]. Of the others, Unseen says that the
// scheduler decides when the connection comes.
//
// The clients and connections of the services that the plan changes are looked at one by
// one, and listed, in time and memory in proportion to their number: a hundred thousand
// connections of as many clients need about a second of one processor, and 160 MiB.
//
// The error matches [ErrStale] if the host's table is not one that the plan fits,
// [ErrInvalid] for a plan that [Diff] cannot have made, and otherwise is one of
// SimulatorFrom.
func (p TablePlan) Effect(ctx context.Context, h *Host) (TableEffect, error) {
	e, err := newEffector(ctx, &p, h)
	if err != nil {
		return TableEffect{}, err
	}
	defer e.client.Close()
	if err := e.find(ctx); err != nil {
		return TableEffect{}, err
	}
	now, later := e.changes()
	if e.effect.AtOnce, err = e.impact(ctx, now); err == nil && len(later) > 0 {
		e.effect.AtDeadline = new(TableImpact)
		*e.effect.AtDeadline, err = e.impact(ctx, later)
	}
	if err != nil {
		return TableEffect{}, err
	}
	return e.finish(), nil
}
