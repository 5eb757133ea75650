package workload

import (
	"context"
	"errors"
	"net/netip"

	"github.com/golvs/lvs"
)

// director decides where packets go. A simulator is one; a test uses a kernel.
type director interface {
	Deliver(lvs.SimPacket) (lvs.Verdict, error)
}

// asker asks directors where connections go.
type asker struct {
	service lvs.ServiceID
	dest    netip.AddrPort
	crowd   spread
	clients Clients
	engine  string // of the service's persistence
}

func newAsker(service lvs.ServiceID, clients Clients) (*asker, error) {
	if !service.IsValid() {
		return nil, invalid("Service", "is the zero value, which is not a service")
	}
	if err := clients.validate("Clients", service.Is6()); err != nil {
		return nil, err
	}
	return &asker{service: service, dest: destination(service), crowd: clients.spread(service.Is6()), clients: clients}, nil
}

// flow returns a packet of the i-th client's connection, without flags. Those
// that share an address have different ports.
func (a *asker) flow(i int) lvs.SimPacket {
	address := a.clients.addressOf(i)
	offset := uint64(address)*0x9e3779b97f4a7c15>>32 + uint64(i-address*max(1, a.clients.PerAddress))
	return lvs.SimPacket{
		Protocol: protocolOf(a.service), FWMark: a.service.FWMark(), Destination: a.dest,
		Source: netip.AddrPortFrom(a.crowd.at(address), firstPort+uint16(offset%portCount)),
	}
}

// open lets a client connect, and returns the verdict on its first packet.
func (a *asker) open(d director, i int) (lvs.Verdict, error) {
	v, err := a.send(d, i, opens)
	if err == nil && v.Action == lvs.ActionForwarded && hasConnections(protocolOf(a.service)) {
		_, err = a.send(d, i, confirms)
	}
	return v, err
}

// reset ends an open connection.
func (a *asker) reset(d director, i int) error {
	if !hasConnections(protocolOf(a.service)) {
		return nil
	}
	_, err := a.send(d, i, resets)
	return err
}

func (a *asker) send(d director, i int, s signal) (lvs.Verdict, error) {
	p := a.flow(i)
	s.put(&p)
	call(&p, a.engine)
	return d.Deliver(p)
}

// directors checks that each simulator has the service, with real servers.
func (a *asker) directors(ctx context.Context, sims []*lvs.Simulator) ([]director, error) {
	out := make([]director, len(sims))
	for i, sim := range sims {
		if sim == nil {
			return nil, invalid("Simulator", "is nil")
		}
		client := sim.Client()
		served, err := client.Service(ctx, a.service)
		if err != nil {
			client.Close()
			return nil, err
		}
		servers, err := client.RealServers(ctx, a.service)
		client.Close()
		if err != nil {
			return nil, err
		}
		a.engine = served.Persistence.Engine
		if len(servers) == 0 {
			return nil, invalid("Service", "%s has no real servers", a.service)
		}
		out[i] = sim
	}
	return out, nil
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
