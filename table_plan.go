package lvs

import (
	"context"
	"time"
)

// TableOptions says how [Diff] and [Client.PlanTable] compare a table with what is
// wanted. With the zero value, the services that are wanted become exactly that, and
// all others remain.
type TableOptions struct {
	// Scope is which services are the program's own.
	Scope Scope

	// Prune removes the services in scope that are not wanted. Without it they are
	// listed in [TablePlan.Unwanted].
	Prune bool

	// KeepWeights leaves the weights of real servers that exist as they are, because
	// another program or a person sets them.
	KeepWeights bool

	// ExactOrder makes the order of real servers exactly the wanted one, by removing and
	// adding some, which costs connections: the plan says which. Without it, real
	// servers that exist stay where they are, and [TablePlan.Misordered] lists the
	// services in which another order would pick otherwise.
	ExactOrder bool

	// Drain is how long real servers that are not wanted any more may keep their
	// connections, with weight 0, before they are removed; 0 removes them at once.
	Drain time.Duration

	// Last is what was applied last. With it the comparison is one of three: fields that
	// are zero in what is wanted and were zero in what was applied last keep their
	// values, and only services and real servers that were applied are removed.
	// nil compares two.
	Last *TableState

	// Host is where [Client.PlanTable] reads the kernel's parameters, on which depends
	// what changes do to connections. With nil, the notes of a plan name the parameters
	// on which they depend. Diff does not use it.
	Host *Host
}

// TablePlan is how a table becomes what is wanted, as [Diff] or [Client.PlanTable]
// found it. It marshals to JSON, so that another process can apply it.
type TablePlan struct {
	Want  Table       `json:"want"`  // what the plan leads to
	Steps []TableStep `json:"steps"` // in the order in which they are made

	// Unwanted are the services in scope that are not wanted and remain.
	Unwanted []ServiceID `json:"unwanted,omitempty"`

	// Misordered are the services whose real servers remain in an order other than the
	// wanted one, where the order decides picks.
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
// changes nothing. It fails with the errors of [Client.Snapshot], of [Diff], and of reading
// the parameters of [TableOptions.Host].
func (c *Client) PlanTable(ctx context.Context, want Table, o TableOptions) (TablePlan, error) {
	now, err := c.Snapshot(ctx)
	if err != nil {
		return TablePlan{}, err
	}
	plan, err := diffTables(liveSnapshot(now), want, o)
	if err == nil {
		err = plan.annotate(ctx, now, o.Host)
	}
	return plan, err
}
