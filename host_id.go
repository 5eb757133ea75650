package lvs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"strings"
)

// HostID identifies the network namespace and the machine for which a plan was made. An
// empty field is not known. A simulated host has none, so any plan can be tried on it.
//
// Namespaces are known only until the machine starts again. After that, a plan is
// accepted in any namespace of its machine, so that it can still be undone.
type HostID struct {
	Machine   string `json:"machine,omitempty"`   // a hash of machine-id(5)
	Boot      string `json:"boot,omitempty"`      // changes when the machine starts
	Namespace string `json:"namespace,omitempty"` // the kernel's number of it, since the machine started
}

// identify returns the host's identity.
func (h *Host) identify(ctx context.Context) (id HostID, err error) {
	machine, err := h.readOptional(ctx, "/etc/machine-id")
	if err != nil {
		return id, err
	}
	if machine != "" {
		sum := sha256.Sum256([]byte("lvs plan " + machine))
		id.Machine = hex.EncodeToString(sum[:16])
	}
	if id.Boot, err = h.readOptional(ctx, "/proc/sys/kernel/random/boot_id"); err != nil {
		return id, err
	}
	id.Namespace, err = within(ctx, h.network.Identity)
	return id, resourceError(OpReadHost, nil, err)
}

// readOptional returns the text of a file, "" if it does not exist or cannot be read.
func (h *Host) readOptional(ctx context.Context, path string) (string, error) {
	text, err := h.readFile(ctx, path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return strings.TrimSpace(string(text)), err
}

// isFor returns an error if the plan is for another host, as far as that is known.
func (p SetupPlan) isFor(id HostID) *Error {
	differs := func(a, b string) bool { return a != "" && b != "" && a != b }
	isSameBoot := p.Host.Boot != "" && p.Host.Boot == id.Boot
	switch {
	case isSameBoot && differs(p.Host.Namespace, id.Namespace):
		bad := invalid("Host", "the plan was made for another network namespace of this machine")
		bad.hint = "open that namespace; if it is gone, its settings are gone with it"
		return bad
	case !isSameBoot && differs(p.Host.Machine, id.Machine):
		bad := invalid("Host", "the plan was made for another machine")
		bad.hint = "plan again on this one"
		return bad
	}
	return nil
}
