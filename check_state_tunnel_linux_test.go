package lvs

import (
	"context"
	"slices"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// What tunnel devices require of packets is read as it was set.
func TestFactsTunnels(t *testing.T) {
	testbed.InKernel(t)
	for _, c := range []struct {
		options string
		want    InterfaceState
	}{
		{"gre local 10.4.0.95", InterfaceState{Kind: "gre"}},
		{"gre local 10.4.0.95 key 7", InterfaceState{Kind: "gre", Keyed: true}},
		{"gre local 10.4.0.95 iseq", InterfaceState{Kind: "gre", Ordered: true}},
		{"gre local 10.4.0.95 oseq okey 7", InterfaceState{Kind: "gre"}},
		{"ip6gre local 2001:db8:4::95 key 7", InterfaceState{Kind: "ip6gre", Keyed: true}},
		{"ipip mode ipip local 10.4.0.95", InterfaceState{Kind: "ipip", Inner: 4}},
		{"ipip mode any local 10.4.0.95", InterfaceState{Kind: "ipip"}},
		{"sit mode ip6ip local 10.4.0.95", InterfaceState{Kind: "sit", Inner: 41}},
		{"ip6tnl mode any local 2001:db8:4::95", InterfaceState{Kind: "ip6tnl"}},
		{"ip6tnl mode ipip6 local 2001:db8:4::95", InterfaceState{Kind: "ip6tnl", Inner: 4}},
		{"ip6tnl mode ip6ip6 local 2001:db8:4::95", InterfaceState{Kind: "ip6tnl", Inner: 41}},
	} {
		t.Run(c.options, func(t *testing.T) {
			ns, h := setupGround(t)
			ns.Run("sh", "-c", "ip link add mine type "+c.options)
			state, err := h.State(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			i := slices.IndexFunc(state.Interfaces, func(i InterfaceState) bool { return i.Name == "mine" })
			if got := state.Interfaces[i]; got.Kind != c.want.Kind || got.Inner != c.want.Inner || got.Keyed != c.want.Keyed || got.Ordered != c.want.Ordered {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}
