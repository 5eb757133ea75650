package simipvs

import "fmt"

// defences protect a kernel that is short of memory: drop_entry ends connections,
// drop_packet drops packets, and secure_tcp goes by other states of TCP.
type defences struct {
	due       tick // when the kernel looks at the memory next
	freePages int  // memory that is free, in pages; 0: plenty
	restored  bool // modes are as another kernel has them

	dropRate    int32 // drop_packet drops one packet in so many; 0: none
	dropCounter int32 // down to the next; wraps

	turns  [mostIdlePackets + 1]int8 // down to the next idle connection that drop_entry ends, by packets
	doomed []connID                  // of a bucket
}

const lookInterval = second

// Modes of a defence. The kernel changes between the second and the third.
const (
	defenceOff = iota
	defenceWaiting
	defenceActing
	defenceAlways
)

// SetFreePages sets how much memory is free, in pages. 0 or less is plenty.
func (k *Kernel) SetFreePages(pages int) {
	k.lock()
	defer k.mu.Unlock()
	k.defences.freePages = max(0, pages)
}

// memory returns what /proc/meminfo has of the memory that is free.
func (k *Kernel) memory() []byte {
	const kilobytesPerPage = 4
	return fmt.Appendf(nil, "MemFree: %d kB\nBuffers: 0 kB\n", k.defences.freePages*kilobytesPerPage)
}

// setDefence returns what sets the mode of a defence. If that changes it, the kernel
// looks at the memory at once.
func setDefence(mode *int) func(*Kernel, int) {
	return func(k *Kernel, value int) {
		if *mode != value {
			*mode = value
			k.assess()
		}
	}
}

// look is what the kernel does each second. Up to a moment nothing else happens than
// that connections end.
func (k *Kernel) look(upTo tick) {
	k.assess()
	if k.sysctl.dropEntry >= defenceActing && k.conns.live > 0 {
		k.dropEntries()
		k.defences.due += lookInterval
		return
	}
	k.defences.due += (max(0, upTo-k.defences.due)/lookInterval + 1) * lookInterval
}

// RestoreFile writes a file that was read from another kernel. That one shows in which
// mode it is, and looks at its memory at a time of its own.
func (k *Kernel) RestoreFile(path string, data []byte) error {
	k.lock()
	defer k.mu.Unlock()
	k.defences.restored = true
	defer func() { k.defences.restored = false }()
	return k.writeFile(path, data)
}

// assess starts and ends the defences that depend on memory.
func (k *Kernel) assess() {
	if !k.defences.restored {
		k.changeModes()
	}
	switch free, threshold := k.defences.freePages, k.sysctl.amemthresh; k.sysctl.dropPacket {
	case defenceOff, defenceWaiting:
		k.defences.dropRate = 0
	case defenceActing:
		k.defences.dropRate = int32(threshold / max(1, threshold-free))
		k.defences.dropCounter = k.defences.dropRate
	case defenceAlways:
		k.defences.dropRate = int32(k.sysctl.amDroprate)
	}
}

// changeModes changes modes that depend on memory.
func (k *Kernel) changeModes() {
	free := k.defences.freePages
	short := free > 0 && free < k.sysctl.amemthresh
	for _, mode := range []*int{&k.sysctl.dropEntry, &k.sysctl.dropPacket, &k.sysctl.secureTCP} {
		switch {
		case *mode == defenceWaiting && short:
			*mode = defenceActing
		case *mode == defenceActing && !short:
			*mode = defenceWaiting
		}
	}
}

// drops reports whether drop_packet drops this packet.
func (k *Kernel) drops(d *decision, w *world) bool {
	if w != nil && w.Sampled != nil {
		return *w.Sampled
	}
	d.sampled = k.defences.dropRate != 0
	return d.sampled && k.defences.dropCounter-1 <= 0
}

// sample counts a packet for drop_packet.
func (k *Kernel) sample() {
	f := &k.defences
	if f.dropCounter--; f.dropCounter <= 0 {
		f.dropCounter = f.dropRate
	}
}

// dropEntries looks through a 32nd of the table, which it draws, and ends connections.
func (k *Kernel) dropEntries() {
	const part = 32
	for range len(k.conns.byEnds) / part {
		doomed := k.defences.doomed[:0]
		for id := *bucket(k.conns.byEnds, uint32(k.rand.Uint64())); id != 0; id = k.conns.at(id).next {
			if k.dooms(id, k.conns.at(id)) {
				doomed = append(doomed, id)
			}
		}
		for _, id := range doomed {
			k.drop(id)
		}
		k.defences.doomed = doomed
	}
}

// drop ends a connection, and its template if that has no others and none of its
// connections was established.
func (k *Kernel) drop(id connID) {
	template := k.conns.at(id).control
	k.expireNow(id)
	if template == 0 {
		return
	}
	if t := k.conns.at(template); t.controls == 0 && !t.is(connAssured) {
		k.expireNow(template)
	}
}

// dooms reports whether drop_entry ends a connection that it comes upon.
func (k *Kernel) dooms(id connID, c *conn) bool {
	switch k.exposed(id, c, k.now) {
	case exposed:
		return true
	case exposedByTurns:
		return k.takesTurn(c)
	}
	return false
}

// exposure is what drop_entry does to a connection that it comes upon.
type exposure uint8

const (
	spared         exposure = iota
	exposedByTurns          // see takesTurn
	exposed
)

func (k *Kernel) exposed(id connID, c *conn, now tick) exposure {
	switch {
	case c.controls > 0:
		return spared
	case c.is(connTemplate) && k.isOfOnePackets(c):
	case c.is(connTemplate) && c.is(connAssured):
		return spared
	case c.is(connTemplate), c.isHalfOpen():
		return exposed
	case !c.isEstablished():
		return spared
	}
	const longIdle = 60 * second
	if lastPacket := c.expires - k.timeoutOf(id, c); now-lastPacket < longIdle {
		return spared
	}
	return exposedByTurns
}

func (c *conn) isHalfOpen() bool {
	switch state := State(c.state); c.protocol {
	case protoTCP:
		return state == tcpSynRecv || state == tcpSynAck
	case protoSCTP:
		return state == aI1 || state == aIN
	}
	return false
}

// isEstablished reports whether a connection is established. What has no states is.
func (c *conn) isEstablished() bool {
	switch c.protocol {
	case protoTCP:
		return State(c.state) == tcpEstablished
	case protoSCTP:
		return State(c.state) == aES
	}
	return true
}

// isOfOnePackets reports whether a template ties clients to a server of one-packet
// scheduling.
func (k *Kernel) isOfOnePackets(template *conn) bool {
	d := k.dests[template.dest]
	return d != nil && d.svc != nil && d.svc.flags&flagOnePacket != 0
}

// mostIdlePackets is how many packets a connection may have come to that drop_entry ends.
const mostIdlePackets = 8

// takesTurn reports whether it is the turn of an idle connection: of those that came
// to one packet each is ended, of those that came to two every second, and so on.
func (k *Kernel) takesTurn(c *conn) bool {
	if c.packets == 0 || c.packets > mostIdlePackets {
		return false
	}
	counter := &k.defences.turns[c.packets]
	if *counter--; *counter > 0 {
		return false
	}
	*counter = int8(c.packets)
	return true
}
