package health

import (
	"context"
	"net/netip"
)

// At asks with a probe at another address than the target's, such as that of the server
// in a management network. The port is that of the probe or of the target.
type At struct {
	Addr netip.Addr `json:"addr"` // must be set
	Ask  Probe      `json:"ask"`  // must be set
}

// String returns the probe in words, with its address.
func (p At) String() string { return words(describe(p.Ask), "at "+p.Addr.String()) }

func (p At) validate() error {
	switch {
	case !p.Addr.IsValid():
		return invalid("Addr", "must be set")
	case p.Ask == nil:
		return invalid("Ask", "must be set")
	}
	if v, ok := p.Ask.(interface{ validate() error }); ok {
		return within("Ask", v.validate())
	}
	return nil
}

// Probe asks at the address.
func (p At) Probe(ctx context.Context, t Target) (Answer, error) {
	t.Addr = netip.AddrPortFrom(p.Addr, t.Addr.Port())
	return p.Ask.Probe(ctx, t)
}
