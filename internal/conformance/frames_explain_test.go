package conformance

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/golvs/lvs"
)

// A program's packet for a VIP of another host does not come to a server that is the
// director, whatever the mode, and Explain says so.
func TestFramesOwnStackExplained(t *testing.T) {
	ctx := context.Background()
	d := openWiredDuel(t)
	for _, p := range []*player{d.real, d.sim} {
		h := p.side.(interface{ Host(testing.TB) *lvs.Host }).Host(t)
		for i, method := range []uint32{masquerade, direct, tunnel, localNode} {
			for vip, foreign := range map[string]bool{"10.3.0.77": true, "10.1.254.1": false, "fd00:3::77": true, "fd00:1::fe:1": false} {
				server, client := netip.MustParseAddr("10.2.0.1"), netip.MustParseAddr("10.1.0.1")
				to := netip.AddrPortFrom(netip.MustParseAddr(vip), 8080+uint16(i))
				if to.Addr().Is6() {
					server, client = netip.MustParseAddr("fd00:2::1"), netip.MustParseAddr("fd00:1::1")
				}
				f := lvs.Flow{Client: netip.AddrPortFrom(client, 3000), VIP: to}
				name := fmt.Sprintf("tcp %s", to)
				dest := destOf(netip.AddrPortFrom(server, to.Port()).String()).set(dMethod, u32(method))
				p.call([]control{serviceCall(cNewService, serviceOf(name)), serviceCall(cNewDest, keyOf(name), dest)})
				x, err := h.Explain(ctx, f)
				must(t, err)
				if stops := x.Verdicts[0].Reason == lvs.ReasonOwnStack; stops != foreign || foreign && !x.Certain {
					t.Errorf("%T, method %d, %s: %v", p.side, method, to, x.Verdicts)
				}
				syn := &ipPacket{load: newTCP(flagSYN), from: f.Client, to: to, ttl: usualTTL, id: 1}
				exits := p.side.(wired).Inject([]frame{{fromDirector, syn}})[0]
				if arrives := slices.ContainsFunc(exits, func(x exit) bool { return x.by == toStack }); arrives == foreign {
					t.Errorf("%T, method %d, %s:\n%s", p.side, method, to, exitsText(exits))
				}
			}
		}
	}
}
