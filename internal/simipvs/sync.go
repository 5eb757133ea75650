package simipvs

import "math"

// syncTable is what only sync daemons know of connections. Most have no entries here.
type syncTable struct {
	told   map[connID]toldSync // by masters
	marks  map[connID]uint32   // of the packets that opened connections of services without that mark
	shifts map[connID]shifts   // of sequence numbers, that other directors told of
	long   map[connID]tick     // timeouts that other directors told of

	replaced []connID // by entries of the message that is being read

	outbox []SyncMessage // that was not taken yet
	queued [mostThreads]uint64
}

// toldSync is what a master last told of a connection.
type toldSync struct {
	end   tick  // of the connection; the lowest bits count retries
	state uint8 // of TCP
}

// shifts are flags and numbers that a backup hands on as it got them.
type shifts struct {
	flags   uint32
	numbers [sequencesLength]byte
}

func (t *syncTable) forget(id connID) {
	if len(t.told) > 0 {
		delete(t.told, id)
	}
	if len(t.marks) > 0 {
		delete(t.marks, id)
	}
	if len(t.shifts) > 0 {
		delete(t.shifts, id)
	}
	if len(t.long) > 0 {
		delete(t.long, id)
	}
}

// longTimeout is in the place of a timeout that is in [syncTable.long]. All others are even.
const longTimeout span = math.MaxUint32

// setTimeout sets a timeout that may be long.
func (k *Kernel) setTimeout(id connID, c *conn, timeout tick) {
	if timeout < tick(longTimeout) {
		c.timeout = span(timeout)
		return
	}
	if k.sync.long == nil {
		k.sync.long = make(map[connID]tick)
	}
	c.timeout, k.sync.long[id] = longTimeout, timeout
}

// timeoutOf returns the timeout of a connection, which may be long.
func (k *Kernel) timeoutOf(id connID, c *conn) tick {
	if c.timeout == longTimeout {
		return k.sync.long[id]
	}
	return tick(c.timeout)
}

// noteMark notes the firewall's mark with which a connection was opened.
func (k *Kernel) noteMark(id connID, c *conn, mark uint32) {
	if mark == 0 || id == 0 || mark == k.markOfServer(c) {
		return
	}
	if k.sync.marks == nil {
		k.sync.marks = make(map[connID]uint32)
	}
	k.sync.marks[id] = mark
}

func (k *Kernel) markOf(id connID, c *conn) uint32 {
	if mark, other := k.sync.marks[id]; other {
		return mark
	}
	return k.markOfServer(c)
}

func (k *Kernel) markOfServer(c *conn) uint32 {
	if d := k.dests[c.dest]; d != nil {
		return d.key.mark
	}
	return 0
}

// noteTold notes that a master tells of a connection.
func (k *Kernel) noteTold(id connID, c *conn, end tick) {
	if k.sync.told == nil {
		k.sync.told = make(map[connID]toldSync)
	}
	k.sync.told[id] = toldSync{end, c.state}
}

// noteBirth notes when a connection began, which counts for sync_refresh_period.
func (k *Kernel) noteBirth(id connID, c *conn) {
	if k.daemons.master != nil && k.sysctl.syncRefresh != 0 {
		k.noteTold(id, c, k.now&^retriesMask)
	}
}

// noteTaken notes what another director told of a connection, and what only a master of
// this director needs.
func (k *Kernel) noteTaken(id connID, c *conn, e *syncEntry) {
	if k.sync.told == nil {
		k.sync.told = make(map[connID]toldSync)
	}
	told, known := k.sync.told[id]
	if !known {
		told.end = k.now &^ retriesMask
	}
	told.state = c.state
	k.sync.told[id] = told
	s, known := k.sync.shifts[id]
	if !known && !e.is(syncSequences) && e.sequences == nil {
		return
	}
	if k.sync.shifts == nil {
		k.sync.shifts = make(map[connID]shifts)
	}
	if s.flags = e.flags & syncSequences; e.sequences != nil {
		s.numbers = [sequencesLength]byte(e.sequences)
	}
	k.sync.shifts[id] = s
}

// syncEntry returns a connection as a message has it.
func (k *Kernel) syncEntry(id connID, c *conn) syncEntry {
	server := k.listedServer(id, c)
	e := syncEntry{
		ends: c.ends(), server: server.Addr().As16(), serverPort: server.Port(), state: uint16(c.state),
		flags: uint32(c.method), mark: k.markOf(id, c), timeout: uint32(k.timeoutOf(id, c) / second),
	}
	for _, f := range []struct {
		of   connFlags
		flag uint32
	}{
		{connNoOutput, syncNoOutput}, {connInactive, syncInactive}, {connTemplate, syncTemplate},
		{connSynced, syncSynced}, {connAwaited, syncNoPort}, {connTracked, syncTracked},
	} {
		if c.is(f.of) {
			e.flags |= f.flag
		}
	}
	if c.is(connTemplate) && c.is(connAssured) {
		e.state |= 1
	}
	if c.is(connKeyed) {
		key := k.engines.keys[id]
		e.engine, e.engineKey = key.engine, key.key
	}
	if s, any := k.sync.shifts[id]; any {
		e.flags |= s.flags
		e.sequences = s.numbers[:]
	}
	return e
}
