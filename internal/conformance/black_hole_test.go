package conformance

import (
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/simipvs"
)

// A service of port 0 that is not persistent refuses all ports. The client would not
// add one; other tools do.
func TestSimulatorBlackHole(t *testing.T) {
	g := openSimulatorGround("6.12.117")(t).(*simulatorGround)
	dialRaw(t, g.Dial).must(newService(serviceOf("tcp 10.1.0.1:0")))
	from, to := netip.MustParseAddrPort("10.9.0.1:1024"), netip.MustParseAddrPort("10.1.0.1:80")
	var v simipvs.Verdict
	err := g.kernel.Deliver(&simipvs.Packet{Protocol: protocolTCP, TCP: flagSYN, Source: &from, Destination: &to, Length: 60}, &v)
	if must(t, err); v.Action != simipvs.Refused || v.Reason != simipvs.OtherPort {
		t.Errorf("the verdict is %+v", v)
	}
}
