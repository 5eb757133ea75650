package main

import (
	"context"
	"net/netip"

	"github.com/golvs/lvs"
)

// onSimulator is a kernel in this process. It answers and balances as Linux does,
// and its time passes when it is told to.
func onSimulator(context.Context) (*ground, error) {
	sim, err := lvs.NewSimulator(lvs.SimulatorOptions{})
	if err != nil {
		return nil, err
	}
	port := uint16(1023) // of the client that came last
	connect := func(_ context.Context, from netip.Addr, to netip.AddrPort) (string, error) {
		port = max(port+1, 1024)
		conn, err := sim.Connect(lvs.Flow{Client: netip.AddrPortFrom(from, port), VIP: to})
		if err != nil {
			return "", err
		}
		return conn.Server().Addr().String(), nil
	}
	const clients = 10_000
	director := sim.Client()
	return &ground{
		director: director,
		anybody:  crowd{addresses("172.16.0.1", clients), 1},
		first:    crowd{addresses("172.17.0.1", clients), 1},
		fresh:    crowd{addresses("172.18.0.1", clients), 1},
		connect:  connect,
		wait:     sim.Advance,
		close:    func() { director.Close() },
	}, nil
}
