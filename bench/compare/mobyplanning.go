//go:build linux

package main

import (
	"fmt"
	"net"

	"github.com/moby/ipvs"
)

// The package of moby knows neither tables nor plans. This is the loop that its users
// write: read everything, look each object up by its address, compare the fields.

// mobyEdit is a server that is not as wanted.
type mobyEdit struct {
	service *ipvs.Service
	server  *ipvs.Destination
}

func mobyPlanning() contender {
	return moby(func(h *ipvs.Handle, w mobyWish) (int, error) {
		edits, err := w.readAndCompare(h)
		if err == nil && len(edits) != w.edits() {
			err = fmt.Errorf("%d edits, want %d", len(edits), w.edits())
		}
		return w.objects(), err
	})
}

func mobyApplying() contender {
	return moby(func(h *ipvs.Handle, w mobyWish) (int, error) {
		edits, err := w.readAndCompare(h)
		for _, e := range edits {
			if err == nil {
				err = h.UpdateDestination(e.service, e.server)
			}
		}
		return w.objects(), err
	})
}

func mobyDiffing() contender {
	return contender{"moby", func(_ *namespace, j job) (session, error) {
		have, want := j.unedited().moby(), mobyWishOf(j)
		run := func() (int, error) {
			edits, err := want.compare(have)
			if err == nil && len(edits) != j.edits() {
				err = fmt.Errorf("%d edits, want %d", len(edits), j.edits())
			}
			return j.objects(), err
		}
		return session{run, func() error { return nil }}, nil
	}}
}

func (w mobyWish) readAndCompare(h *ipvs.Handle) ([]mobyEdit, error) {
	services, err := h.GetServices()
	if err != nil {
		return nil, err
	}
	have := make([]mobyEntry, 0, len(services))
	for _, s := range services {
		servers, err := h.GetDestinations(s)
		if err != nil {
			return nil, err
		}
		have = append(have, mobyEntry{s, servers})
	}
	return w.compare(have)
}

// compare returns the servers that are not as wanted. Objects that are missing or not
// wanted are an error, since no job has any.
func (w mobyWish) compare(have []mobyEntry) ([]mobyEdit, error) {
	wanted := make(map[mobyKey]mobyEntry, len(w.entries))
	for _, e := range w.entries {
		wanted[keyOf(e.service.Address, e.service.Port, e.service.Protocol)] = e
	}
	var edits []mobyEdit
	for _, e := range have {
		key := keyOf(e.service.Address, e.service.Port, e.service.Protocol)
		want, ok := wanted[key]
		if !ok || want.service.SchedName != e.service.SchedName || want.service.Flags != e.service.Flags&^0x2 ||
			want.service.Timeout != e.service.Timeout || len(want.servers) != len(e.servers) {
			return nil, fmt.Errorf("the service %v is not as wanted", key)
		}
		delete(wanted, key)
		servers := make(map[mobyKey]*ipvs.Destination, len(want.servers))
		for _, d := range want.servers {
			servers[keyOf(d.Address, d.Port, 0)] = d
		}
		for _, d := range e.servers {
			now := servers[keyOf(d.Address, d.Port, 0)]
			if now == nil {
				return nil, fmt.Errorf("the server %v is not wanted", d.Address)
			}
			if now.Weight != d.Weight || now.ConnectionFlags != d.ConnectionFlags&7 ||
				now.UpperThreshold != d.UpperThreshold || now.LowerThreshold != d.LowerThreshold {
				edits = append(edits, mobyEdit{want.service, now})
			}
		}
	}
	if len(wanted) > 0 {
		return nil, fmt.Errorf("%d services are missing", len(wanted))
	}
	return edits, nil
}

// mobyKey identifies a service or a server.
type mobyKey struct {
	addr     [16]byte
	port     uint16
	protocol uint16
}

func keyOf(addr net.IP, port, protocol uint16) mobyKey {
	return mobyKey{[16]byte(addr.To16()), port, protocol}
}
