package conformance

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// The filters select on every ground what they select of the whole listing.
func TestConformanceConnectionFilters(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		h, ctx := g.Host(t), groundContext(t)
		none, err := lvs.CollectConnections(h.Connections(ctx, lvs.ConnectionFilter{Origin: lvs.AnyOrigin}))
		if err != nil || len(none) != 0 {
			t.Errorf("before the first service: %v, %v", none, err)
		}
		vip := netip.MustParseAddr("10.1.0.1")
		dns, sip := lvs.UDP(netip.AddrPortFrom(vip, 53)), lvs.UDP(netip.AddrPortFrom(vip, 5061))
		servers := []netip.AddrPort{netip.MustParseAddrPort("10.2.0.2:53"), netip.MustParseAddrPort("10.2.0.3:53")}
		must(t, h.Client().Do(ctx,
			lvs.AddService(lvs.Service{ID: dns, Scheduler: lvs.RR}),
			lvs.AddRealServer(dns, lvs.NewRealServer(servers[0], lvs.DR())), lvs.AddRealServer(dns, lvs.NewRealServer(servers[1], lvs.DR())),
			lvs.AddService(lvs.Service{ID: sip, Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute, Mask: lvs.PrefixMask(24)}}),
			lvs.AddRealServer(sip, lvs.NewRealServer(netip.MustParseAddrPort("10.2.0.4:5061"), lvs.DR()))))
		for port := range uint16(40) {
			must(t, g.Datagram(netip.AddrPortFrom(vip, 5000+port), dns.AddrPort()))
		}
		must(t, g.Datagram(netip.AddrPortFrom(vip, 6000), sip.AddrPort()))
		for _, c := range []struct {
			name   string
			filter lvs.ConnectionFilter
			want   int
		}{
			{"all", lvs.ConnectionFilter{}, 42},
			{"of a service", lvs.ConnectionFilter{Service: dns}, 40},
			{"of a persistent service", lvs.ConnectionFilter{Service: sip}, 2},
			{"templates", lvs.ConnectionFilter{Service: sip, Templates: lvs.TemplatesOnly}, 1},
			{"connections", lvs.ConnectionFilter{Service: sip, Templates: lvs.ConnectionsOnly}, 1},
			{"to a server", lvs.ConnectionFilter{RealServer: servers[0]}, 20},
			{"of clients", lvs.ConnectionFilter{Client: netip.MustParsePrefix("10.1.0.1/32")}, 42},
			{"of other clients", lvs.ConnectionFilter{Client: netip.MustParsePrefix("10.1.0.2/32")}, 1},
			{"of other clients without templates", lvs.ConnectionFilter{Client: netip.MustParsePrefix("10.1.0.2/32"), Templates: lvs.ConnectionsOnly}, 0},
			{"of another network", lvs.ConnectionFilter{Client: netip.MustParsePrefix("10.1.1.0/24")}, 0},
			{"in a state", lvs.ConnectionFilter{States: []lvs.ConnState{lvs.StateNone}}, 1},
			{"made here", lvs.ConnectionFilter{Origin: lvs.OriginLocal}, 42},
			{"from a sync daemon", lvs.ConnectionFilter{Origin: lvs.OriginSync}, 0},
		} {
			all, err := lvs.CollectConnections(h.Connections(ctx, c.filter))
			if err != nil || len(all) != c.want {
				t.Errorf("%s: %d, %v; want %d", c.name, len(all), err, c.want)
			}
			if i := slices.IndexFunc(all, func(one lvs.Connection) bool { return one.Origin != c.filter.Origin && c.filter.Origin != "" }); i >= 0 {
				t.Errorf("%s: %+v", c.name, all[i])
			}
		}
		var last error
		isClosed := false
		for _, last = range h.Connections(ctx, lvs.ConnectionFilter{}) {
			if !isClosed {
				must(t, h.Close())
				isClosed = true
			}
		}
		ofKind(t, "a host that is closed while it is listed", last, lvs.ErrClosed)
	})
}
