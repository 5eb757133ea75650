package conformance

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"

	"github.com/golvs/lvs/internal/genl"
)

// This file tests what more than one message shows: datagrams, listings, order,
// and what the kernel remembers.

// outcome returns how each request was acknowledged: "0", an errno, or "silent". A
// message that is data is "data".
func outcome(first uint32, n int, answers []reply) []string {
	all := slices.Repeat([]string{"silent"}, n)
	for _, m := range answers {
		i := m.seq - first
		if int(i) >= n {
			continue // the barrier
		}
		word := "data"
		if m.kind == nlError || m.kind == nlDone {
			if word = "0"; m.errno() != 0 {
				word = m.errno().Error()
			}
		}
		all[i] = strings.TrimPrefix(all[i]+" "+word, "silent ")
	}
	return all
}

// An error does not stop the rest of a datagram, nothing is rolled back, and
// a success is acknowledged only to those that asked for it.
func TestConformanceDatagram(t *testing.T) {
	s, key := serviceOf(web), keyOf(web)
	ignored := newService(serviceOf("tcp 10.1.0.1:81"))
	ignored.notAsk = true
	steps := []struct {
		do   request
		want string
	}{
		{newService(s), "silent"},
		{newService(s), "EEXIST"},
		{newService(s).with(nlAck), "EEXIST"},
		{newDest(key, destOf(server)).with(nlAck), "0"},
		{newDest(key, destOf(server).set(dWeight, u32(1<<31))), "ERANGE"},
		{newDest(key, destOf(server2)), "silent"},
		{delDest(key, destKeyOf("10.2.0.9:80")), "ENOENT"},
		{bare(99), "EOPNOTSUPP"},
		{delService(keyOf(mark)), "ESRCH"},
		{ignored, "silent"},
		{ignored.with(nlAck), "0"}, // and yet it was not done
		{getService(key), "data"},
		{getService(key).with(nlAck), "data 0"},
		{getService(keyOf(mark)), "ESRCH"},
		{newService(serviceOf(mark)), "silent"},
		{request{family: nlNoop}, "silent"},
		{barrier(), "0"},
	}
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		var all []request
		var want []string
		for _, s := range steps {
			all, want = append(all, s.do), append(want, s.want)
		}
		first := conn.post(append(all, barrier())...)
		got := outcome(first, len(all), conn.until(first+uint32(len(all))))
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("request %d (command %d): %s, want %s", i, all[i].command, got[i], want[i])
			}
		}
		if n := len(conn.read(listServices())); n != 2 {
			t.Errorf("there are %d services, want 2", n)
		}
		look{listDests(key), []attributes{{{dAddr, address16("10.2.0.3")}}, {{dAddr, address16("10.2.0.2")}}}, nil}.check(t, conn)
	})
}

// Each acknowledgement comes in a datagram of its own.
func TestConformanceAcknowledgementsAreDatagrams(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		first := conn.post(newService(serviceOf(web)).with(nlAck), newService(serviceOf(web)), barrier())
		for i := range uint32(3) {
			if got := conn.receive(); len(got) != 1 || got[0].seq != first+i {
				t.Errorf("datagram %d has %d messages, the first of request %d", i, len(got), got[0].seq-first)
			}
		}
	})
}

// A message with an impossible length ends its datagram, without a reply.
func TestConformanceBadLength(t *testing.T) {
	for name, length := range map[string]uint32{"too short": 15, "too long": 10_000} {
		t.Run(name, func(t *testing.T) {
			conformOne(t, func(t *testing.T, g ground) {
				conn := dialRaw(t, g.Dial)
				datagram := conn.encode(newService(serviceOf(web)))
				bad := conn.encode(newService(serviceOf(mark)).with(nlAck))
				binary.NativeEndian.PutUint32(bad, length)
				datagram = append(append(datagram, bad...), conn.encode(newService(serviceOf(mark6)).with(nlAck))...)
				conn.postBytes(datagram)
				seq := conn.post(barrier())
				if got := conn.until(seq); len(got) != 1 {
					t.Errorf("it was answered: %+v", got)
				}
				look{listServices(), []attributes{{{sPort, be16(80)}}}, nil}.check(t, conn)
			})
		})
	}
}

// A message without room for the generic header is refused.
func TestConformanceShortMessage(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		m := conn.encode(bare(cFlush))[:18]
		binary.NativeEndian.PutUint32(m, 18)
		conn.postBytes(m)
		if got := conn.receive(); len(got) != 1 || got[0].errno() != lvs.EINVAL {
			t.Errorf("it was answered with %+v, want EINVAL", got)
		}
	})
}

// The kernel says in words what it did not like at the top and in a daemon, and
// nowhere else.
func TestConformanceWords(t *testing.T) {
	const failed = "Attribute failed policy validation"
	for _, c := range []struct {
		name string
		do   request
		want string
	}{
		{"at the top", setConfig(attributes{{aTimeoutTCP, u16(1)}}), failed},
		{"in a daemon", newDaemon(daemonOf(1).set(ySyncID, u16(1))), failed},
		{"in a service", newService(serviceOf(web).set(sTimeout, u16(1))), ""},
		{"in a destination", newDest(keyOf(web), destOf(server).set(dWeight, u16(1))), ""},
		{"what is missing", newService(nil), ""},
		{"what is not there", delService(keyOf(mark)), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			conformOne(t, func(t *testing.T, g ground) {
				conn := dialRaw(t, g.Dial)
				conn.must(newService(serviceOf(web)))
				conn.post(c.do)
				if got := words(t, conn.receive()[0]); got != c.want {
					t.Errorf("the kernel says %q, want %q", got, c.want)
				}
			})
		})
	}
}

// words returns the text of an error message.
func words(t *testing.T, m reply) string {
	t.Helper()
	const capped, withWords, textAttr = 0x100, 0x200, 1
	if m.kind != nlError || m.errno() == 0 {
		t.Fatalf("%+v is not an error", m)
	}
	if m.flags&withWords == 0 {
		return ""
	}
	skip := 4 + 16 // the errno, and the request's header
	if m.flags&capped == 0 {
		skip = 4 + int(binary.NativeEndian.Uint32(m.body[4:])+3)&^3
	}
	return string(bytes.TrimRight(parseAttributes(t, m.body[skip:]).get(textAttr), "\x00"))
}

// manyServices returns requests for services, each with another port.
func manyServices(n int) []request {
	all := make([]request, n)
	for i := range all {
		all[i] = newService(serviceOf(web).set(sPort, be16(uint16(1000+i))))
	}
	return all
}

// A listing of many datagrams has each service once, and only one listing is
// made at a time on a socket.
func TestConformanceDump(t *testing.T) {
	const n = 400
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		conn.mustAll(manyServices(n))
		listsAll(t, g, n, func() []attributes { return conn.listWhileListing(t) })
	})
}

// listWhileListing asks for two listings at once, and returns the first one.
func (c *rawConn) listWhileListing(t *testing.T) (services []attributes) {
	t.Helper()
	first := c.post(listServices(), listServices())
	for {
		for _, m := range c.receive() {
			switch {
			case m.seq == first+1:
				if m.kind != nlError || m.errno() != lvs.EBUSY {
					t.Errorf("a second listing is answered with %+v, want EBUSY", m)
				}
			case m.kind == nlDone:
				if m.errno() != 0 {
					t.Errorf("the listing ends with %v", m.errno())
				}
				return services
			default:
				if m.flags&nlMulti == 0 || m.flags&nlIntr != 0 {
					t.Errorf("flags %#x, want NLM_F_MULTI and not NLM_F_DUMP_INTR", m.flags)
				}
				services = append(services, parseAttributes(t, parseAttributes(t, m.body[4:]).get(aService)))
			}
		}
	}
}

// listsAll complains unless a listing has each of n services once. A kernel
// whose namespaces have tables of their own makes them larger some time after
// services were added. While it does, a listing has some services twice,
// others not at all, and does not say so; a later one is right.
func listsAll(t *testing.T, g ground, n int, list func() []attributes) {
	t.Helper()
	const pause = 50 * time.Millisecond
	for waited := time.Duration(0); ; waited += pause {
		all := list()
		different := make(map[string]bool)
		for _, s := range all {
			different[string(s.get(sPort))] = true
		}
		if len(all) == n && len(different) == n {
			return
		}
		if len(all) != n || !g.Release().OwnTables() || waited > patience/2 {
			t.Fatalf("%d services were listed, %d different ones, want %d", len(all), len(different), n)
		}
		g.Wait(pause)
	}
}

// Servers are listed newest first, over many datagrams too.
func TestConformanceServerOrder(t *testing.T) {
	const n = 300
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		key := keyOf(web)
		conn.must(newService(serviceOf(web)))
		addr := func(i int) string { return fmt.Sprintf("10.2.%d.%d:80", 1+i/200, 1+i%200) }
		var add []request
		var want []string
		for i := range n {
			add = append(add, newDest(key, destOf(addr(i))))
			want = append(want, addr(n-1-i))
		}
		conn.mustAll(add)
		if got := conn.serverAddrs(key); !slices.Equal(got, want) {
			t.Errorf("the order is %v, want %v", got, want)
		}

		// One that is removed and added again is the newest; an update moves nothing.
		conn.must(delDest(key, destKeyOf(addr(5))), newDest(key, destOf(addr(5))), setDest(key, destOf(addr(7)).set(dWeight, u32(9))))
		want = slices.DeleteFunc(want, func(a string) bool { return a == addr(5) })
		want = slices.Insert(want, 0, addr(5))
		if got := conn.serverAddrs(key); !slices.Equal(got, want) {
			t.Errorf("after a removal the order is %v, want %v", got, want)
		}
	})
}

// serverAddrs lists the IPv4 servers of a service in the kernel's order.
func (c *rawConn) serverAddrs(key attributes) (all []string) {
	c.t.Helper()
	for _, d := range c.read(listDests(key)) {
		a := netip.AddrFrom4([4]byte(d.get(dAddr)[:4]))
		all = append(all, netip.AddrPortFrom(a, binary.BigEndian.Uint16(d.get(dPort))).String())
	}
	return all
}

// Acknowledgements that do not fit the receive buffer are lost; what they
// acknowledge is done nevertheless.
func TestConformanceOverrun(t *testing.T) {
	const n = 6000
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		for chunk := range slices.Chunk(manyServices(n), 200) {
			for i := range chunk {
				chunk[i] = chunk[i].with(nlAck)
			}
			conn.post(chunk...)
		}
		var err error
		for err == nil {
			_, err = conn.socket.Receive(conn.buf)
		}
		if !errors.Is(err, genl.ErrOverrun) {
			t.Fatalf("receiving: %v, want an overrun", err)
		}
		later := dialRaw(t, g.Dial)
		listsAll(t, g, n, func() []attributes { return later.read(listServices()) })
	})
}

// A daemon that is stopped in the datagram that starts it is stopped, though
// the kernel may not say so: its thread was not running yet.
func TestConformanceDaemonStoppedAtOnce(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		first := conn.post(newDaemon(daemonOf(1)).with(nlAck), delDaemon(1).with(nlAck), barrier())
		got := outcome(first, 2, conn.until(first+2))
		if got[0] != "0" || got[1] != "0" && got[1] != "silent" {
			t.Errorf("start and stop are answered with %v, want 0 and either 0 or silence", got)
		}
		look{get: listDaemons()}.check(t, conn)
	})
}

const (
	dns       = "udp 10.1.0.1:53"
	dnsServer = "10.2.0.2:53"
)

var (
	dnsVIP    = netip.MustParseAddrPort("10.1.0.1:53")
	dnsClient = netip.MustParseAddrPort("10.2.0.1:4000")
)

// counts is a reading of the only server's connections.
func counts(active, inactive, persistent uint32) []attributes {
	return []attributes{{{dActive, u32(active)}, {dInactive, u32(inactive)}, {dPersist, u32(persistent)}}}
}

// A server that was removed a moment ago comes back with its connections when
// it is added to its service again, even if the service was removed and added too.
func TestConformanceRevival(t *testing.T) {
	key := keyOf(dns)
	add, remove := newDest(key, destOf(dnsServer)), delDest(key, destKeyOf(dnsServer))
	for _, c := range []struct {
		name string
		do   []request
		key  attributes
		want []attributes
	}{
		{"nothing happens", nil, key, counts(0, 1, 0)},
		{"removed and added", given(remove, add), key, counts(0, 1, 0)},
		{"added in another mode", given(remove, newDest(key, destOf(dnsServer).set(dMethod, u32(masquerade)))), key, counts(0, 1, 0)},
		{"the service too", given(delService(key), newService(serviceOf(dns)), add), key, counts(0, 1, 0)},
		{"flushed", given(bare(cFlush), newService(serviceOf(dns)), add), key, counts(0, 1, 0)},
		{"updated", given(setDest(key, destOf(dnsServer).set(dWeight, u32(0)))), key, counts(0, 1, 0)},
		{
			"added to another port's service", given(remove, newService(serviceOf("udp 10.1.0.1:54")), newDest(keyOf("udp 10.1.0.1:54"), destOf(dnsServer))),
			keyOf("udp 10.1.0.1:54"), counts(0, 0, 0),
		},
		{
			"added to TCP's service", given(remove, newService(serviceOf("tcp 10.1.0.1:53")), newDest(keyOf("tcp 10.1.0.1:53"), destOf(dnsServer))),
			keyOf("tcp 10.1.0.1:53"), counts(0, 0, 0),
		},
		{
			"added to a mark's service", given(remove, newService(serviceOf(mark)), newDest(keyOf(mark), destOf(dnsServer))),
			keyOf(mark), counts(0, 0, 0),
		},
		{"another port of the server", given(remove, newDest(key, destOf("10.2.0.2:54"))), key, counts(0, 0, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			conformOne(t, func(t *testing.T, g ground) {
				conn := dialRaw(t, g.Dial)
				conn.must(newService(serviceOf(dns)), add)
				must(t, g.Datagram(dnsClient, dnsVIP))
				look{listDests(key), counts(0, 1, 0), nil}.check(t, conn)
				conn.must(c.do...)
				look{listDests(c.key), c.want, nil}.check(t, conn)
			})
		})
	}
}

// A revived server is the newest.
func TestConformanceRevivalOrder(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn, key := dialRaw(t, g.Dial), keyOf(dns)
		conn.must(newService(serviceOf(dns)), newDest(key, destOf(dnsServer)))
		must(t, g.Datagram(dnsClient, dnsVIP))
		conn.must(newDest(key, destOf("10.2.0.3:53")), delDest(key, destKeyOf(dnsServer)), newDest(key, destOf("10.2.0.4:53")))
		conn.must(newDest(key, destOf(dnsServer)))
		if got, want := conn.serverAddrs(key), []string{dnsServer, "10.2.0.4:53", "10.2.0.3:53"}; !slices.Equal(got, want) {
			t.Errorf("the order is %v, want %v", got, want)
		}
	})
}

// A persistent service ties the client to the server.
func TestConformancePersistentConnections(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn, key := dialRaw(t, g.Dial), keyOf(dns)
		conn.must(newService(serviceOf(dns).set(sFlags, flagged(1, 1)).set(sTimeout, u32(300))), newDest(key, destOf(dnsServer)))
		must(t, g.Datagram(dnsClient, dnsVIP))
		must(t, g.Datagram(netip.AddrPortFrom(dnsClient.Addr(), 4001), dnsVIP))
		look{listDests(key), counts(0, 2, 1), nil}.check(t, conn)
	})
}

// Statistics show after the kernel's next estimation, are zeroed on demand, stay
// with a server that comes back to its service, and not with one whose service
// was removed and added.
func TestConformanceStatistics(t *testing.T) {
	const connsAttr = 1
	conformOne(t, func(t *testing.T, g ground) {
		conn, key := dialRaw(t, g.Dial), keyOf(dns)
		add := newDest(key, destOf(dnsServer))
		conns := func() (all [4]uint64) {
			s, d := conn.one(getService(key)), conn.one(listDests(key))
			for i, a := range []attributes{
				counters(t, s, sStats), counters(t, s, sStats64), counters(t, d, dStats), counters(t, d, dStats64),
			} {
				if b := a.get(connsAttr); len(b) == 8 {
					all[i] = binary.NativeEndian.Uint64(b)
				} else {
					all[i] = uint64(binary.NativeEndian.Uint32(b))
				}
			}
			return all
		}
		expect := func(when string, want [4]uint64) {
			t.Helper()
			if got := conns(); got != want {
				t.Errorf("%s: %v connections, want %v", when, got, want)
			}
		}
		both := [4]uint64{1, 1, 1, 1}
		conn.must(newService(serviceOf(dns)), add)
		expect("at first", [4]uint64{})
		must(t, g.Datagram(dnsClient, dnsVIP))
		for waited := time.Duration(0); conns() != both && waited < patience/2; waited += 100 * time.Millisecond {
			g.Wait(100 * time.Millisecond)
		}
		expect("after a datagram", both)
		conn.must(delDest(key, destKeyOf(dnsServer)), add)
		expect("the server added again", both)
		conn.must(about(cZero, key))
		expect("zeroed", [4]uint64{})
		conn.must(delService(key), newService(serviceOf(dns)), add)
		expect("the service added again", [4]uint64{})
	})
}
