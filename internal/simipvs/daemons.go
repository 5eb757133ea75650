package simipvs

import (
	"iter"
	"net/netip"
)

// Attributes of a sync daemon.
const (
	daemonState = iota + 1
	daemonDevice
	daemonSyncID
	daemonMaxLen
	daemonGroup
	daemonGroup6
	daemonPort
	daemonTTL
)

var daemonRules = []rule{
	daemonState: {atLeast, 4}, daemonDevice: {text, 15}, daemonSyncID: {atLeast, 4}, daemonMaxLen: {atLeast, 2},
	daemonGroup: {atLeast, 4}, daemonGroup6: {atLeast, 16}, daemonPort: {atLeast, 2}, daemonTTL: {atLeast, 1},
}

// States of the daemons.
const (
	stateMaster = 1
	stateBackup = 2
)

// daemons are the sync daemons that run.
type daemons struct{ master, backup *daemon }

type daemon struct {
	state, syncID uint32
	device        string
	maxLen, port  uint16
	group         netip.Addr
	ttl           uint8
	threads       int          // and ports, from port on
	buffers       []syncBuffer // a master's, one a thread
}

func (ds *daemons) run() bool        { return ds.master != nil || ds.backup != nil }
func (ds *daemons) backupRuns() bool { return ds.backup != nil }

// of returns where the daemon of a state is, nil if there is no such state.
func (ds *daemons) of(state uint32) **daemon {
	switch state {
	case stateMaster:
		return &ds.master
	case stateBackup:
		return &ds.backup
	}
	return nil
}

// readDaemon reads a daemon's attributes. Unlike those of services and servers
// they are complained about in words.
func readDaemon(r *request) (a attributes, e errno) {
	if r.top[topDaemon] == nil {
		return a, einval
	}
	c, e := a.parse(r.top[topDaemon], daemonRules)
	if c.words != "" {
		r.complaint = c
	}
	if e != 0 {
		return a, einval
	}
	return a, 0
}

func (k *Kernel) newDaemon(r *request) errno {
	a, e := readDaemon(r)
	if e != 0 {
		return e
	}
	if !a.has(daemonState, daemonDevice, daemonSyncID) {
		return einval
	}
	d := &daemon{
		state: a.u32(daemonState), syncID: a.u32(daemonSyncID), device: string(a.text(daemonDevice)),
		group: readGroup(&a), port: a.u16(daemonPort), ttl: a.u8(daemonTTL),
	}
	if !d.group.IsMulticast() || d.group.Is4In6() || k.mixed > 0 {
		return einval
	}
	device := k.device(d.device)
	if device == nil {
		return enodev
	}
	at := k.daemons.of(d.state)
	switch {
	case at == nil:
		return einval
	case *at != nil:
		return eexist
	}
	if !d.reaches(device) {
		return enetunreach
	}
	d.maxLen = d.limit(int(a.u16(daemonMaxLen)), device.MTU)
	if d.port == 0 {
		d.port = 8848
	}
	if d.ttl == 0 {
		d.ttl = 1
	}
	k.startThreads(d)
	*at = d
	return 0
}

// reaches reports whether a daemon can send to its group. One that only receives
// does not try.
func (d *daemon) reaches(device *Interface) bool {
	return d.state != stateMaster || !device.Down && (d.group.Is4() || device.Name != loopback.Name)
}

// readGroup returns the group that daemons talk in.
func readGroup(a *attributes) netip.Addr {
	switch {
	case a.has(daemonGroup):
		return netip.AddrFrom4([4]byte(a[daemonGroup]))
	case a.has(daemonGroup6):
		return netip.AddrFrom16([16]byte(a[daemonGroup6]))
	}
	return netip.AddrFrom4([4]byte{224, 0, 0, 81})
}

// limit returns how long the daemon's datagrams may be; wanted may be 0.
func (d *daemon) limit(wanted, mtu int) uint16 {
	const udpHeader, longest = 8, 65535
	headers, shortest, usual := udpHeader+20, 1, 1500
	if d.group.Is6() {
		headers = udpHeader + 40
	}
	if d.state == stateBackup {
		shortest, usual = 1024, min(max(mtu, 1500), longest)
	}
	if wanted == 0 {
		return uint16(usual - headers)
	}
	return uint16(min(max(wanted, shortest), longest-headers))
}

func (k *Kernel) delDaemon(r *request) errno {
	a, e := readDaemon(r)
	if e != 0 {
		return e
	}
	at := k.daemons.of(a.u32(daemonState))
	switch {
	case at == nil:
		return einval
	case *at == nil:
		return esrch
	}
	*at = nil
	return 0
}

func (k *Kernel) dumpDaemons([]byte) iter.Seq[object] {
	return func(yield func(object) bool) {
		for _, d := range []*daemon{k.daemons.master, k.daemons.backup} {
			if d != nil && !yield(d) {
				return
			}
		}
	}
}

func (d *daemon) appendReply(b []byte, _ *Kernel) []byte {
	b, nest := beginNest(beginGeneric(b, cmdNewDaemon), topDaemon)
	b = appendU32(b, daemonState, d.state)
	b = appendText(b, daemonDevice, d.device)
	b = appendU32(b, daemonSyncID, d.syncID)
	b = appendU16(b, daemonMaxLen, d.maxLen)
	b = appendU16(b, daemonPort, d.port)
	b = appendU8(b, daemonTTL, d.ttl)
	number := daemonGroup
	if d.group.Is6() {
		number = daemonGroup6
	}
	return endNest(appendBytes(b, number, d.group.AsSlice()), nest)
}
