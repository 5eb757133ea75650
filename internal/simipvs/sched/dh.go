package sched

import "net/netip"

const dhBits = 8

// destinationHashing assigns each address that clients connect to a server by hash,
// whatever the weights.
type destinationHashing struct {
	g       *Group
	buckets [1 << dhBits]*Server
}

func (d *destinationHashing) Attach(g *Group) error {
	d.g = g
	d.rebuild()
	return nil
}

func (d *destinationHashing) Added(*Server)   { d.rebuild() }
func (d *destinationHashing) Removed(*Server) { d.rebuild() }
func (d *destinationHashing) Edited(*Server)  {}
func (d *destinationHashing) Counted(*Server) {}

func (d *destinationHashing) rebuild() {
	clear(d.buckets[:])
	i := 0
	for s := range d.g.cycle() {
		if i == len(d.buckets) {
			return
		}
		d.buckets[i] = s
		i++
	}
}

func (d *destinationHashing) Pick(f *Flow) *Server {
	s := d.buckets[d.bucket(f)]
	if s == nil || !s.usable() {
		return nil
	}
	return s
}

func (d *destinationHashing) bucket(f *Flow) int { return DestinationBucket(f.Dest.Addr()) }

// DestinationBucket returns the bucket of dh for an address that clients connect to.
func DestinationBucket(a netip.Addr) int { return int(hash32(fold(a), dhBits)) }
