package main

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs"
)

// onSimulator is a kernel in this process. It balances as Linux does, and its clock
// advances on command.
func onSimulator(context.Context) (*ground, error) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		return nil, err
	}
	town := &town{sim: sim, port: 1023, open: make(map[netip.AddrPort][]lvs.Flow)}
	const clients = 10_000
	director := sim.Client()
	return &ground{
		director: director,
		everyone: crowd{addresses("172.16.0.1", clients), 1},
		first:    crowd{addresses("172.17.0.1", clients), 1},
		fresh:    crowd{addresses("172.18.0.1", clients), 1},
		connect:  town.connect,
		resume:   town.resume,
		wait:     sim.Advance,
		close:    func() { director.Close() },
	}, nil
}

// town is where the clients are.
type town struct {
	sim  *lvs.Simulator
	port uint16                        // of the client that connected last
	open map[netip.AddrPort][]lvs.Flow // the connections, by VIP
}

// connect opens a connection and leaves it open.
func (t *town) connect(_ context.Context, from netip.Addr, to netip.AddrPort) (string, error) {
	t.port = max(t.port+1, 1024)
	flow := lvs.Flow{Client: netip.AddrPortFrom(from, t.port), VIP: to}
	conn, err := t.sim.Connect(flow)
	if err != nil {
		return "", err
	}
	t.open[to] = append(t.open[to], flow)
	return conn.Server().Addr().String(), nil
}

// resume sends a packet on each connection.
func (t *town) resume(to netip.AddrPort) (answers, error) {
	got := make(answers)
	for _, flow := range t.open[to] {
		verdict, err := t.sim.Deliver(lvs.SimPacket{
			Protocol: lvs.ProtocolTCP, Source: flow.Client, Destination: flow.VIP, TCP: lvs.SimACK,
		})
		if err != nil {
			return nil, err
		}
		if verdict.Action != lvs.ActionForwarded {
			return nil, &lvs.NotForwardedError{Flow: flow, Verdict: verdict}
		}
		client := flow.Client.Addr()
		got[client] = append(got[client], verdict.Server.Addr().String())
	}
	return got, nil
}
