package lvs

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"

	"github.com/golvs/lvs/internal/netstate"
)

// network is the seam to what a namespace has besides IPVS and files, real or
// simulated.
type network interface {
	// Find returns what is in the place of a resource, nil for nothing.
	Find(netstate.Resource) (netstate.Resource, error)
	// Put makes a resource, whatever is in its place.
	Put(netstate.Resource) error
	// Remove removes what is in the place of a resource.
	Remove(netstate.Resource) error

	Links() ([]netstate.Link, error)
	Addresses() ([]netstate.Address, error)
	// Observe returns everything that can be read.
	Observe(context.Context) (netstate.Observed, error)
	// Settled reports whether the kernel has finished what follows from putting a
	// resource.
	Settled(netstate.Resource) (bool, error)
	// Identity returns what distinguishes the namespace from others, "" if nothing does.
	Identity() (string, error)
	// Lookup returns the route of a packet.
	Lookup(to, from netip.Addr) (netstate.Route, error)
}

// find returns what the host has in the place of a resource, nil for nothing.
func (h *Host) find(ctx context.Context, r Resource) (Resource, error) {
	if s, ok := r.(Sysctl); ok {
		value, err := h.Sysctl(ctx, s.Key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return Sysctl{s.Key, value}, nil
	}
	found, err := within(ctx, func() (netstate.Resource, error) { return h.network.Find(r.toNetwork()) })
	if err != nil {
		return nil, resourceError(OpReadHost, r, err)
	}
	return resourceFrom(found), nil
}

// put makes a resource. It is not interrupted when a context ends: the caller must
// know the state of the host.
func (h *Host) put(r Resource) error {
	if s, ok := r.(Sysctl); ok {
		path, err := s.Key.path()
		if err != nil {
			return err.about(OpApply, s.String())
		}
		return resourceError(OpApply, s, h.files.WriteFile(path, []byte(s.Value+"\n")))
	}
	if a, ok := r.(IPsecAssociation); ok && a.Key == (IPsecKey{}) {
		return a.keyless().about(OpApply, a.String())
	}
	return resourceError(OpApply, r, h.network.Put(r.toNetwork()))
}

func (h *Host) remove(r Resource) error {
	return resourceError(OpUndo, r, h.network.Remove(r.toNetwork()))
}

// linkNames returns the names of the interfaces.
func (h *Host) linkNames(ctx context.Context) ([]string, error) {
	links, err := within(ctx, h.network.Links)
	if err != nil {
		return nil, resourceError(OpReadHost, nil, err)
	}
	names := make([]string, len(links))
	for i, l := range links {
		names[i] = l.Name
	}
	return names, nil
}

// interfaceOf returns the interface that a resource needs, "" for none.
func interfaceOf(r Resource) string {
	switch r := plainResource(r).(type) {
	case Sysctl:
		return r.interfaceOf()
	case Address:
		return r.Interface
	case Route:
		return r.Interface
	}
	return ""
}

// describeResource returns a resource that was found as text, "nothing" for nil.
func describeResource(r Resource) string {
	switch r := r.(type) {
	case nil:
		return "nothing"
	case Sysctl:
		return r.Value
	case Link:
		state := "down"
		if r.Up {
			state = "up"
		}
		return state + optionText("mtu", r.MTU)
	}
	return r.String()
}
