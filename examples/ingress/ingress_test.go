package ingress

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/golvs/lvs"
)

const mark = 256

var one, two = netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("10.0.0.6")

func newBalancer(t *testing.T, containers ...netip.Addr) (*Balancer, *lvs.Simulator) {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	b := &Balancer{Client: sim.Client()}
	t.Cleanup(func() { b.Client.Close() })
	for _, c := range containers {
		if err := b.Add(t.Context(), mark, c); err != nil {
			t.Fatal(err)
		}
	}
	return b, sim
}

// reached returns the containers that four new clients of port 8080 reach, whose
// packets the firewall has marked.
func reached(t *testing.T, sim *lvs.Simulator, firstPort uint16) (all []netip.Addr) {
	t.Helper()
	for port := firstPort; port < firstPort+4; port++ {
		conn, err := sim.Connect(lvs.Flow{
			Client: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port),
			VIP:    netip.MustParseAddrPort("10.0.0.2:8080"),
			FWMark: mark,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.Verdict().Target().Port(); got != 8080 {
			t.Errorf("the client reached port %d, want the published one", got)
		}
		all = append(all, conn.Server().Addr())
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

func TestBalances(t *testing.T) {
	b, sim := newBalancer(t, one, two)
	if got := reached(t, sim, 40000); !slices.Equal(got, []netip.Addr{one, two}) {
		t.Errorf("clients reached %v, want both containers", got)
	}
	if err := b.Drain(t.Context(), mark, one); err != nil {
		t.Fatal(err)
	}
	if got := reached(t, sim, 50000); !slices.Equal(got, []netip.Addr{two}) {
		t.Errorf("clients reached %v, want %v alone", got, two)
	}
}

// A container that is added again after it was drained gets connections again.
func TestAddAgain(t *testing.T) {
	b, sim := newBalancer(t, one)
	if err := b.Drain(t.Context(), mark, one); err != nil {
		t.Fatal(err)
	}
	if err := b.Add(t.Context(), mark, one); err != nil {
		t.Fatal(err)
	}
	if got := reached(t, sim, 50000); !slices.Equal(got, []netip.Addr{one}) {
		t.Errorf("clients reached %v, want %v", got, one)
	}
}

// Draining and removing what does not exist succeeds, and the service goes with its
// last container.
func TestRemove(t *testing.T) {
	b, _ := newBalancer(t, one, two)
	for _, c := range []netip.Addr{one, two} {
		if _, err := b.Client.Service(t.Context(), lvs.FWMark(mark)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := b.Remove(t.Context(), mark, c); err != nil {
				t.Errorf("remove %v: %v", c, err)
			}
		}
	}
	if _, err := b.Client.Service(t.Context(), lvs.FWMark(mark)); !errors.Is(err, lvs.ErrNoService) {
		t.Errorf("the service: %v, want that it does not exist", err)
	}
	if err := b.Drain(t.Context(), mark, one); err != nil {
		t.Errorf("drain: %v", err)
	}
}

// Other errors are reported.
func TestErrors(t *testing.T) {
	for _, call := range []func(*Balancer, context.Context, uint32, netip.Addr) error{
		(*Balancer).Add, (*Balancer).Remove, (*Balancer).Drain,
	} {
		b, sim := newBalancer(t, one)
		if err := sim.Inject(lvs.SimFault{Errno: lvs.EPERM, Times: 10}); err != nil {
			t.Fatal(err)
		}
		if err := call(b, t.Context(), mark, one); !errors.Is(err, lvs.ErrPermission) {
			t.Errorf("%v, want that permission is denied", err)
		}
	}
}
