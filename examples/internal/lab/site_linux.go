package lab

import (
	"context"
	"errors"
	"net/netip"

	"github.com/golvs/lvs"
)

// NewSite builds the hosts of two services on the same two real servers, and sets
// them up: one VIP by direct routing in the inner network, where the client has an
// address, too, and one by NAT in the outer network. The director's table is empty.
func NewSite(ctx context.Context) (*Lab, error) {
	p, err := sitePlan()
	if err != nil {
		return nil, err
	}
	l, err := build(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := l.setUpHosts(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func sitePlan() (plan, error) {
	o := Options{Mode: "dr"}
	if err := o.complete(); err != nil {
		return plan{}, err
	}
	p := o.machines()
	vip, natVIP := inner.addr(false, vipHost), outer.addr(false, natVIPHost)
	p.client.ports = append(clientPort(outer), port{inner, []byte{firstClient}})
	p.dir.ports = []port{{inner, []byte{directorHost}}, {outer, []byte{directorHost}}}
	p.balance(vip, lvs.DR(), inner, false)
	var err error
	p.dir.setup, err = both(
		lvs.DRDirector{VIP: vip, Interface: "eth0"},
		lvs.NATDirector{VIP: natVIP, Interface: "eth1", Inside: "eth0", Network: inner.prefix(false)})
	if err != nil {
		return p, err
	}
	return p, p.eachServer(func(netip.Addr) (lvs.Setup, error) {
		return both(
			lvs.DRRealServer{VIP: vip},
			lvs.NATRealServer{Director: inner.addr(false, directorHost), Clients: []netip.Prefix{outer.prefix(false)}})
	})
}

// both joins what a host needs for two services.
func both(all ...interface{ Setup() (lvs.Setup, error) }) (joined lvs.Setup, err error) {
	for _, part := range all {
		s, err := part.Setup()
		if err != nil {
			return nil, err
		}
		joined = append(joined, s...)
	}
	return joined, nil
}
