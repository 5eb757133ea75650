//go:build linux

package main

import (
	"github.com/moby/ipvs"
	"golang.org/x/sys/unix"
)

const mobyPath = "github.com/moby/ipvs"

func mobyAdding() contender {
	return moby(func(h *ipvs.Handle, w mobyWish) (int, error) {
		objects := 0
		for _, e := range w.entries {
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
	return moby(func(h *ipvs.Handle, _ mobyWish) (int, error) {
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

// mobyWish is a table that is wanted.
type mobyWish struct {
	job
	entries []mobyEntry
}

func mobyWishOf(j job) mobyWish { return mobyWish{j, j.moby()} }

type mobyEntry struct {
	service *ipvs.Service
	servers []*ipvs.Destination
}

func moby(run func(*ipvs.Handle, mobyWish) (int, error)) contender {
	return contender{"moby", func(ns *namespace, j job) (session, error) {
		h, err := ipvs.New(ns.path())
		if err != nil {
			return session{}, err
		}
		w := mobyWishOf(j)
		return session{
			run:   func() (int, error) { return run(h, w) },
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
				ConnectionFlags: ipvs.ConnectionFlagDirectRoute, Weight: j.weight(s, r),
			})
		}
	}
	return all
}
