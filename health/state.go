package health

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// State is what is known of a real server. Its texts are stable.
type State string

const (
	// Unknown: its checks have not decided yet. A server that is in the kernel's table
	// keeps the weight that it has there, and another one gets 0.
	Unknown State = "unknown"

	// Up: it works.
	Up State = "up"

	// Down: it failed.
	Down State = "down"
)

// ServerStatus is how a real server of a service is doing.
type ServerStatus struct {
	Service lvs.ServiceID  `json:"service"` // whose real server it is
	Server  netip.AddrPort `json:"server"`  // its address, as in the table

	State  State         `json:"state"`            // what its checks say together
	Since  time.Time     `json:"since,omitzero"`   // when State changed last
	Checks []CheckStatus `json:"checks,omitempty"` // in the order of the policy

	Weight   Weight    `json:"weight"`             // what it should have in the table
	Override *Override `json:"override,omitempty"` // what an operator decided; nil for nothing
	Differs  bool      `json:"differs,omitempty"`  // whether its content is not that of most others: see [Policy.SameContent]
}

// CheckStatus is how one check of a server is doing.
type CheckStatus struct {
	Check string `json:"check"` // in words, such as "http /ready"
	Path  Path   `json:"path"`  // how the probe reaches the server
	State State  `json:"state"` // what the probes in a row say

	Last   time.Time     `json:"last"`   // when the last probe ended; zero before the first
	Took   time.Duration `json:"took"`   // how long it took
	Error  string        `json:"error"`  // why the last probe failed; "" if it did not
	Streak int           `json:"streak"` // how many probes in a row had the result of the last one
	Next   time.Time     `json:"next"`   // when the next probe begins; zero while one is under way
}

// MarshalJSON returns the status in JSON. Fields that are zero are left out, and Took is a
// text such as "1.5ms".
func (c CheckStatus) MarshalJSON() ([]byte, error) { return encode(&c) }

// UnmarshalJSON reads what MarshalJSON returns, as that of [Policy] does.
func (c *CheckStatus) UnmarshalJSON(text []byte) error { return decode(text, c) }

// Weight is the weight that a real server should have, and what it is made of:
// Configured × Scale × Operator × Reported × Ramp, rounded, and at least 1 unless one of
// them is 0.
type Weight struct {
	Effective  int     `json:"effective"`      // what the table should have
	Configured int     `json:"configured"`     // in the wanted table
	Operator   float64 `json:"operator"`       // the operator's share; 1 without an override
	Reported   float64 `json:"reported"`       // the share that the server asks for; 1 if it says nothing
	Ramp       float64 `json:"ramp"`           // of slow start; 1 when it is over
	Scale      int     `json:"scale"`          // by which the weights of all servers of the service are multiplied, so that small ones can be divided; 1 is none
	Held       string  `json:"held,omitempty"` // why Effective is not that product, such as "failed", "keep all" or "rising"; "" if it is
}
