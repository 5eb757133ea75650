package lvs

import (
	"fmt"

	"github.com/golvs/lvs/internal/netstate"
)

// FOUPort is a UDP port on which a real server decapsulates [GUE]. It needs the
// module fou, which the kernel does not load automatically.
type FOUPort struct {
	Port uint16 `json:"port"`           // that the director sends to
	IPv6 bool   `json:"ipv6,omitempty"` // the outer packets are IPv6
}

// String returns the command of ip(8) that opens the port.
func (p FOUPort) String() string {
	return fmt.Sprintf("ip fou add port %d gue%s", p.Port, familyFlag(p.IPv6))
}

func (p FOUPort) key() string { return p.String() }

func (p FOUPort) validate() *Error {
	if p.Port == 0 {
		return invalid("Port", "needs the UDP port that the director sends to")
	}
	return nil
}

func (p FOUPort) complete(found Resource) (Resource, *Error) {
	if isForeign(found) {
		return nil, &Error{kind: ErrExists, Field: "Port", detail: "the port decapsulates something other than GUE, or only for some addresses: remove it ('ip fou show'), or choose another"}
	}
	return p, nil
}

func (p FOUPort) matches(now Resource) bool { return now == p }

func (p FOUPort) toNetwork() netstate.Resource {
	return netstate.FOUPort{Port: p.Port, IPv6: p.IPv6}
}

func fouPortFrom(n netstate.FOUPort) Resource {
	return seenResource(FOUPort{Port: n.Port, IPv6: n.IPv6}, n.Other)
}
