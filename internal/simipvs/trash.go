package simipvs

import "net/netip"

// trash holds the servers that were removed. One that is added to its service again
// comes back with its connections, even if the service was removed too. Each minute
// the others are looked through, and one without connections for two minutes is freed.
type trash struct {
	servers map[trashKey]*dest
	thrown  uint64 // how many were, so far
	due     tick   // when it is looked through next, if it is armed
	armed   bool
}

type trashKey struct {
	service serviceKey
	addr    netip.AddrPort
}

const (
	trashInterval = 60 * second
	trashPeriod   = 120 * second
)

// discard puts a server into the trash.
func (k *Kernel) discard(d *dest) {
	k.estimate(&d.stats) // for the last time
	if len(k.trash.servers) == 0 {
		k.trash.due, k.trash.armed = k.now+trashInterval, true
	}
	k.trash.thrown++
	d.former, d.svc, d.idleSince, d.thrown = d.svc, nil, 0, k.trash.thrown
	k.trash.servers[trashKey{d.key, d.Addr}] = d
}

// find returns a server that a service may have again. Those of a mark are also those of
// the same mark of the other address family; the one that was removed last counts.
func (t *trash) find(s *service, addr netip.AddrPort) *dest {
	key := trashKey{s.key, addr}
	d := t.servers[key]
	if s.key.mark != 0 {
		key.service.family = inet4 + inet6 - key.service.family
		if other := t.servers[key]; other != nil && (d == nil || other.thrown > d.thrown) {
			return other
		}
	}
	return d
}

// revive takes a server out of the trash, if it is there. Its statistics belong
// to the service that it was in.
func (k *Kernel) revive(s *service, addr netip.AddrPort) *dest {
	d := k.trash.find(s, addr)
	if d == nil {
		return nil
	}
	delete(k.trash.servers, trashKey{d.key, d.Addr})
	d.stats.next = k.newStats().next
	if d.former != s {
		k.zero(&d.stats)
	}
	d.former = nil
	return d
}

// trashDue returns when the trash is looked through next, if it is.
func (k *Kernel) trashDue() (at tick, armed bool) { return k.trash.due, k.trash.armed }

// collectTrash looks through the trash. It goes by the servers' numbers, so that
// they are always given back in the same order.
func (k *Kernel) collectTrash() {
	for _, d := range k.dests {
		switch {
		case d == nil || d.svc != nil || d.refs > 0:
		case d.idleSince == 0:
			d.idleSince = max(1, k.now)
		case k.now >= d.idleSince+trashPeriod:
			delete(k.trash.servers, trashKey{d.key, d.Addr})
			k.freeDest(d)
		}
	}
	k.trash.due, k.trash.armed = k.now+trashInterval, len(k.trash.servers) > 0
}
