//go:build linux

package main

import (
	"io"

	"github.com/cloudflare/ipvs"
	"github.com/cloudflare/ipvs/netmask"
)

const cloudflarePath = "github.com/cloudflare/ipvs"

func cloudflareAdding() contender {
	return cloudflare(func(c ipvs.Client, entries []cloudflareEntry) (int, error) {
		objects := 0
		for _, e := range entries {
			if err := c.CreateService(e.service); err != nil {
				return objects, err
			}
			objects++
			for _, d := range e.servers {
				if err := c.CreateDestination(e.service, d); err != nil {
					return objects, err
				}
				objects++
			}
		}
		return objects, nil
	})
}

func cloudflareReading() contender {
	return cloudflare(func(c ipvs.Client, _ []cloudflareEntry) (int, error) {
		services, err := c.Services()
		objects := len(services)
		for _, s := range services {
			if err != nil {
				return objects, err
			}
			var servers []ipvs.DestinationExtended
			servers, err = c.Destinations(s.Service)
			objects += len(servers)
		}
		return objects, err
	})
}

type cloudflareEntry struct {
	service ipvs.Service
	servers []ipvs.Destination
}

func cloudflare(run func(ipvs.Client, []cloudflareEntry) (int, error)) contender {
	return contender{"cloudflare", func(ns *namespace, j job) (session, error) {
		var c ipvs.Client
		err := ns.do(func() (err error) {
			c, err = ipvs.New()
			return err
		})
		if err != nil {
			return session{}, err
		}
		entries := j.cloudflare()
		return session{
			run:   func() (int, error) { return run(c, entries) },
			close: c.(io.Closer).Close, // the interface lacks it
		}, nil
	}}
}

func (j job) cloudflare() []cloudflareEntry {
	all := make([]cloudflareEntry, j.services)
	for s := range all {
		all[s].service = ipvs.Service{
			Address: j.vip(s).Addr(), Port: port, Protocol: ipvs.TCP, Family: ipvs.INET,
			Scheduler: scheduler, Netmask: netmask.MaskFrom(32, 32),
		}
		for r := range j.servers {
			all[s].servers = append(all[s].servers, ipvs.Destination{
				Address: j.rip(s, r).Addr(), Port: port, Family: ipvs.INET,
				FwdMethod: ipvs.DirectRoute, Weight: uint32(j.weight(s, r)),
			})
		}
	}
	return all
}
