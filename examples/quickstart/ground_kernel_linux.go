package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/lab"
)

// Clients of the NAT service. It knows a client by its address, so several clients
// need several addresses.
var (
	firstClients = addresses("192.168.0.201", 10)
	newClients   = addresses("192.168.0.211", 10)
)

// onKernel is this machine's kernel, with a network of namespaces that the program
// makes.
func onKernel(ctx context.Context) (*ground, error) {
	g, _, err := inLab(ctx)
	return g, err
}

func inLab(ctx context.Context) (*ground, *lab.Lab, error) {
	if err := available(ctx); err != nil {
		return nil, nil, err
	}
	l, err := lab.NewSite(ctx)
	if err != nil {
		return nil, nil, err
	}
	return &ground{
		director: l.Director.Client(),
		everyone: crowd{[]netip.Addr{{}}, 40},
		first:    crowd{firstClients, 2},
		fresh:    crowd{newClients, 2},
		connect: func(ctx context.Context, from netip.Addr, vip netip.AddrPort) (string, error) {
			ctx, cancel := context.WithTimeout(ctx, requestTimeout)
			defer cancel()
			server, err := l.Get(ctx, from, vip)
			return server.String(), err
		},
		close: func() { l.Close() },
	}, l, nil
}

// available reports, before anything is made, whether IPVS is here and may be used.
// Opening a client needs no privilege; asking it something does.
func available(ctx context.Context) error {
	client, err := lvs.Open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = client.Info(ctx)
	return err
}

const requestTimeout = 10 * time.Second
