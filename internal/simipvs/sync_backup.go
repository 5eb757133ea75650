package simipvs

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
)

// ErrNoBackup is why nothing takes a message between sync daemons.
var ErrNoBackup = errors.New("no backup daemon takes it")

// DeliverSync lets a message come in that a master sent to a port. The error matches
// [ErrNoBackup] if no daemon takes it, and [ErrUnsupported] if what it says is not
// simulated; any other error says why the daemon ignores it or its rest.
func (k *Kernel) DeliverSync(port uint16, message []byte) error {
	k.lock()
	defer k.mu.Unlock()
	d := k.daemons.backup
	switch {
	case d == nil:
		return fmt.Errorf("none runs: %w", ErrNoBackup)
	case port-d.port >= uint16(d.threads):
		return fmt.Errorf("it listens to %d ports from %d on: %w", d.threads, d.port, ErrNoBackup)
	case len(message) > int(d.maxLen):
		return fmt.Errorf("the daemon takes %d bytes at most", d.maxLen)
	case d.syncID != 0 && len(message) >= headerV0 && uint32(message[1]) != d.syncID:
		return fmt.Errorf("its sync ID is %d, not %d: %w", d.syncID, message[1], ErrNoBackup)
	}
	err := readSync(message, k.takeSync)
	k.endReplaced()
	return err
}

// endReplaced ends the connections that entries of a message have replaced, but for those
// that further entries were about: the kernel does it with its next tick.
func (k *Kernel) endReplaced() {
	for _, id := range k.sync.replaced {
		if k.conns.at(id).expires <= k.now {
			k.expireNow(id)
		}
	}
	k.sync.replaced = k.sync.replaced[:0]
}

// replace lets a connection end after the message.
func (k *Kernel) replace(id connID) {
	if c := k.conns.at(id); c.expires > k.now {
		c.expires = k.now
		k.sync.replaced = append(k.sync.replaced, id)
	}
}

// takeSync takes over an entry of another director.
func (k *Kernel) takeSync(e *syncEntry) error {
	switch {
	case int(e.state) >= k.syncStates(e):
		return errSyncState
	case e.is(syncOnePacket) && k.opts.Release.RefusesSyncedOnePacket():
		return errSyncOnePacket
	case e.engineKey != "" && (e.engine == "" || !k.hasEngine(e.engine)):
		return errSyncEngine
	case e.is(syncTemplate) && (e.sport != 0 || e.is(syncNoPort)):
		return fmt.Errorf("templates that connections may be taken for are not simulated: %w", ErrUnsupported)
	}
	e.flags &= syncTaken
	id := k.synced(e)
	switch {
	case id == 0:
		id = k.addSynced(e)
	case e.is(syncTemplate) || k.sameServer(id, k.conns.at(id), e):
		k.updateSynced(id, k.conns.at(id), e)
	case e.is(syncInactive):
		return nil // the end of a connection that another one has replaced
	default:
		k.replace(id)
		id = k.addSynced(e) // while the old one still counts
	}
	if id != 0 {
		k.resumeSynced(id, k.conns.at(id), e)
	}
	return nil
}

// syncStates returns how many states an entry may be in. Older kernels do not look at a
// template's.
func (k *Kernel) syncStates(e *syncEntry) int {
	switch {
	case e.is(syncTemplate) && k.opts.Release.ChecksSyncTemplates():
		return templateStates
	case e.is(syncTemplate):
		return math.MaxUint16 + 1
	case e.protocol == protoTCP:
		return int(tcpStates)
	case e.protocol == protoSCTP:
		return int(assocStates)
	case e.protocol == protoUDP, e.protocol == protoESP, e.protocol == protoAH:
		return 1
	}
	return 0
}

// templateStates are: none of its connections was established, and one was.
const templateStates = 2

// synced returns the connection, or the template, that an entry is about. The data of a
// persistence engine hide a connection: it is entered again each time.
func (k *Kernel) synced(e *syncEntry) connID {
	switch {
	case e.is(syncTemplate):
		key := e.conn()
		return k.findTemplate(&key, e.key())
	case e.engineKey != "":
		return 0
	}
	return k.findRequest(&e.ends)
}

// conn returns the connection of an entry, of which only the ends are known.
func (e *syncEntry) conn() conn {
	c := conn{
		client: e.src, virtual: e.dst, family: uint8(e.family),
		clientPort: e.sport, vport: e.dport, destPort: e.serverPort, protocol: e.protocol,
	}
	if e.is(syncTemplate) {
		c.flags |= connTemplate
	}
	if e.is(syncNoPort) {
		c.flags |= connAwaited
	}
	if e.key() != (engineKey{}) {
		c.flags |= connKeyed
	}
	return c
}

// key is that of a template which a persistence engine found; others have none.
func (e *syncEntry) key() engineKey {
	if e.engineKey == "" || !e.is(syncTemplate) {
		return engineKey{}
	}
	return engineKey{e.engine, e.engineKey}
}

func (k *Kernel) sameServer(id connID, c *conn, e *syncEntry) bool {
	return c.destPort == e.serverPort && k.listedServer(id, c).Addr() == e.serverAddr()
}

func (e *syncEntry) serverAddr() netip.Addr { return addrOf(e.family, &e.server) }

// serverOf returns the server that an entry names, nil if no service has it.
func (k *Kernel) serverOf(e *syncEntry) *dest {
	s := k.serviceFor(e.mark, &e.ends)
	if s == nil {
		return nil
	}
	port := e.serverPort
	if e.mark != 0 && e.flags&methodMask != methodMasq {
		port = 0
	}
	for _, port := range []uint16{port, port ^ e.serverPort} {
		if d := s.dests[netip.AddrPortFrom(e.serverAddr(), port)]; d != nil {
			return d
		}
	}
	return nil
}

// addSynced enters a connection that was not known; 0 if the table is full. One whose
// server is in no service has its entry's method.
func (k *Kernel) addSynced(e *syncEntry) connID {
	if k.full(0) {
		return 0
	}
	c, d := e.conn(), k.serverOf(e)
	c.flags |= connSynced
	if d == nil {
		d = k.unboundServer(e)
	}
	k.assignSynced(&c, d, e)
	k.leaveToConntrack(&c)
	if c.is(connAwaited) {
		k.awaited++
	}
	id, in := k.bind(&c, d)
	if in.is(connKeyed) {
		k.enterKeyed(id, e.key())
	}
	k.countActive(in, d)
	k.noteMark(id, in, e.mark)
	return id
}

// unboundServer returns a server of no service, which a connection keeps for as long as
// it is bound to none.
func (k *Kernel) unboundServer(e *syncEntry) *dest {
	d := k.newDest(netip.AddrPortFrom(e.serverAddr(), e.serverPort))
	d.unbound, d.Weight, d.method = true, 1, e.flags&methodMask
	return d
}

// assignSynced makes a connection that of a server, with what its sender said of it.
func (k *Kernel) assignSynced(c *conn, d *dest, e *syncEntry) {
	c.dest, c.method, c.timeout = d.ID, uint8(d.method), initialTimeout
	c.flags &^= connNoOutput | connInactive
	if d.unbound && e.is(syncNoOutput) || !d.unbound && c.method != methodMasq {
		c.flags |= connNoOutput
	}
	if e.is(syncInactive) || !d.unbound && c.is(connTemplate) {
		c.flags |= connInactive
	}
}

// countActive counts a connection as active that was counted as inactive.
func (k *Kernel) countActive(c *conn, d *dest) {
	if !c.is(connTemplate) && !c.is(connInactive) {
		d.Active++
		d.Inactive--
		k.counted(d)
	}
}

// updateSynced follows what another director says of a known connection, and binds it to
// its server if that has come.
func (k *Kernel) updateSynced(id connID, c *conn, e *syncEntry) {
	d := k.dests[c.dest]
	unbound := d == nil || d.unbound
	if !unbound && !c.is(connTemplate) {
		k.setActive(c, !e.is(syncInactive))
		return
	}
	if c.flags &^= connInactive; e.is(syncInactive) {
		c.flags |= connInactive
	}
	if unbound {
		k.bindLate(id, c)
	}
}

// bindLate binds a connection to its server, if a service has that by now.
func (k *Kernel) bindLate(id connID, c *conn) {
	e := k.syncEntry(id, c)
	d := k.serverOf(&e)
	if d == nil {
		return
	}
	k.unbind(id, c)
	if c.is(connAwaited) {
		k.awaited++
	}
	if c.replyHash != 0 {
		k.conns.unlinkReply(id, c)
		c.replyHash = 0
	}
	k.assignSynced(c, d, &e)
	k.attach(d, c.is(connTemplate))
	k.linkReplies(id, c, d)
	k.countActive(c, d)
}

// resumeSynced sets the state and the timer of a connection as its entry has them.
// Version 0 says nothing of time.
func (k *Kernel) resumeSynced(id connID, c *conn, e *syncEntry) {
	c.packets = uint32(k.sysctl.syncThreshold)
	c.state = uint8(min(e.state, math.MaxUint8))
	k.setTimeout(id, c, tick(e.timeout)*second)
	if c.flags &^= connAssured; c.is(connTemplate) && e.state&1 != 0 {
		c.flags |= connAssured
	}
	if e.timeout == 0 {
		c.timeout = k.usualTimeout(c)
	}
	k.noteTaken(id, c, e)
	k.rearm(id, c)
}

// usualTimeout returns how long a connection lasts of whose time nothing was said.
func (k *Kernel) usualTimeout(c *conn) span {
	switch {
	case c.is(connTemplate):
	case c.protocol == protoTCP:
		return k.tcpTimeout(State(c.state))
	case c.protocol == protoSCTP:
		return assocTimeouts[c.state]
	case c.protocol == protoUDP:
		return k.timeouts.udp
	}
	return 180 * second
}
