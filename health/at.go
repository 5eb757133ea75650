package health

import (
	"context"
	"net/netip"
	"time"
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
	if !p.Addr.IsValid() {
		return invalid("Addr", "must be set")
	}
	return within("Ask", validateProbe(p.Ask))
}

// Probe asks at the address.
func (p At) Probe(ctx context.Context, t Target) (Answer, error) {
	t.Addr = netip.AddrPortFrom(p.Addr, t.Addr.Port())
	return p.Ask.Probe(ctx, t)
}

func (p At) silence() time.Duration { return silenceOf(p.Ask) }

// identity differs by what is asked, and not only by its fields.
func (p At) identity() string { return p.Addr.String() + " " + identify(p.Ask) }

// MarshalJSON returns the fields in JSON, with what is asked as [MarshalProbe] returns it.
func (p At) MarshalJSON() ([]byte, error) { return encode(&p) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (p *At) UnmarshalJSON(text []byte) error { return decode(text, p) }
