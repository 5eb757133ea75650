package simnet

import "github.com/golvs/lvs/internal/netstate"

// List lists links, addresses, routes, rules and receive ports, with the routes
// that come with addresses.
func (n *Network) List() (all []netstate.Resource, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all = appendResources(all, n.links)
	all = appendResources(all, n.addresses)
	for _, a := range n.addresses {
		if n.link(a.Interface).Up && a.Interface != "lo" && !a.Prefix.IsSingleIP() {
			all = append(all, connectedBy(a))
		}
	}
	all = appendResources(all, n.routes)
	all = appendResources(all, n.rules)
	return appendResources(all, n.fous), nil
}

func appendResources[T netstate.Resource](all []netstate.Resource, more []T) []netstate.Resource {
	for _, f := range more {
		all = append(all, f)
	}
	return all
}
