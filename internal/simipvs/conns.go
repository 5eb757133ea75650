package simipvs

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// connID is the number of a connection; 0 is none.
type connID uint32

// conn is a connection, or a template by which persistence ties a client to a
// server. There may be tens of millions, so it has no pointers, which the
// garbage collector would have to follow.
type conn struct {
	client, virtual   [16]byte
	clientPort, vport uint16
	destPort          uint16
	protocol          uint8
	family            uint8
	method            uint8 // forwarding method that it was made with
	state             uint8
	flags             connFlags

	dest     uint32 // number of its server; 0: bypass
	control  connID // its template
	controls int32  // a template: how many connections it has
	packets  uint32 // that the client sent; wraps

	timeout span // what the timer is set to by each packet
	expires tick
	due     tick // when the timer's slot is looked at; never after expires
	slot    uint16

	timerNext, timerPrev connID
	next, nextReply      connID // in the hash tables
	replyHash            uint32 // 0: not in byReply
}

type connFlags uint16

const (
	connTemplate  connFlags = 1 << iota
	connNoOutput            // replies do not pass here, or none was seen yet
	connInactive            // is counted as inactive
	connOnePacket           // is in no table
	connAssured             // a template: one of its connections was established
	connTracked             // is left to netfilter's conntrack
	connCopied              // what netfilter knows of it is on another host
	connSynced              // another director told of it
	connHelped              // the helper for FTP follows it
	connAwaited             // its client's port is not known yet: data of FTP
	connForeign             // data of FTP from no real server's address
	connKeyed               // a template that is found by an engine's key, in engines
)

func (c *conn) is(f connFlags) bool { return c.flags&f != 0 }

// Connections come in pieces: one array would be copied whenever it grows.
const (
	pieceBits = 12
	pieceLen  = 1 << pieceBits
)

// minBuckets is the size of a hash table with few connections.
const minBuckets = 1 << 8

// connTable finds connections by either end.
type connTable struct {
	seed    uint64
	pieces  []*[pieceLen]conn
	unused  connID // list of those that were freed
	highest connID
	live    int

	// byEnds has all connections and templates. Its hash does not tell the two
	// ends apart, so that a request and a reply that comes from the virtual
	// address are found in one list. The replies of NAT come from another
	// address: byReply has those connections a second time.
	byEnds, byReply []connID
	replies         int
}

func newConnTable(seed uint64) connTable {
	return connTable{
		seed:   seed,
		pieces: []*[pieceLen]conn{new([pieceLen]conn)}, // number 0 is unused
		byEnds: make([]connID, minBuckets), byReply: make([]connID, minBuckets),
	}
}

func (t *connTable) at(id connID) *conn { return &t.pieces[id>>pieceBits][id&(pieceLen-1)] }

// add takes a connection in, so that its ends are known.
func (t *connTable) add(c *conn) connID {
	if 2*t.live >= len(t.byEnds) {
		t.byEnds = t.rehash(t.byEnds, false)
	}
	id := t.unused
	if id != 0 {
		t.unused = t.at(id).next
	} else {
		t.highest++
		id = t.highest
		if int(id>>pieceBits) == len(t.pieces) {
			t.pieces = append(t.pieces, new([pieceLen]conn))
		}
	}
	p := t.at(id)
	*p = *c
	t.live++
	t.link(id, p)
	return id
}

// remove forgets a connection.
func (t *connTable) remove(id connID) {
	c := t.at(id)
	t.unlink(id, c)
	if c.replyHash != 0 {
		t.unlinkReply(id, c)
	}
	*c = conn{next: t.unused}
	t.unused = id
	t.live--
}

func (t *connTable) link(id connID, c *conn) {
	if c.is(connKeyed) {
		return
	}
	first := bucket(t.byEnds, t.endsHash(c))
	c.next, *first = *first, id
}

func (t *connTable) unlink(id connID, c *conn) {
	if c.is(connKeyed) {
		return
	}
	at := bucket(t.byEnds, t.endsHash(c))
	for *at != id {
		at = &t.at(*at).next
	}
	*at = c.next
}

// linkReply makes a NAT connection known by its server's address too.
func (t *connTable) linkReply(id connID, c *conn, server *[16]byte) {
	if 2*t.replies >= len(t.byReply) {
		t.byReply = t.rehash(t.byReply, true)
	}
	c.replyHash = t.hash(c.protocol, &c.client, c.clientPort, server, c.destPort) | 1
	first := bucket(t.byReply, c.replyHash)
	c.nextReply, *first = *first, id
	t.replies++
}

func (t *connTable) unlinkReply(id connID, c *conn) {
	at := bucket(t.byReply, c.replyHash)
	for *at != id {
		at = &t.at(*at).nextReply
	}
	*at = c.nextReply
	t.replies--
}

// bucket takes the upper bits of a hash, which the lower ones have mixed into.
func bucket(buckets []connID, hash uint32) *connID { return &buckets[bucketOf(buckets, hash)] }

func bucketOf(buckets []connID, hash uint32) uint32 {
	return hash >> (32 - bits.TrailingZeros(uint(len(buckets))))
}

// rehash returns a table of twice the size, of byReply or of byEnds. Each list becomes two,
// in which the newer ones stay first. As a table grows, a quarter of what a connection
// costs is spent here, so empty lists are skipped, and the tables differ by a bool, which
// costs less than calling functions for each connection.
func (t *connTable) rehash(old []connID, replies bool) []connID {
	table := make([]connID, 2*len(old))
	for i, id := range old {
		if id == 0 {
			continue
		}
		ends := [2]*connID{&table[2*i], &table[2*i+1]}
		for id != 0 {
			c := t.at(id)
			next := c.nextIn(replies)
			end := &ends[bucketOf(table, t.hashIn(c, replies))&1]
			**end, *end, id = id, next, *next
		}
		*ends[0], *ends[1] = 0, 0
	}
	return table
}

func (c *conn) nextIn(replies bool) *connID {
	if replies {
		return &c.nextReply
	}
	return &c.next
}

func (t *connTable) hashIn(c *conn, replies bool) uint32 {
	if replies {
		return c.replyHash
	}
	return t.endsHash(c)
}

func (t *connTable) endsHash(c *conn) uint32 {
	return t.hash(c.protocol, &c.client, c.clientPort, &c.virtual, c.vport)
}

// hash is the same when the ends are exchanged.
func (t *connTable) hash(protocol uint8, a *[16]byte, aPort uint16, b *[16]byte, bPort uint16) uint32 {
	h := (t.mix(a, aPort) + t.mix(b, bPort)) ^ uint64(protocol)
	return uint32(h * 0x9e3779b97f4a7c15 >> 32)
}

func (t *connTable) mix(addr *[16]byte, port uint16) uint64 {
	hi, lo := bits.Mul64(binary.LittleEndian.Uint64(addr[:8])^t.seed,
		binary.LittleEndian.Uint64(addr[8:])^uint64(port)*0xd6e8feb86659fd93)
	return hi ^ lo
}

// left returns the seconds until the connection expires, as they are listed: the kernel
// has 32 bits for the milliseconds.
func (k *Kernel) left(c *conn) uint32 { return uint32(max(0, c.expires-k.now)*(1000/second)) / 1000 }

// eachConn visits connections and templates.
func (k *Kernel) eachConn(visit func(connID, *conn)) {
	for id := connID(1); id <= k.conns.highest; id++ {
		if c := k.conns.at(id); c.family != 0 {
			visit(id, c)
		}
	}
}

// listedServer returns the server of a connection as it is listed: that of a bypass is
// the unspecified address.
func (k *Kernel) listedServer(id connID, c *conn) netip.AddrPort {
	addr := netip.IPv4Unspecified()
	if c.family == inet6 {
		addr = netip.IPv6Unspecified()
	}
	if c.dest != 0 {
		addr = k.serverAddr(id, c)
	}
	return netip.AddrPortFrom(addr, c.destPort)
}
