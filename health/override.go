package health

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Override is what an operator decided about a real server. It outlives restarts of the
// program and new tables, until it is taken back or Until has passed.
type Override struct {
	Service lvs.ServiceID  `json:"service"` // whose real server it is
	Server  netip.AddrPort `json:"server"`  // its address, as in the table

	Kind   OverrideKind `json:"kind"`             // what it does
	Share  float64      `json:"share,omitempty"`  // of the configured weight, for [Scale]
	Weight int          `json:"weight,omitempty"` // for [Pin]

	By    string    `json:"by,omitempty"`   // who decided it
	Why   string    `json:"why,omitempty"`  // the reason
	Since time.Time `json:"since,omitzero"` // when it was decided
	Until time.Time `json:"until,omitzero"` // when it ends; zero is never
}

// OverrideKind is what an override does. Its texts are stable.
type OverrideKind string

const (
	// Drain gives the server no new connections. It counts as missing: see [Limit].
	Drain OverrideKind = "drain"

	// Scale multiplies its weight by a share.
	Scale OverrideKind = "scale"

	// Pin gives it a weight whatever its checks, reports and slow start say.
	Pin OverrideKind = "pin"
)
