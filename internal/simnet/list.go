package simnet

import "github.com/golvs/lvs/internal/hostnet"

// List lists links, addresses, routes, rules and receive ports, with the routes
// that come with addresses.
func (n *Network) List() (all []hostnet.Fact, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	all = appendFacts(all, n.links)
	all = appendFacts(all, n.addresses)
	for _, a := range n.addresses {
		if n.link(a.Interface).Up && a.Interface != "lo" && !a.Prefix.IsSingleIP() {
			all = append(all, connectedBy(a))
		}
	}
	all = appendFacts(all, n.routes)
	all = appendFacts(all, n.rules)
	return appendFacts(all, n.fous), nil
}

func appendFacts[T hostnet.Fact](all []hostnet.Fact, more []T) []hostnet.Fact {
	for _, f := range more {
		all = append(all, f)
	}
	return all
}
