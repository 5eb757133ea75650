package lvs

import "github.com/golvs/lvs/internal/wire"

// NAT is network address translation (ipvsadm calls it masquerading): the
// director rewrites address and port of the packet and of its answer, which
// must come back through it. The only mode in which a server may listen on
// another port than the service's.
const NAT = Mode(wire.MethodMasq ^ wire.MethodDirect)
