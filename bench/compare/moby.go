//go:build linux

package main

import (
	"github.com/moby/ipvs"
	"golang.org/x/sys/unix"
)

const mobyPath = "github.com/moby/ipvs"

func mobyAdding() contender {
	return moby(func(h *ipvs.Handle, entries []mobyEntry) (int, error) {
		objects := 0
		for _, e := range entries {
			if err := h.NewService(e.service); err != nil {
				return objects, err
			}
			objects++
			for _, d := range e.servers {
				if err := h.NewDestination(e.service, d); err != nil {
					return objects, err
				}
				objects++
			}
		}
		return objects, nil
	})
}

func mobyReading() contender {
	return moby(func(h *ipvs.Handle, _ []mobyEntry) (int, error) {
		services, err := h.GetServices()
		objects := len(services)
		for _, s := range services {
			if err != nil {
				return objects, err
			}
			var servers []*ipvs.Destination
			servers, err = h.GetDestinations(s)
			objects += len(servers)
		}
		return objects, err
	})
}

type mobyEntry struct {
	service *ipvs.Service
	servers []*ipvs.Destination
}

func moby(run func(*ipvs.Handle, []mobyEntry) (int, error)) contender {
	return contender{"moby", func(ns *namespace, j job) (session, error) {
		h, err := ipvs.New(ns.path())
		if err != nil {
			return session{}, err
		}
		entries := j.moby()
		return session{
			run:   func() (int, error) { return run(h, entries) },
			close: func() error { h.Close(); return nil },
		}, nil
	}}
}

func (j job) moby() []mobyEntry {
	all := make([]mobyEntry, j.services)
	for s := range all {
		all[s].service = &ipvs.Service{
			Address: j.vip(s).Addr().AsSlice(), Port: port, Protocol: unix.IPPROTO_TCP,
			AddressFamily: unix.AF_INET, SchedName: scheduler, Netmask: 0xffffffff,
		}
		for r := range j.servers {
			all[s].servers = append(all[s].servers, &ipvs.Destination{
				Address: j.rip(s, r).Addr().AsSlice(), Port: port, AddressFamily: unix.AF_INET,
				ConnectionFlags: ipvs.ConnectionFlagDirectRoute, Weight: 1,
			})
		}
	}
	return all
}
