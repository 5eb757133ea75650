package main

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Clients of the NAT service. It knows a client by its address, so it takes
// several addresses to see several clients.
var (
	firstClients = addresses("192.168.0.101", 10)
	newClients   = addresses("192.168.0.111", 10)
)

// onKernel is this machine's kernel, with a network of namespaces that the
// program makes for itself.
func onKernel(ctx context.Context) (*ground, error) {
	if err := available(ctx); err != nil {
		return nil, err
	}
	lab, err := newLab()
	if err != nil {
		return nil, err
	}
	director, err := lvs.Open(ctx, lvs.InNamespaceFD(lab.directorFD()))
	if err != nil {
		lab.close()
		return nil, err
	}
	return &ground{
		director: director,
		anybody:  crowd{[]netip.Addr{{}}, 40},
		first:    crowd{firstClients, 2},
		fresh:    crowd{newClients, 2},
		connect:  lab.get,
		lab:      lab,
		close:    func() { director.Close(); lab.close() },
	}, nil
}

// available tells, before anything is made, whether there is an IPVS that may
// be used. Opening a client takes no privilege; asking it something does.
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

// get sends one request to a VIP and returns which server answered. Every
// request is a connection of its own, for it is connections that IPVS balances.
func (l *lab) get(ctx context.Context, from netip.Addr, vip netip.AddrPort) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	browser := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return l.dial(ctx, from, vip)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+vip.String(), nil)
	if err != nil {
		return "", err
	}
	response, err := browser.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), cmp.Or(err, response.Body.Close())
}
