package lvs

import (
	"fmt"

	"github.com/golvs/lvs/internal/netstate"
)

// FOUPort is a UDP port of a real server that takes packets out of [GUE]. The
// kernel does not load the module fou for it by itself.
type FOUPort struct {
	Port uint16 `json:"port"`           // that the director sends to
	IPv6 bool   `json:"ipv6,omitempty"` // the outer packets are IPv6

	// Other is what was found: the port is there, and takes something else out, or
	// packets of certain addresses only.
	Other bool `json:"other,omitempty"`
}

func (p FOUPort) String() string {
	return fmt.Sprintf("ip fou add port %d gue%s", p.Port, familyFlag(p.IPv6))
}

func (p FOUPort) key() string { return p.String() }

func (p FOUPort) validate() *Error {
	if p.Port == 0 {
		return invalid("Port", "needs the UDP port that the director sends to")
	}
	if p.Other {
		return invalid("Other", "must not be set")
	}
	return nil
}

func (p FOUPort) complete(found Resource) (Resource, *Error) {
	if found != nil && found.(FOUPort).Other {
		return nil, &Error{kind: ErrExists, Field: "Port", detail: "the port decapsulates something other than GUE, or only for some addresses: remove it ('ip fou show'), or choose another"}
	}
	return p, nil
}

func (p FOUPort) matches(now Resource) bool    { return now == p }
func (p FOUPort) toNetwork() netstate.Resource { return netstate.FOUPort(p) }
