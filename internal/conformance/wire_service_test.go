package conformance

import (
	"fmt"
	"testing"

	"github.com/golvs/lvs"
)

func TestConformanceWireNewService(t *testing.T) {
	s, s6 := serviceOf(web), serviceOf(web6)
	runWireCases(t, []wireCase{
		{name: "IPv4", do: newService(s), then: found(getService(keyOf(web)), s.set(sAddr, address16("10.1.0.1")).set(sFlags, flagged(2, ^uint32(0))))},
		{name: "IPv6", do: newService(s6), then: found(getService(keyOf(web6)), s6.set(sFlags, flagged(2, ^uint32(0))))},
		{
			name: "mark", do: newService(serviceOf(mark)),
			then: []look{{getService(keyOf(mark)), []attributes{keyOf(mark)}, []uint16{sProtocol, sAddr, sPort, sEngine}}},
		},
		{
			name: "IPv6 mark", do: newService(serviceOf(mark6)),
			then: []look{{getService(keyOf(mark6)), []attributes{keyOf(mark6).plus(sNetmask, u32(128))}, []uint16{sProtocol, sAddr, sPort}}},
		},
		{
			name: "the same mark of both families", given: given(newService(serviceOf(mark))), do: newService(serviceOf(mark6)),
			then: []look{
				{get: getService(keyOf(mark)), want: []attributes{{{sAF, u16(inet4)}}}},
				{get: getService(keyOf(mark6)), want: []attributes{{{sAF, u16(inet6)}}}},
			},
		},
		{
			name:  "the same address and port for another protocol",
			given: given(newService(s)), do: newService(serviceOf("udp 10.1.0.1:80")),
		},
		{
			name: "a mark wins over an address", do: newService(s.plus(sFWMark, u32(7))),
			then: []look{{getService(keyOf(mark)), []attributes{keyOf(mark)}, []uint16{sProtocol, sAddr, sPort}}},
		},
		{
			name: "mark 0 is TCP, address 0, port 0", do: newService(serviceOf(mark).set(sFWMark, u32(0))),
			then: []look{{listServices(), []attributes{keyOf("tcp 0.0.0.0:0").set(sAddr, address16("0.0.0.0"))}, []uint16{sFWMark}}},
		},
		{
			name: "mark 0 hides an address", do: newService(s.plus(sFWMark, u32(0))),
			then: found(listServices(), keyOf("tcp 0.0.0.0:0").set(sAddr, address16("0.0.0.0"))),
		},
		{name: "protocol 99", do: newService(s.set(sProtocol, u16(99))), then: found(listServices(), attributes{{sProtocol, u16(99)}})},
		{name: "protocol 0xffff", do: newService(s.set(sProtocol, u16(0xffff))), then: found(listServices(), attributes{{sProtocol, u16(0xffff)}})},
		{name: "port 0", do: newService(serviceOf("tcp 10.1.0.1:0")), then: found(listServices(), attributes{{sPort, be16(0)}})},
		{
			name: "an IPv4 address of 16 bytes", do: newService(s.set(sAddr, []byte("\x0a\x01\x00\x01 and more, 16"[:16]))),
			then: found(getService(keyOf(web)), attributes{{sAddr, address16("10.1.0.1")}}),
		},
		{
			name: "a short address is filled up with zeros", do: newService(s.set(sAddr, []byte{10, 1})),
			then: found(listServices(), attributes{{sAddr, address16("10.1.0.0")}}),
		},

		{name: "without scheduler", do: newService(s.without(sScheduler)), want: lvs.EINVAL},
		{name: "without flags", do: newService(s.without(sFlags)), want: lvs.EINVAL},
		{name: "without timeout", do: newService(s.without(sTimeout)), want: lvs.EINVAL},
		{name: "without netmask", do: newService(s.without(sNetmask)), want: lvs.EINVAL},
		{name: "without family", do: newService(s.without(sAF)), want: lvs.EINVAL},
		{name: "without protocol", do: newService(s.without(sProtocol)), want: lvs.EINVAL},
		{name: "without address", do: newService(s.without(sAddr)), want: lvs.EINVAL},
		{name: "without port", do: newService(s.without(sPort)), want: lvs.EINVAL},
		{name: "the family is looked at before the rest is missed", do: newService(s.set(sAF, u16(7)).without(sScheduler)), want: lvs.EAFNOSUPPORT},
		{name: "it is there", given: given(newService(s)), do: newService(s), want: lvs.EEXIST},
		{name: "it is there, as a mark", given: given(newService(serviceOf(mark))), do: newService(serviceOf(mark)), want: lvs.EEXIST},
		{
			name: "it is there, and the scheduler is not", given: given(newService(s)),
			do: newService(s.set(sScheduler, text("nosuch"))), want: lvs.EEXIST,
		},
		{
			name: "it is there, and the engine is not", given: given(newService(s)),
			do: newService(s.plus(sEngine, text("nosuch"))), want: lvs.EEXIST,
		},
		{
			name: "it is there, and the prefix is wrong", given: given(newService(s6)),
			do: newService(s6.set(sNetmask, u32(0))), want: lvs.EEXIST,
		},
		{
			name: "it is there, and the scheduler is missing", given: given(newService(s)),
			do: newService(s.without(sScheduler)), want: lvs.EINVAL,
		},

		{name: "unknown scheduler", do: newService(s.set(sScheduler, text("nosuch"))), want: lvs.ENOENT},
		{name: "empty scheduler", do: newService(s.set(sScheduler, text(""))), want: lvs.ENOENT},
		{name: "scheduler without NUL", do: newService(s.set(sScheduler, []byte("rr"))), want: lvs.EINVAL},
		{name: "scheduler without a byte", do: newService(s.set(sScheduler, nil)), want: lvs.EINVAL},
		{name: "scheduler of 15 characters", do: newService(s.set(sScheduler, text("abcdefghijklmno"))), want: lvs.ENOENT},
		{name: "scheduler of 16 characters", do: newService(s.set(sScheduler, text("abcdefghijklmnop"))), want: lvs.EINVAL},
		{name: "NUL inside the scheduler's attribute", do: newService(s.set(sScheduler, []byte("rr\x00junk"))), then: found(listServices(), attributes{{sScheduler, text("rr")}})},
		{
			name: "no scheduler", do: newService(s.set(sScheduler, text("none"))),
			then: found(listServices(), attributes{{sScheduler, text("none")}}),
		},
		{name: "the names of schedulers are case-sensitive", do: newService(s.set(sScheduler, text("RR"))), want: lvs.ENOENT},

		{name: "engine", do: newService(s.plus(sEngine, text("sip"))), then: found(listServices(), attributes{{sEngine, text("sip")}})},
		{name: "unknown engine", do: newService(s.plus(sEngine, text("nosuch"))), want: lvs.ENOENT},
		{name: "empty engine", do: newService(s.plus(sEngine, text(""))), then: []look{{listServices(), []attributes{keyOf(web).without(sAddr)}, []uint16{sEngine}}}},
		{name: "engine without NUL", do: newService(s.plus(sEngine, []byte("sip"))), want: lvs.EINVAL},
		{name: "engine of 16 characters", do: newService(s.plus(sEngine, text("abcdefghijklmnop"))), want: lvs.ENOENT},
		{name: "engine of 17 characters", do: newService(s.plus(sEngine, text("abcdefghijklmnopq"))), want: lvs.EINVAL},

		{name: "IPv6 prefix 0", do: newService(s6.set(sNetmask, u32(0))), want: lvs.EINVAL},
		{name: "IPv6 prefix 1", do: newService(s6.set(sNetmask, u32(1))), then: found(listServices(), attributes{{sNetmask, u32(1)}})},
		{name: "IPv6 prefix 129", do: newService(s6.set(sNetmask, u32(129))), want: lvs.EINVAL},
		{name: "IPv6 prefix 0 of a mark", do: newService(serviceOf(mark6).set(sNetmask, u32(0))), want: lvs.EINVAL},
		{name: "IPv4 mask 0", do: newService(s.set(sNetmask, u32(0))), then: found(listServices(), attributes{{sNetmask, u32(0)}})},
		{
			name: "IPv4 mask with holes", do: newService(s.set(sNetmask, []byte{255, 0, 255, 1})),
			then: found(listServices(), attributes{{sNetmask, []byte{255, 0, 255, 1}}}),
		},
		{name: "short netmask", do: newService(s.set(sNetmask, u16(0))), want: lvs.EINVAL},
		{name: "short timeout", do: newService(s.set(sTimeout, u16(0))), want: lvs.EINVAL},
		{name: "long timeout", do: newService(s.set(sTimeout, append(u32(9), 1, 2, 3))), then: found(listServices(), attributes{{sTimeout, u32(9)}})},

		{
			name: "flags of 4 bytes have no mask", do: newService(s.set(sFlags, u32(5))),
			then: found(listServices(), attributes{{sFlags, flagged(2, ^uint32(0))}}),
		},
		{name: "flags of 9 bytes", do: newService(s.set(sFlags, make([]byte, 9))), want: lvs.EINVAL},
		{
			name: "flags without a byte", do: newService(s.set(sFlags, nil)),
			then: found(listServices(), attributes{{sFlags, flagged(2, ^uint32(0))}}),
		},
		{
			name: "only flags in the mask count", do: newService(s.set(sFlags, flagged(0xd, 0x9))),
			then: found(listServices(), attributes{{sFlags, flagged(0xb, ^uint32(0))}}),
		},
		{
			name: "unknown flags are kept", do: newService(s.set(sFlags, flagged(0xdeadbee0, ^uint32(0)))),
			then: found(listServices(), attributes{{sFlags, flagged(0xdeadbee2, ^uint32(0))}}),
		},

		{
			name: "of attributes that repeat the last counts",
			do:   newService(append(s.set(sScheduler, text("nosuch")).set(sTimeout, u32(1)), s.set(sTimeout, u32(2))...)),
			then: found(listServices(), attributes{{sScheduler, text("rr")}, {sTimeout, u32(2)}}),
		},
		{
			name: "of services that repeat the last counts",
			do:   plain(cNewService, attributes{{aService, serviceOf(mark).encode()}, {aService, s.encode()}}),
			then: found(listServices(), keyOf(web).set(sAddr, address16("10.1.0.1"))),
		},
		{name: "unknown attributes", do: plain(cNewService, attributes{{99, u32(1)}, {aService, s.plus(0, nil).plus(99, u8(1)).encode()}})},
		{name: "the nested flag", do: plain(cNewService, attributes{{aService | nlaNested, s.encode()}})},
		{name: "the byte-order flag", do: newService(s.without(sPort).plus(sPort|nlaByteOrder, be16(80))), then: found(getService(keyOf(web)), attributes{{sPort, be16(80)}})},
		{name: "junk at the end", do: request{command: cNewService, body: append(plain(0, attributes{{aService, append(s.encode(), 1, 2)}}).body, 3, 4, 5)}},
		{name: "statistics are not taken", do: newService(s.plus(sStats, attributes{{1, u32(7)}}.encode())), then: found(listServices(), attributes{{sAF, u16(inet4)}})},
	})
}

// Schedulers that every kernel of Debian has, and one that some have.
func TestConformanceWireSchedulers(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		for _, name := range []string{
			"rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "none",
		} {
			s := serviceOf(web).set(sScheduler, text(name))
			conn.must(newService(s))
			look{getService(keyOf(web)), []attributes{{{sScheduler, text(name)}}}, nil}.check(t, conn)
			conn.must(delService(keyOf(web)))
		}
	})
}

func TestConformanceWireSetService(t *testing.T) {
	s, s6 := serviceOf(web), serviceOf(web6)
	persistent := s.set(sFlags, flagged(0x9, ^uint32(0))).set(sTimeout, u32(300)).set(sNetmask, []byte{255, 255, 255, 0}).plus(sEngine, text("sip"))
	there := given(newService(persistent), newDest(keyOf(web), destOf(server)))
	runWireCases(t, []wireCase{
		{
			name: "everything is replaced", given: there, do: setService(s.set(sScheduler, text("wlc"))),
			then: []look{
				{listServices(), []attributes{{
					{sScheduler, text("wlc")}, {sFlags, flagged(2, ^uint32(0))}, {sTimeout, u32(0)}, {sNetmask, []byte{255, 255, 255, 255}},
				}}, []uint16{sEngine}},
				{get: listDests(keyOf(web)), want: []attributes{{{dPort, be16(80)}}}},
			},
		},
		{
			name: "an engine that is left out is removed", given: there, do: setService(persistent.without(sEngine)),
			then: []look{{listServices(), []attributes{{{sTimeout, u32(300)}}}, []uint16{sEngine}}},
		},
		{
			name: "flags outside the mask stay", given: there, do: setService(persistent.set(sFlags, flagged(0x10, 0x18))),
			then: found(listServices(), attributes{{sFlags, flagged(0x13, ^uint32(0))}}),
		},
		{
			name: "the hashed flag cannot be taken off", given: there, do: setService(persistent.set(sFlags, flagged(0, ^uint32(0)))),
			then: found(listServices(), attributes{{sFlags, flagged(2, ^uint32(0))}}),
		},
		{
			name: "no scheduler", given: there, do: setService(s.set(sScheduler, text("none"))),
			then: found(listServices(), attributes{{sScheduler, text("none")}}),
		},
		{name: "from no scheduler to one", given: given(newService(s.set(sScheduler, text("none")))), do: setService(s), then: found(listServices(), attributes{{sScheduler, text("rr")}})},
		{name: "not there", do: setService(s), want: lvs.ESRCH},
		{name: "not there, and the scheduler neither", do: setService(s.set(sScheduler, text("nosuch"))), want: lvs.ESRCH},
		{name: "not there, and without scheduler", do: setService(s.without(sScheduler)), want: lvs.EINVAL},
		{name: "unknown scheduler", given: there, do: setService(s.set(sScheduler, text("nosuch"))), want: lvs.ENOENT},
		{name: "empty scheduler", given: there, do: setService(s.set(sScheduler, text(""))), want: lvs.ENOENT},
		{name: "unknown engine", given: there, do: setService(s.plus(sEngine, text("nosuch"))), want: lvs.ENOENT},
		{name: "without scheduler", given: there, do: setService(s.without(sScheduler)), want: lvs.EINVAL},
		{name: "without flags", given: there, do: setService(s.without(sFlags)), want: lvs.EINVAL},
		{name: "without timeout", given: there, do: setService(s.without(sTimeout)), want: lvs.EINVAL},
		{name: "without netmask", given: there, do: setService(s.without(sNetmask)), want: lvs.EINVAL},
		{name: "IPv6 prefix 0", given: given(newService(s6)), do: setService(s6.set(sNetmask, u32(0))), want: lvs.EINVAL},
		{name: "IPv6 prefix 129", given: given(newService(s6)), do: setService(s6.set(sNetmask, u32(129))), want: lvs.EINVAL},
		{name: "IPv6 prefix 64", given: given(newService(s6)), do: setService(s6.set(sNetmask, u32(64))), then: found(listServices(), attributes{{sNetmask, u32(64)}})},
	})
}

// mh has a table of 4093 slots, and refuses to be given more servers.
func TestConformanceWireMaglevIsFull(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		conn.must(newService(serviceOf(web)))
		var servers []request
		for i := range 4094 {
			servers = append(servers, newDest(keyOf(web), destOf(fmt.Sprintf("10.2.%d.%d:80", 1+i/250, 1+i%250))))
		}
		conn.mustAll(servers)
		mh := setService(serviceOf(web).set(sScheduler, text("mh")))
		if got := conn.do(mh); got != lvs.EINVAL {
			t.Errorf("4094 servers: answered with %v, want EINVAL", got)
		}
		look{listServices(), []attributes{{{sScheduler, text("rr")}}}, nil}.check(t, conn)
		conn.must(delDest(keyOf(web), destKeyOf("10.2.1.1:80")), mh)
		look{listServices(), []attributes{{{sScheduler, text("mh")}}}, nil}.check(t, conn)
	})
}

func TestConformanceWireDelServiceZeroFlush(t *testing.T) {
	there := given(newService(serviceOf(web)), newService(serviceOf(mark6)), newDest(keyOf(web), destOf(server)))
	both := []look{{get: getService(keyOf(web)), want: []attributes{nil}}, {get: getService(keyOf(mark6)), want: []attributes{nil}}}
	runWireCases(t, []wireCase{
		{name: "delete", given: there, do: delService(keyOf(web)), then: found(listServices(), keyOf(mark6))},
		{name: "delete by a whole service", given: there, do: delService(serviceOf(web).set(sScheduler, text("nosuch"))), then: found(listServices(), keyOf(mark6))},
		{name: "delete a mark of the other family", given: there, do: delService(keyOf("mark4 7")), want: lvs.ESRCH},
		{name: "delete by mark 0", given: append(there, newService(serviceOf("tcp 0.0.0.0:0"))), do: delService(keyOf("mark4 0")), then: both},
		{name: "flush", given: there, do: bare(cFlush), then: none(listServices())},
		{name: "flush looks at no attribute", given: there, do: about(cFlush, keyOf(web)), then: none(listServices())},
		{name: "flush nothing", do: bare(cFlush)},
		{name: "zero one", given: there, do: about(cZero, keyOf(web)), then: both},
		{name: "zero all", given: there, do: bare(cZero), then: both},
		{name: "zero what is not there", given: there, do: about(cZero, keyOf(mark)), want: lvs.ESRCH},
		{name: "zero nothing", do: bare(cZero)},
	})
}
