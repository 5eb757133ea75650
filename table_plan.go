package lvs

import (
	"context"
	"time"
)

// TableOptions says how [Diff] and [Client.PlanTable] compare a table with what is
// wanted. With the zero value, the services that are wanted become exactly that, and
// all others remain.
type TableOptions struct {
	// Scope is which services are the program's own. A wanted service outside of it is
	// refused.
	Scope Scope

	// Prune removes the services in scope that are not wanted. Without it they are
	// listed in [TablePlan.Unwanted].
	Prune bool

	// KeepWeights leaves the weights of real servers that exist as they are, because
	// another program or a person sets them. Real servers of which a drain in Last set
	// the weight to 0, and that are wanted again, get the weight from before.
	KeepWeights bool

	// ExactOrder makes the order of real servers exactly the wanted one. The kernel adds
	// each real server as the newest, so the plan removes some and adds them again at
	// once: as few as possible, one after the other. That costs connections; the plan
	// says which. A real server that is the only usable one of its service, before and
	// after, is not removed: then the order stays, and [TablePlan.Misordered] lists the
	// service. Without ExactOrder, real servers that exist stay where they are.
	ExactOrder bool

	// Drain is how long real servers that are not wanted any more may keep their
	// connections, with weight 0, before they are removed; 0 removes them at once. Real
	// servers that ExactOrder moves do not drain.
	Drain time.Duration

	// Last is what was applied last. With it the comparison is one of three: fields that
	// are zero in what is wanted and were zero in what was applied last keep their
	// values, and only services and real servers that were applied are removed. Of a
	// service with real servers that other programs have added, only the program's own
	// real servers are removed. Drains that are under way go on, with their deadlines,
	// unless what they would remove is wanted again.
	//
	// These fields are the scheduler, its flags, the persistence as a whole, one-packet
	// scheduling, and both thresholds together. The mode and the weight are always set.
	// A scheduler that changes gets the wanted flags, even none.
	//
	// nil compares two.
	Last *TableState

	// Host is where [Client.PlanTable] reads the kernel's parameters, on which depends
	// what changes do to connections. With nil, the notes of a plan name the parameters
	// on which they depend. Diff does not use it.
	Host *Host
}

// TablePlan is how a table becomes what is wanted, as [Diff] or [Client.PlanTable]
// found it. It marshals to JSON, so that another process can apply it.
//
// No step is superfluous, and each object has one, except real servers that
// [TableOptions.ExactOrder] moves. The steps add services and real servers, then edit,
// then move, then lower weights, then begin drains, and then remove. So a service that
// has a usable real server, one with a weight above 0, before and after the plan has one
// after each step. Whether real servers are full does not count, because that changes
// all the time.
type TablePlan struct {
	Want  Table       `json:"want"`  // what the plan leads to; it shares the slices of the table that was given
	Steps []TableStep `json:"steps"` // in the order in which they are made

	// Unwanted are the services in scope that are not wanted and remain.
	Unwanted []ServiceID `json:"unwanted,omitempty"`

	// Misordered are the services whose real servers will be in an order other than the
	// wanted one, by which the scheduler picks otherwise: in another turn, at ties, or
	// for other clients.
	Misordered []ServiceID `json:"misordered,omitempty"`

	found []foundService // the services that the plan is about, ordered by ID
}

// TableStep is one change of a plan.
type TableStep struct {
	// Change is what the step leads to. A step that drains is a removal.
	Change Change `json:"change"`

	// Was is the change that would bring back what the step replaces or removes: an
	// AddService, or an AddRealServer. The zero value if there was nothing.
	Was Change `json:"was,omitzero"`

	// RealServers are those of a service that is removed, as they were found.
	RealServers []RealServer `json:"realServers,omitempty"`

	// Drain is how long connections may last before the removal; 0 is not at all.
	Drain time.Duration `json:"drain,omitzero"`

	// Notes are what the step does to connections and clients, in sentences.
	Notes []string `json:"notes,omitempty"`
}

// PlanTable returns the plan by which the kernel's table becomes what is wanted, and
// changes nothing. It fails with the errors of [Client.Snapshot], of [Diff] about what is
// wanted, and of reading the parameters of [TableOptions.Host], but not because of what the
// table has, in scope or outside.
func (c *Client) PlanTable(ctx context.Context, want Table, o TableOptions) (TablePlan, error) {
	d, err := beginDiff(want, o)
	if err != nil {
		return TablePlan{}, err
	}
	services, err := c.snapshot(ctx, d.reads())
	if err != nil {
		return TablePlan{}, err
	}
	now := Snapshot{Services: services}
	plan := d.plan(liveSnapshot(now))
	err = plan.annotate(ctx, now, o.Host)
	return plan, err
}
