package workload

import (
	"context"
	"errors"
	"net/netip"

	"github.com/golvs/lvs"
)

// asker asks simulators where connections go.
type asker struct {
	service lvs.ServiceID
	dest    netip.AddrPort
	crowd   spread
	clients Clients
}

func newAsker(service lvs.ServiceID, clients Clients) (*asker, error) {
	if !service.IsValid() {
		return nil, invalid("Service", "is the zero value, which names no service")
	}
	if err := clients.validate("Clients", service.Is6()); err != nil {
		return nil, err
	}
	return &asker{service, destination(service), clients.spread(service.Is6()), clients}, nil
}

// flow returns the first packet of the i-th client's connection. Those that share
// an address have different ports.
func (a *asker) flow(i int) lvs.Packet {
	address := a.clients.addressOf(i)
	offset := uint64(address)*0x9e3779b97f4a7c15>>32 + uint64(i-address*max(1, a.clients.PerAddress))
	p := lvs.Packet{
		Protocol: lvs.ProtocolTCP, FWMark: a.service.FWMark(), Destination: a.dest,
		Source: netip.AddrPortFrom(a.crowd.at(address), firstPort+uint16(offset%portCount)),
	}
	if a.service.FWMark() == 0 {
		p.Protocol = a.service.Protocol()
	}
	return p
}

// open lets a client connect.
func (a *asker) open(sim *lvs.Simulator, i int) (lvs.Verdict, error) { return a.send(sim, i, lvs.SYN) }

func (a *asker) send(sim *lvs.Simulator, i int, flags lvs.TCPFlags) (lvs.Verdict, error) {
	p := a.flow(i)
	if p.Protocol == lvs.ProtocolTCP {
		p.TCP = flags
	}
	return sim.Deliver(p)
}

// serves checks that a simulator has the service, with real servers.
func (a *asker) serves(ctx context.Context, sim *lvs.Simulator) ([]lvs.RealServerStatus, error) {
	if sim == nil {
		return nil, invalid("Simulator", "is nil")
	}
	client := sim.Client()
	defer client.Close()
	servers, err := client.Servers(ctx, a.service)
	if err == nil && len(servers) == 0 {
		err = invalid("Service", "%s has no real servers", a.service)
	}
	return servers, err
}

// each calls do for each of n, in the order given, until the context ends or
// something fails.
func each(ctx context.Context, order []int, do func(int) error) error {
	var err error
	for n, i := range order {
		if n&0x3ff == 0 {
			err = context.Cause(ctx)
		}
		if err = errors.Join(err, do(i)); err != nil {
			return err
		}
	}
	return nil
}
