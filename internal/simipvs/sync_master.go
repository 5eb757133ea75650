package simipvs

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// SyncMessage is what a master daemon has sent: the payload of a UDP datagram.
type SyncMessage struct {
	Time    time.Time
	Port    uint16
	Payload []byte
}

// syncBuffer is the message that a thread of a master fills.
type syncBuffer struct {
	b     []byte // nil: none
	limit int    // its length at most
	since tick
}

// A message goes when it is full, or after flushTime.
const (
	flushTime   = 2 * second
	mostThreads = 64
)

// startThreads starts the threads of a daemon: as many as the other daemon has, if that
// runs.
func (k *Kernel) startThreads(d *daemon) {
	d.threads = min(k.sysctl.syncPorts, mostThreads)
	for _, other := range []*daemon{k.daemons.master, k.daemons.backup} {
		if other != nil {
			d.threads = other.threads
		}
	}
	d.buffers = make([]syncBuffer, d.threads)
}

// TakeSync returns what the master daemon has sent since the last call.
func (k *Kernel) TakeSync() []SyncMessage {
	k.lock()
	defer k.mu.Unlock()
	sent := k.sync.outbox
	k.sync.outbox, k.sync.queued = nil, [mostThreads]uint64{}
	return sent
}

// synchronize lets a master tell of the connection that a client's packet belongs to,
// and of what controls it.
func (k *Kernel) synchronize(id connID, d *decision) {
	c := d.conn
	switch {
	case k.daemons.master != nil && (d.effect != effectOpening || d.dest != nil): // the first packet of a bypass is not looked at
		k.tell(id, c, int(c.packets))
	case c.is(connOnePacket) && c.control != 0:
		k.conns.at(c.control).packets++
	}
}

// synchronizeRenewed lets a master tell of a template that goes on at its end.
func (k *Kernel) synchronizeRenewed(id connID, c *conn) {
	if k.daemons.master != nil {
		k.tell(id, c, k.sysctl.syncThreshold)
	}
}

// tell puts a connection into a message if that is due, and what controls it. Version 0
// looks at that only if the connection is due.
func (k *Kernel) tell(id connID, c *conn, packets int) {
	for {
		old := k.sysctl.syncVersion == 0
		if old && (c.family != inet4 || c.is(connOnePacket)) {
			return
		}
		due := !c.is(connOnePacket) && k.dueForSync(id, c, packets)
		switch {
		case due:
			k.put(id, c, old)
		case old:
			return
		}
		if id = c.control; id == 0 {
			return
		}
		if c = k.conns.at(id); c.is(connTemplate) {
			c.packets++
			packets = int(c.packets)
		} else {
			packets = k.sysctl.syncThreshold
		}
	}
}

// tcpSynced and assocSynced are the states of which a master tells: of the first of them as
// often as packets say, of the others also when a connection gets there.
var (
	tcpSynced   = []State{tcpEstablished, tcpFinWait, tcpClose, tcpCloseWait, tcpTimeWait}
	assocSynced = []State{aES, aSS, aSR, aSA, aCL}
)

// syncedStates returns the states of a protocol of which a master tells, nil where there is
// one state.
func syncedStates(protocol uint8) []State {
	switch protocol {
	case protoTCP:
		return tcpSynced
	case protoSCTP:
		return assocSynced
	}
	return nil
}

// dueForSync reports whether a master tells of a connection that has had so many
// packets, and notes when it did.
func (k *Kernel) dueForSync(id connID, c *conn, packets int) bool {
	told, known := k.sync.told[id]
	timeout := k.timeoutOf(id, c)
	end := (k.now + timeout) &^ retriesMask
	if !c.is(connTemplate) {
		states, state := syncedStates(c.protocol), State(c.state)
		switch {
		case k.sysctl.syncPersistMode != 0 && k.isPersistent(c), states != nil && !slices.Contains(states, state):
			return false
		case states != nil && c.state != told.state && state != states[0]:
			k.noteTold(id, c, end)
			return true
		}
	}
	refreshes := k.refreshPeriod() > 0
	if refreshes && known {
		retry, due := k.dueAgain(timeout, told.end, end)
		if !due {
			return false
		}
		end |= retry
	}
	if !k.dueByPackets(c, packets, refreshes) {
		return false
	}
	k.noteTold(id, c, end)
	return true
}

// retriesMask are the bits of [toldSync.end] that count retries.
const retriesMask = 3

// dueAgain reports whether sync_refresh_period lets a connection be told of again: its end
// has moved, or the last message may have been lost.
func (k *Kernel) dueAgain(timeout, told, end tick) (retry tick, due bool) {
	const least = 10 * second
	period := k.refreshPeriod()
	moved := end - told
	if moved < 0 {
		moved = -moved
	}
	if moved >= min(period, max(timeout/2, least)) {
		return 0, true
	}
	retries := told & retriesMask
	if int(retries) >= k.sysctl.syncRetries || k.now < told-timeout+period/8 {
		return 0, false
	}
	return retries + 1, true
}

func (k *Kernel) refreshPeriod() tick { return tick(uint32(k.sysctl.syncRefresh) * second) }

// dueByPackets reports whether sync_threshold lets a connection be told of.
func (k *Kernel) dueByPackets(c *conn, packets int, refreshes bool) bool {
	switch threshold, period := k.sysctl.syncThreshold, k.sysctl.syncPeriod; {
	case period > 0:
		return c.is(connTemplate) || packets%period == threshold
	case refreshes:
		return true
	default:
		return packets == threshold
	}
}

// isPersistent reports whether a template controls a connection.
func (k *Kernel) isPersistent(c *conn) bool {
	for c.control != 0 {
		if c = k.conns.at(c.control); c.is(connTemplate) {
			return true
		}
	}
	return false
}

// put puts a connection into the message of its thread. A thread has the same
// connections for as long as they live.
func (k *Kernel) put(id connID, c *conn, old bool) {
	d := k.daemons.master
	thread := int(id) & (d.threads - 1)
	w := &d.buffers[thread]
	e := k.syncEntry(id, c)
	length, header := e.length(), headerV1
	if old {
		length, header = entryV0, headerV0
		if e.is(syncSequences) {
			length += sequencesLength
		}
	}
	pad := 0
	if w.b != nil && !old {
		pad = -len(w.b) & 3
	}
	if w.b != nil && (len(w.b)+pad+length > w.limit || old == (w.b[0] == 0)) {
		k.enqueue(thread)
		pad = 0
	}
	if w.b == nil {
		w.b, w.limit, w.since = make([]byte, header, max(int(d.maxLen), header+length)), max(int(d.maxLen), header+length), k.now
		w.b[1] = byte(d.syncID)
		if !old {
			w.b[5] = 1
		}
	}
	w.b = append(w.b, make([]byte, pad)...)
	if old {
		w.b[0]++
		w.b = e.appendV0To(w.b)
	} else {
		w.b[4]++
		w.b = e.appendTo(w.b)
	}
	binary.BigEndian.PutUint16(w.b[2:], uint16(len(w.b)))
}

// enqueue sends a message that is full, unless sync_qlen_max are waiting.
func (k *Kernel) enqueue(thread int) {
	w := &k.daemons.master.buffers[thread]
	if k.sync.queued[thread] < k.sysctl.syncQueue {
		k.sync.queued[thread]++
		k.send(thread)
	}
	w.b = nil
}

// send sends a message.
func (k *Kernel) send(thread int) {
	d := k.daemons.master
	w := &d.buffers[thread]
	k.sync.outbox = append(k.sync.outbox, SyncMessage{
		Time: k.started.Add(time.Duration(k.now) * (time.Second / sched.HZ)), Port: d.port + uint16(thread), Payload: w.b,
	})
	w.b = nil
}

// flushDue returns when the next message goes that is not full.
func (ds *daemons) flushDue() (at tick, any bool) {
	if ds.master == nil {
		return 0, false
	}
	for i := range ds.master.buffers {
		if w := &ds.master.buffers[i]; w.b != nil && (!any || w.since+flushTime < at) {
			at, any = w.since+flushTime, true
		}
	}
	return at, any
}

// flushSync sends the messages whose time has come.
func (k *Kernel) flushSync() {
	for i := range k.daemons.master.buffers {
		if w := &k.daemons.master.buffers[i]; w.b != nil && w.since+flushTime <= k.now {
			k.send(i)
		}
	}
}
