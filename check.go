package lvs

import (
	"context"
	"fmt"
)

// CheckOptions say what [Host.Check] compares a host with. The zero value checks the
// host alone, by its table.
type CheckOptions struct {
	// Setup is what the host should hold: Check reports each requirement that it does
	// not meet. Nil checks the table alone.
	Setup Setup

	// Peers are the states of other hosts of the service, as [Host.State] returns them
	// there: of the real servers, and of other directors. Check follows packets
	// through them, too. One may be the state of the checked host itself, and is
	// ignored then, so that all hosts can be given the same peers.
	Peers []HostState
}

// Check looks for what keeps a host, and the services in its table, from working now
// or later. It changes nothing. First it reads the host's [HostState], once, and what
// the host holds of the setup's resources; then it judges that together with the
// states of the peers, and reads nothing more.
//
// What a report does not list as unchecked was checked on the host and on the peers.
// Machines that are not among them, and what is between them, cannot be checked.
//
// Reading the table needs the privilege: the error matches [ErrPermission] without it.
// On a host without IPVS the table is taken to be empty. A peer without interfaces is
// not a host's state: the error matches [ErrInvalid].
func (h *Host) Check(ctx context.Context, o CheckOptions) (Report, error) {
	for i, p := range o.Peers {
		if len(p.Interfaces) == 0 {
			bad := invalid(fmt.Sprintf("Peers[%d].Interfaces", i), "is empty, but every host has lo")
			bad.hint = "pass what Host.State returned on that host"
			return Report{}, bad.about(OpCheck, p.Name)
		}
	}
	own, err := h.State(ctx)
	if err != nil {
		return Report{}, err
	}
	found := make([]Resource, len(o.Setup))
	for i, s := range o.Setup {
		if found[i], err = h.find(ctx, s.Want); err != nil {
			return Report{}, err
		}
	}
	return judgeHosts(own, o.Setup, found, o.Peers), nil
}
