package health

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
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

// String returns what was decided, until when, who did it and why, such as
// "tcp://10.168.0.91:80 -> 10.168.0.94:80: scale 0.5 until 2026-01-02T15:04:05Z, by ann: new disk".
func (o Override) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s -> %s: %s", o.Service, o.Server, o.Kind)
	switch o.Kind {
	case Scale:
		fmt.Fprintf(&b, " %g", o.Share)
	case Pin:
		fmt.Fprintf(&b, " %d", o.Weight)
	}
	if !o.Until.IsZero() {
		fmt.Fprintf(&b, " until %s", o.Until.Format(time.RFC3339))
	}
	if o.By != "" {
		fmt.Fprintf(&b, ", by %s", o.By)
	}
	if o.Why != "" {
		fmt.Fprintf(&b, ": %s", o.Why)
	}
	return b.String()
}

// maxWeight is the largest weight that the kernel takes: it is a signed 32-bit number.
const maxWeight = math.MaxInt32

// Validate returns an error that matches [lvs.ErrInvalid] if the override can never work.
func (o Override) Validate() error {
	switch {
	case !o.Service.IsValid():
		return invalid("Override.Service", "must be set")
	case !o.Server.IsValid():
		return invalid("Override.Server", "must be set")
	case o.Kind != Drain && o.Kind != Scale && o.Kind != Pin:
		return invalid("Override.Kind", "%q is unknown; want %q, %q or %q", o.Kind, Drain, Scale, Pin)
	case o.Kind != Scale && o.Share != 0:
		return invalid("Override.Share", "is %g, and only %q has a share", o.Share, Scale)
	case !(o.Share >= 0 && o.Share <= 100): // a NaN is neither
		return invalid("Override.Share", "%g is out of range [0, 100]", o.Share)
	case o.Kind != Pin && o.Weight != 0:
		return invalid("Override.Weight", "is %d, and only %q has a weight", o.Weight, Pin)
	case o.Weight < 0 || o.Weight > maxWeight:
		return invalid("Override.Weight", "%d is out of range [0, %d]", o.Weight, maxWeight)
	}
	return nil
}
