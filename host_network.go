package lvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// network is the seam to what a namespace has besides IPVS and files, real or
// simulated.
type network interface {
	// Find returns what is there in the place of a fact, nil if nothing is.
	Find(netstate.Resource) (netstate.Resource, error)
	// Put makes a fact true, whatever is in its place.
	Put(netstate.Resource) error
	// Remove removes what a fact tells of.
	Remove(netstate.Resource) error

	Links() ([]netstate.Link, error)
	Addresses() ([]netstate.Address, error)
	// Observe returns what there is, as far as it can be read.
	Observe(context.Context) (netstate.Observed, error)
	// Settled reports whether the kernel has done what follows from a fact that was
	// put.
	Settled(netstate.Resource) (bool, error)
	// Identity returns what tells the namespace from others, "" if nothing does.
	Identity() (string, error)
	// Lookup returns the route that a packet takes.
	Lookup(to, from netip.Addr) (netstate.Route, error)
}

// find returns what the host has in the place of a fact, nil if nothing is there.
func (h *Host) find(ctx context.Context, f Resource) (Resource, error) {
	if s, ok := f.(Sysctl); ok {
		value, err := h.Sysctl(ctx, s.Key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return Sysctl{s.Key, value}, nil
	}
	found, err := within(ctx, func() (netstate.Resource, error) { return h.network.Find(f.toNetwork()) })
	if err != nil {
		return nil, resourceError(OpReadHost, f, err)
	}
	return resourceOf(found), nil
}

// factOf returns a fact of the seam as ours, nil of nil.
func resourceOf(f netstate.Resource) Resource {
	switch f := f.(type) {
	case netstate.Link:
		return Link(f)
	case netstate.Address:
		return addressOf(f)
	case netstate.Route:
		return Route(f)
	case netstate.Rule:
		return Rule(f)
	case netstate.SourceNAT:
		return SourceNAT(f)
	case netstate.FOUPort:
		return FOUPort(f)
	case netstate.IPsecPolicy:
		return IPsecPolicy(f)
	case netstate.IPsecAssociation:
		return associationOf(f)
	case netstate.Module:
		return Module(f)
	}
	return nil
}

// put makes a fact true. It is not cut short: whoever gives up must know where
// the host stands.
func (h *Host) put(f Resource) error {
	if s, ok := f.(Sysctl); ok {
		path, err := s.Key.path()
		if err != nil {
			return err.about(OpApply, s.String())
		}
		return resourceError(OpApply, s, h.files.WriteFile(path, []byte(s.Value+"\n")))
	}
	if a, ok := f.(IPsecAssociation); ok && a.Key == (IPsecKey{}) {
		return a.keyless().about(OpApply, a.String())
	}
	return resourceError(OpApply, f, h.network.Put(f.toNetwork()))
}

func (h *Host) remove(f Resource) error {
	return resourceError(OpUndo, f, h.network.Remove(f.toNetwork()))
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

// interfaceOf returns the interface that must be there for a fact, "" if none.
func interfaceOf(f Resource) string {
	switch f := f.(type) {
	case Sysctl:
		return f.interfaceOf()
	case Address:
		return f.Interface
	case Route:
		return f.Interface
	}
	return ""
}

// describeResource returns the text of a fact for people, also of one that is not there.
func describeResource(f Resource) string {
	switch f := f.(type) {
	case nil:
		return "nothing"
	case Sysctl:
		return f.Value
	case Link:
		state := "down"
		if f.Up {
			state = "up"
		}
		return strings.TrimSpace(fmt.Sprintf("%s%s", state, optionText("mtu", f.MTU)))
	}
	return f.String()
}
