package lvs

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// wireCase is a request, and what the kernel answers.
type wireCase struct {
	name  string
	given []request // what was done before; all of it succeeds
	do    request
	want  Errno // 0: success
	then  []look
}

// look is a reading, and what it must find.
type look struct {
	get    request
	want   []attributes // an object each, in order; attributes that are not listed may have any value
	absent []uint16     // attributes that no object may have
}

func runWireCases(t *testing.T, cases []wireCase) {
	t.Helper()
	conform(t, func(t *testing.T, fresh func(testing.TB) ground) {
		refusing := make(map[string]ground) // by what was done before
		for _, c := range cases {
			if c.want == 0 {
				t.Run(c.name, func(t *testing.T) { c.succeeds(t, fresh(t)) })
				continue
			}
			before := fmt.Sprint(c.given)
			g := refusing[before]
			if g == nil {
				g = fresh(t)
				refusing[before] = g
				conn := dialRaw(t, g.Dial)
				conn.must(c.given...)
				t.Cleanup(conn.stopDaemons)
			}
			t.Run(c.name, func(t *testing.T) { c.isRefused(t, g) })
		}
	})
}

func (c wireCase) succeeds(t *testing.T, g ground) {
	conn := dialRaw(t, g.Dial)
	t.Cleanup(conn.stopDaemons)
	conn.must(c.given...)
	conn.must(c.do)
	for _, l := range c.then {
		l.check(t, conn)
	}
}

// isRefused also sees that nothing was changed, so other cases can use the
// ground as well.
func (c wireCase) isRefused(t *testing.T, g ground) {
	conn := dialRaw(t, g.Dial)
	before := conn.table()
	if got := conn.do(c.do); got != c.want {
		t.Errorf("answered with %v, want %v", got, c.want)
	}
	if after := conn.table(); after != before {
		t.Errorf("refused, and yet it changed\n%s\nto\n%s", before, after)
	}
}

// table reads all there is, but for statistics, as text.
func (c *rawConn) table() string {
	c.t.Helper()
	var lines []string
	for _, s := range c.read(listServices()) {
		line := fmt.Sprintln("service", s.without(sStats, sStats64))
		for _, d := range c.read(listDests(s.without(sScheduler, sEngine, sFlags, sTimeout, sNetmask, sStats, sStats64))) {
			line += fmt.Sprintln("\tserver", d.without(dStats, dStats64))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	for _, d := range c.read(listDaemons()) {
		lines = append(lines, fmt.Sprintln("daemon", d))
	}
	return strings.Join(append(lines, fmt.Sprintln("timeouts", c.one(bare(cGetConfig)))), "")
}

func (l look) check(t *testing.T, conn *rawConn) {
	t.Helper()
	got := conn.read(l.get)
	if len(got) != len(l.want) {
		t.Fatalf("command %d found %d objects, want %d: %v", l.get.command, len(got), len(l.want), got)
	}
	for i, want := range l.want {
		if got, want := got[i].only(want).String(), want.String(); got != want {
			t.Errorf("command %d, object %d:\n got %s\nwant %s", l.get.command, i, got, want)
		}
		for _, number := range l.absent {
			if v := got[i].get(number); v != nil {
				t.Errorf("command %d, object %d: attribute %d is there: %x", l.get.command, i, number, v)
			}
		}
	}
}

// stopDaemons makes sure that no kernel thread holds on to the namespace.
func (c *rawConn) stopDaemons() {
	for _, state := range []uint32{1, 2} {
		if errno := c.do(delDaemon(state)); errno != 0 && errno != ESRCH {
			c.t.Errorf("stopping daemon %d: %v", state, errno)
		}
	}
}

// Services, destinations and addresses that the tables use.
const (
	web     = "tcp 10.1.0.1:80"
	web6    = "tcp [fd00:1::1]:80"
	mark    = "mark4 7"
	mark6   = "mark6 7"
	server  = "10.2.0.2:80"
	server2 = "10.2.0.3:80"
	server6 = "[fd00:1::2]:80"
)

// none is the reading of a table without objects.
func none(get request) []look { return []look{{get: get}} }

// found is the reading of one object.
func found(get request, want attributes) []look { return []look{{get: get, want: []attributes{want}}} }

func given(requests ...request) []request { return requests }

// What exists as a request and what as a dump.
func TestConformanceWireCommands(t *testing.T) {
	var cases []wireCase
	add := func(flags uint16, want Errno, commands ...uint8) {
		for _, command := range commands {
			name := fmt.Sprintf("command %d flags %#x", command, flags)
			cases = append(cases, wireCase{name: name, do: bare(command).with(flags), want: want})
		}
	}
	add(0, EOPNOTSUPP, 0, cGetDest, cGetDaemon, cSetInfo, 18, 19, 255)
	add(nlDump, EOPNOTSUPP, 0, cNewService, cSetService, cDelService, cNewDest, cSetDest, cDelDest, cNewDaemon,
		cDelDaemon, cSetConfig, cGetConfig, cSetInfo, cGetInfo, cZero, cFlush, 18, 255)
	add(nlDump, 0, cGetService, cGetDest, cGetDaemon)
	for _, half := range []uint16{nlRoot, nlDump &^ nlRoot} { // does not make a dump
		add(half, EINVAL, cGetService) // which lacks the service
		add(half, EOPNOTSUPP, cGetDest, cGetDaemon)
	}
	add(0, 0, cGetConfig, cGetInfo, cZero, cFlush)
	cases = append(cases, wireCase{
		name: "a family that is not there", do: request{command: cGetInfo, family: 0x3ff}, want: ENOENT,
	})
	runWireCases(t, cases)
}

// Every command is refused to one without CAP_NET_ADMIN, whatever it says.
func TestConformanceWirePermission(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		dialRaw(t, g.Dial).must(newService(serviceOf(web)))
		conn := dialRaw(t, g.DialUnprivileged)
		for command := uint8(cNewService); command <= cFlush; command++ {
			r, want := bare(command), EPERM
			switch command {
			case cGetDest, cGetDaemon:
				r = r.dumped()
			case cSetInfo:
				want = EOPNOTSUPP
			}
			if got := conn.do(r); got != want {
				t.Errorf("command %d is answered with %v, want %v", command, got, want)
			}
		}
		if got := conn.do(listServices()); got != EPERM {
			t.Errorf("a dump of services is answered with %v, want EPERM", got)
		}
		look{getService(keyOf(web)), []attributes{nil}, nil}.check(t, dialRaw(t, g.Dial))
	})
}

// How an identity is read, by every command that takes one.
func TestConformanceWireIdentity(t *testing.T) {
	type variant struct {
		name string
		key  attributes
		want Errno // of every command on a table without services
	}
	key := keyOf(web)
	variants := []variant{
		{"not there", key, ESRCH},
		{"mark not there", keyOf(mark), ESRCH},
		{"without attributes", nil, EINVAL},
		{"without family", key.without(sAF), EINVAL},
		{"without protocol", key.without(sProtocol), EINVAL},
		{"without address", key.without(sAddr), EINVAL},
		{"without port", key.without(sPort), EINVAL},
		{"mark without family", keyOf(mark).without(sAF), EINVAL},
		{"family 0", key.set(sAF, u16(0)), EAFNOSUPPORT},
		{"family 7", key.set(sAF, u16(7)), EAFNOSUPPORT},
		{"family 7 of a mark", keyOf(mark).set(sAF, u16(7)), EAFNOSUPPORT},
		{"family 7 without port", key.set(sAF, u16(7)).without(sPort), EINVAL},
		{"short family", key.set(sAF, u8(inet4)), EINVAL},
		{"long family", key.set(sAF, append(u16(inet4), 9, 9)), ESRCH},
		{"short protocol", key.set(sProtocol, u8(6)), EINVAL},
		{"short port", key.set(sPort, u8(80)), EINVAL},
		{"long port", key.set(sPort, append(be16(80), 9, 9)), ESRCH},
		{"short mark", keyOf(mark).set(sFWMark, u16(7)), EINVAL},
		{"long mark", keyOf(mark).set(sFWMark, append(u32(7), 9)), ESRCH},
		{"long address", key.set(sAddr, make([]byte, 17)), EINVAL},
		{"short address", key.set(sAddr, []byte{10, 1}), ESRCH},
		{"no bytes of address", key.set(sAddr, nil), ESRCH},
		{"protocol 99", key.set(sProtocol, u16(99)), ESRCH},
		{"unknown attribute", key.plus(77, u32(1)), ESRCH},
		{"short statistics", key.plus(sStats, u16(1)), EINVAL},
		{"empty statistics", key.plus(sStats, nil), ESRCH},
		{"short new statistics", key.plus(sStats64, u16(1)), ESRCH}, // has no policy
		{"short scheduler flags, not needed", key.plus(sFlags, u16(1)), ESRCH},
		{"short timeout, not needed", key.plus(sTimeout, u16(1)), EINVAL},
	}
	commands := map[string]func(key attributes) request{
		"set service": func(k attributes) request {
			return setService(append(k, serviceOf(web).without(sAF, sProtocol, sAddr, sPort)...))
		},
		"del service": delService,
		"get service": getService,
		"zero":        func(k attributes) request { return about(cZero, k) },
		"new dest":    func(k attributes) request { return newDest(k, destOf(server)) },
		"set dest":    func(k attributes) request { return setDest(k, destOf(server)) },
		"del dest":    func(k attributes) request { return delDest(k, destKeyOf(server)) },
	}
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		for _, v := range variants {
			for name, command := range commands {
				if got := conn.do(command(slices.Clip(v.key))); got != v.want {
					t.Errorf("%s, %s: answered with %v, want %v", name, v.name, got, v.want)
				}
			}
			// A listing of servers does not tell a service that is wrong from one without.
			if got := conn.read(listDests(v.key)); len(got) != 0 {
				t.Errorf("listing servers, %s: %v", v.name, got)
			}
		}
		for _, command := range []uint8{cNewService, cSetService, cDelService, cGetService, cNewDest, cSetDest, cDelDest} {
			if got := conn.do(bare(command)); got != EINVAL {
				t.Errorf("command %d without a service is answered with %v, want EINVAL", command, got)
			}
		}
	})
}

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

		{name: "without scheduler", do: newService(s.without(sScheduler)), want: EINVAL},
		{name: "without flags", do: newService(s.without(sFlags)), want: EINVAL},
		{name: "without timeout", do: newService(s.without(sTimeout)), want: EINVAL},
		{name: "without netmask", do: newService(s.without(sNetmask)), want: EINVAL},
		{name: "without family", do: newService(s.without(sAF)), want: EINVAL},
		{name: "without protocol", do: newService(s.without(sProtocol)), want: EINVAL},
		{name: "without address", do: newService(s.without(sAddr)), want: EINVAL},
		{name: "without port", do: newService(s.without(sPort)), want: EINVAL},
		{name: "the family is looked at before the rest is missed", do: newService(s.set(sAF, u16(7)).without(sScheduler)), want: EAFNOSUPPORT},
		{name: "it is there", given: given(newService(s)), do: newService(s), want: EEXIST},
		{name: "it is there, as a mark", given: given(newService(serviceOf(mark))), do: newService(serviceOf(mark)), want: EEXIST},
		{
			name: "it is there, and the scheduler is not", given: given(newService(s)),
			do: newService(s.set(sScheduler, text("nosuch"))), want: EEXIST,
		},
		{
			name: "it is there, and the engine is not", given: given(newService(s)),
			do: newService(s.plus(sEngine, text("nosuch"))), want: EEXIST,
		},
		{
			name: "it is there, and the prefix is wrong", given: given(newService(s6)),
			do: newService(s6.set(sNetmask, u32(0))), want: EEXIST,
		},
		{
			name: "it is there, and the scheduler is missing", given: given(newService(s)),
			do: newService(s.without(sScheduler)), want: EINVAL,
		},

		{name: "unknown scheduler", do: newService(s.set(sScheduler, text("nosuch"))), want: ENOENT},
		{name: "empty scheduler", do: newService(s.set(sScheduler, text(""))), want: ENOENT},
		{name: "scheduler without NUL", do: newService(s.set(sScheduler, []byte("rr"))), want: EINVAL},
		{name: "scheduler without a byte", do: newService(s.set(sScheduler, nil)), want: EINVAL},
		{name: "scheduler of 15 characters", do: newService(s.set(sScheduler, text("abcdefghijklmno"))), want: ENOENT},
		{name: "scheduler of 16 characters", do: newService(s.set(sScheduler, text("abcdefghijklmnop"))), want: EINVAL},
		{name: "NUL inside the scheduler's attribute", do: newService(s.set(sScheduler, []byte("rr\x00junk"))), then: found(listServices(), attributes{{sScheduler, text("rr")}})},
		{
			name: "no scheduler", do: newService(s.set(sScheduler, text("none"))),
			then: found(listServices(), attributes{{sScheduler, text("none")}}),
		},
		{name: "schedulers are told by small and large letters", do: newService(s.set(sScheduler, text("RR"))), want: ENOENT},

		{name: "engine", do: newService(s.plus(sEngine, text("sip"))), then: found(listServices(), attributes{{sEngine, text("sip")}})},
		{name: "unknown engine", do: newService(s.plus(sEngine, text("nosuch"))), want: ENOENT},
		{name: "empty engine", do: newService(s.plus(sEngine, text(""))), then: []look{{listServices(), []attributes{keyOf(web).without(sAddr)}, []uint16{sEngine}}}},
		{name: "engine without NUL", do: newService(s.plus(sEngine, []byte("sip"))), want: EINVAL},
		{name: "engine of 16 characters", do: newService(s.plus(sEngine, text("abcdefghijklmnop"))), want: ENOENT},
		{name: "engine of 17 characters", do: newService(s.plus(sEngine, text("abcdefghijklmnopq"))), want: EINVAL},

		{name: "IPv6 prefix 0", do: newService(s6.set(sNetmask, u32(0))), want: EINVAL},
		{name: "IPv6 prefix 1", do: newService(s6.set(sNetmask, u32(1))), then: found(listServices(), attributes{{sNetmask, u32(1)}})},
		{name: "IPv6 prefix 129", do: newService(s6.set(sNetmask, u32(129))), want: EINVAL},
		{name: "IPv6 prefix 0 of a mark", do: newService(serviceOf(mark6).set(sNetmask, u32(0))), want: EINVAL},
		{name: "IPv4 mask 0", do: newService(s.set(sNetmask, u32(0))), then: found(listServices(), attributes{{sNetmask, u32(0)}})},
		{
			name: "IPv4 mask with holes", do: newService(s.set(sNetmask, []byte{255, 0, 255, 1})),
			then: found(listServices(), attributes{{sNetmask, []byte{255, 0, 255, 1}}}),
		},
		{name: "short netmask", do: newService(s.set(sNetmask, u16(0))), want: EINVAL},
		{name: "short timeout", do: newService(s.set(sTimeout, u16(0))), want: EINVAL},
		{name: "long timeout", do: newService(s.set(sTimeout, append(u32(9), 1, 2, 3))), then: found(listServices(), attributes{{sTimeout, u32(9)}})},

		{
			name: "flags of 4 bytes have no mask", do: newService(s.set(sFlags, u32(5))),
			then: found(listServices(), attributes{{sFlags, flagged(2, ^uint32(0))}}),
		},
		{name: "flags of 9 bytes", do: newService(s.set(sFlags, make([]byte, 9))), want: EINVAL},
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
		{name: "not there", do: setService(s), want: ESRCH},
		{name: "not there, and the scheduler neither", do: setService(s.set(sScheduler, text("nosuch"))), want: ESRCH},
		{name: "not there, and without scheduler", do: setService(s.without(sScheduler)), want: EINVAL},
		{name: "unknown scheduler", given: there, do: setService(s.set(sScheduler, text("nosuch"))), want: ENOENT},
		{name: "empty scheduler", given: there, do: setService(s.set(sScheduler, text(""))), want: ENOENT},
		{name: "unknown engine", given: there, do: setService(s.plus(sEngine, text("nosuch"))), want: ENOENT},
		{name: "without scheduler", given: there, do: setService(s.without(sScheduler)), want: EINVAL},
		{name: "without flags", given: there, do: setService(s.without(sFlags)), want: EINVAL},
		{name: "without timeout", given: there, do: setService(s.without(sTimeout)), want: EINVAL},
		{name: "without netmask", given: there, do: setService(s.without(sNetmask)), want: EINVAL},
		{name: "IPv6 prefix 0", given: given(newService(s6)), do: setService(s6.set(sNetmask, u32(0))), want: EINVAL},
		{name: "IPv6 prefix 129", given: given(newService(s6)), do: setService(s6.set(sNetmask, u32(129))), want: EINVAL},
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
		if got := conn.do(mh); got != EINVAL {
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
		{name: "delete a mark of the other family", given: there, do: delService(keyOf("mark4 7")), want: ESRCH},
		{name: "delete by mark 0", given: append(there, newService(serviceOf("tcp 0.0.0.0:0"))), do: delService(keyOf("mark4 0")), then: both},
		{name: "flush", given: there, do: bare(cFlush), then: none(listServices())},
		{name: "flush looks at no attribute", given: there, do: about(cFlush, keyOf(web)), then: none(listServices())},
		{name: "flush nothing", do: bare(cFlush)},
		{name: "zero one", given: there, do: about(cZero, keyOf(web)), then: both},
		{name: "zero all", given: there, do: bare(cZero), then: both},
		{name: "zero what is not there", given: there, do: about(cZero, keyOf(mark)), want: ESRCH},
		{name: "zero nothing", do: bare(cZero)},
	})
}

func TestConformanceWireNewDest(t *testing.T) {
	key, key6 := keyOf(web), keyOf(web6)
	d := destOf(server)
	service := given(newService(serviceOf(web)), newService(serviceOf(web6)), newService(serviceOf(mark)))
	there := append(service, newDest(key, d))
	add := func(name string, want Errno, dest attributes) wireCase {
		return wireCase{name: name, given: service, do: newDest(key, dest), want: want}
	}
	stored := func(name string, dest attributes, want attributes) wireCase {
		return wireCase{name: name, given: service, do: newDest(key, dest), then: found(listDests(key), want)}
	}
	runWireCases(t, []wireCase{
		stored("IPv4", d, d.set(dAddr, address16("10.2.0.2")).plus(dAF, u16(inet4)).
			plus(dTunType, u8(0)).plus(dTunPort, be16(0)).plus(dTunFlags, u16(0))),
		{name: "IPv6", given: service, do: newDest(key6, destOf(server6)), then: found(listDests(key6), destOf(server6).plus(dAF, u16(inet6)))},
		{name: "of a mark", given: service, do: newDest(keyOf(mark), destOf("10.2.0.2:0")), then: found(listDests(keyOf(mark)), attributes{{dPort, be16(0)}})},
		stored("family 0 is the service's", d.plus(dAF, u16(0)), attributes{{dAF, u16(inet4)}}),
		stored("everything", attributes{
			{dAddr, []byte{10, 2, 0, 9}}, {dPort, be16(8080)}, {dMethod, u32(tunnel)}, {dWeight, u32(1<<31 - 1)},
			{dUpper, u32(1000)}, {dLower, u32(1000)}, {dAF, u16(inet4)}, {dTunType, u8(tunGUE)}, {dTunPort, be16(6080)}, {dTunFlags, u16(1)},
		}, attributes{
			{dAddr, address16("10.2.0.9")}, {dPort, be16(8080)}, {dMethod, u32(tunnel)}, {dWeight, u32(1<<31 - 1)},
			{dUpper, u32(1000)}, {dLower, u32(1000)}, {dAF, u16(inet4)}, {dTunType, u8(tunGUE)}, {dTunPort, be16(6080)}, {dTunFlags, u16(1)},
			{dActive, u32(0)}, {dInactive, u32(0)}, {dPersist, u32(0)},
		}),
		stored("method 7", d.set(dMethod, u32(7)), attributes{{dMethod, u32(7)}}),
		stored("only three bits of the method are kept", d.set(dMethod, u32(0xffffff0a)), attributes{{dMethod, u32(2)}}),
		stored("local node", d.set(dMethod, u32(localNode)), attributes{{dMethod, u32(localNode)}}),
		stored("bypass", d.set(dMethod, u32(bypass)), attributes{{dMethod, u32(bypass)}}),
		stored("tunnel type 9", d.plus(dTunType, u8(9)), attributes{{dTunType, u8(9)}}),
		stored("GRE with all flags", d.plus(dTunType, u8(tunGRE)).plus(dTunFlags, u16(0xffff)), attributes{{dTunType, u8(tunGRE)}, {dTunFlags, u16(0xffff)}}),
		stored("a tunnel port without a tunnel", d.plus(dTunPort, be16(5)), attributes{{dTunPort, be16(5)}}),
		stored("weight 0", d.set(dWeight, u32(0)), attributes{{dWeight, u32(0)}}),
		stored("counts are not taken", d.plus(dActive, u32(5)).plus(dInactive, u32(5)).plus(dPersist, u32(5)),
			attributes{{dActive, u32(0)}, {dInactive, u32(0)}, {dPersist, u32(0)}}),
		stored("of attributes that repeat the last counts", append(d.set(dWeight, u32(1)), d.set(dWeight, u32(2))...), attributes{{dWeight, u32(2)}}),
		stored("unknown attributes", d.plus(99, u32(1)), attributes{{dWeight, u32(1)}}),
		stored("another port of the same address", destOf("10.2.0.2:81"), attributes{{dPort, be16(81)}}),

		add("no attributes", EINVAL, nil),
		{name: "no destination", given: service, do: about(cNewDest, key), want: EINVAL},
		{name: "no service, and no destination", do: about(cNewDest, key), want: ESRCH},
		{name: "no service", do: newDest(key, d), want: ESRCH},
		add("without address", EINVAL, d.without(dAddr)),
		add("without port", EINVAL, d.without(dPort)),
		add("without method", EINVAL, d.without(dMethod)),
		add("without weight", EINVAL, d.without(dWeight)),
		add("without upper threshold", EINVAL, d.without(dUpper)),
		add("without lower threshold", EINVAL, d.without(dLower)),
		add("short port", EINVAL, d.set(dPort, u8(1))),
		add("long address", EINVAL, d.set(dAddr, make([]byte, 17))),
		add("short method", EINVAL, d.set(dMethod, u16(1))),
		add("short weight", EINVAL, d.set(dWeight, u16(1))),
		add("short tunnel port", EINVAL, d.plus(dTunPort, u8(1))),
		add("no byte of tunnel type", EINVAL, d.plus(dTunType, nil)),
		add("short family", EINVAL, d.plus(dAF, u8(2))),
		add("long weight", 0, d.set(dWeight, append(u32(1), 2))),
		add("short statistics", EINVAL, d.plus(dStats, u16(0))),

		{name: "it is there", given: there, do: newDest(key, d), want: EEXIST},
		{name: "it is there, in another mode", given: there, do: newDest(key, d.set(dMethod, u32(masquerade))), want: EEXIST},
		{name: "it is there, and the weight is wrong", given: there, do: newDest(key, d.set(dWeight, u32(^uint32(0)))), want: ERANGE},
		add("weight -1", ERANGE, d.set(dWeight, u32(^uint32(0)))),
		add("weight -2147483648", ERANGE, d.set(dWeight, u32(1<<31))),
		add("the lower threshold above the upper", ERANGE, d.set(dUpper, u32(4)).set(dLower, u32(5))),
		add("a lower threshold without an upper", ERANGE, d.set(dLower, u32(1))),
		add("equal thresholds", 0, d.set(dUpper, u32(5)).set(dLower, u32(5))),
		add("the largest threshold", 0, d.set(dUpper, u32(1<<31-1))),
		add("GUE without a port", EINVAL, d.set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGUE))),
		add("GUE without a port, in another mode", EINVAL, d.set(dMethod, u32(masquerade)).plus(dTunType, u8(tunGUE))),
		add("GUE with port 0", EINVAL, d.set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGUE)).plus(dTunPort, be16(0))),

		add("family 7", EAFNOSUPPORT, d.plus(dAF, u16(7))),
		add("an IPv6 server of an IPv4 service", EINVAL, otherFamilyDest(server6).set(dMethod, u32(masquerade))),
		add("an IPv6 server of an IPv4 service, direct", EINVAL, otherFamilyDest(server6).set(dMethod, u32(direct))),
		add("an IPv6 server of an IPv4 service, by tunnel", 0, otherFamilyDest(server6)),
		{name: "an IPv4 server of an IPv6 service", given: service, do: newDest(key6, otherFamilyDest(server).set(dMethod, u32(masquerade))), want: EINVAL},
		{
			name: "an IPv4 server of an IPv6 service, by tunnel", given: service, do: newDest(key6, otherFamilyDest(server)),
			then: found(listDests(key6), attributes{{dAF, u16(inet4)}, {dAddr, address16("10.2.0.2")}}),
		},
		{
			name: "a server of another family while a daemon runs", given: append(service, newDaemon(daemonOf(1))),
			do: newDest(key, otherFamilyDest(server6)), want: EINVAL,
		},

		add("address 0.0.0.0", EINVAL, destOf("0.0.0.0:80")),
		add("address 255.255.255.255", EINVAL, destOf("255.255.255.255:80")),
		add("a multicast address", EINVAL, destOf("224.0.0.81:80")),
		add("a broadcast address of a device", EINVAL, destOf("10.2.255.255:80")),
		add("an address of the director", 0, destOf("10.2.0.1:80")),
		add("127.0.0.1", 0, destOf("127.0.0.1:80")),
		add("127.0.0.9", 0, destOf("127.0.0.9:80")),
		add("an address without a route", 0, destOf("192.0.2.1:80")),
		{name: "address ::", given: service, do: newDest(key6, destOf("[::]:80")), want: EINVAL},
		{name: "::1", given: service, do: newDest(key6, destOf("[::1]:80"))},
		{name: "an IPv6 multicast address", given: service, do: newDest(key6, destOf("[ff02::1]:80")), want: EINVAL},
		{name: "a link-local address", given: service, do: newDest(key6, destOf("[fe80::1]:80")), want: EINVAL},
		{name: "an IPv4 address in IPv6", given: service, do: newDest(key6, destOf("[::ffff:10.2.0.2]:80")), want: EINVAL},
		{name: "an IPv6 address of the director", given: service, do: newDest(key6, destOf("[fd00:1::1]:80"))},
		{name: "an IPv6 address without a route", given: service, do: newDest(key6, destOf("[2001:db8::1]:80"))},
		{name: "by tunnel the address is looked at too", given: service, do: newDest(key6, otherFamilyDest("224.0.0.81:80")), want: EINVAL},
	})
}

func TestConformanceWireSetDest(t *testing.T) {
	key := keyOf(web)
	d := destOf(server).set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGUE)).plus(dTunPort, be16(6080)).plus(dTunFlags, u16(2))
	there := given(newService(serviceOf(web)), newDest(key, destOf("10.2.0.9:80")), newDest(key, d), newDest(key, destOf("10.2.0.8:80")))
	set := func(name string, want Errno, dest attributes) wireCase {
		return wireCase{name: name, given: there, do: setDest(key, dest), want: want}
	}
	runWireCases(t, []wireCase{
		{
			name: "everything is replaced, the place stays", given: there,
			do: setDest(key, destOf(server).set(dMethod, u32(masquerade)).set(dWeight, u32(0)).set(dUpper, u32(9)).set(dLower, u32(8))),
			then: []look{{get: listDests(key), want: []attributes{
				{{dAddr, address16("10.2.0.8")}},
				{
					{dAddr, address16("10.2.0.2")}, {dMethod, u32(masquerade)}, {dWeight, u32(0)}, {dUpper, u32(9)}, {dLower, u32(8)},
					{dTunType, u8(0)}, {dTunPort, be16(0)}, {dTunFlags, u16(0)},
				},
				{{dAddr, address16("10.2.0.9")}},
			}}},
		},
		{
			name: "a tunnel that is left out is reset", given: there, do: setDest(key, d.without(dTunType, dTunPort, dTunFlags)),
			then: []look{{get: listDests(key), want: []attributes{
				nil, {{dMethod, u32(tunnel)}, {dTunType, u8(tunIPIP)}, {dTunPort, be16(0)}, {dTunFlags, u16(0)}}, nil,
			}}},
		},
		set("not there", ENOENT, destOf("10.2.0.7:80")),
		set("not there on that port", ENOENT, destOf("10.2.0.2:81")),
		set("not there, and the weight is wrong", ERANGE, destOf("10.2.0.7:80").set(dWeight, u32(1<<31))),
		set("an address that could not be added, not there", ENOENT, destOf("0.0.0.0:80")),
		set("weight -1", ERANGE, d.set(dWeight, u32(^uint32(0)))),
		set("the lower threshold above the upper", ERANGE, d.set(dUpper, u32(1)).set(dLower, u32(2))),
		set("GUE without a port", EINVAL, d.without(dTunPort)),
		set("no attributes", EINVAL, nil),
		set("without weight", EINVAL, d.without(dWeight)),
		set("without method", EINVAL, d.without(dMethod)),
		set("without upper threshold", EINVAL, d.without(dUpper)),
		set("without lower threshold", EINVAL, d.without(dLower)),
		set("family 7", EAFNOSUPPORT, d.plus(dAF, u16(7))),
		set("another family", EINVAL, otherFamilyDest(server6).set(dMethod, u32(direct))),
		set("another family, by tunnel, not there", ENOENT, otherFamilyDest(server6)),
		{name: "no service", do: setDest(key, d), want: ESRCH},
	})
}

func TestConformanceWireDelDest(t *testing.T) {
	key := keyOf(web)
	there := given(newService(serviceOf(web)), newDest(key, destOf(server)), newDest(key, otherFamilyDest(server6)))
	runWireCases(t, []wireCase{
		{name: "delete", given: there, do: delDest(key, destKeyOf(server)), then: found(listDests(key), attributes{{dAF, u16(inet6)}})},
		{name: "not there", given: there, do: delDest(key, destKeyOf(server2)), want: ENOENT},
		{name: "not there on that port", given: there, do: delDest(key, destKeyOf("10.2.0.2:81")), want: ENOENT},
		{name: "another family must be said", given: there, do: delDest(key, destKeyOf(server6)), want: ENOENT},
		{
			name: "another family", given: there, do: delDest(key, destKeyOf(server6).plus(dAF, u16(inet6))),
			then: found(listDests(key), attributes{{dAF, u16(inet4)}}),
		},
		{
			name: "another family while a daemon runs", given: append(there, delDest(key, destKeyOf(server6).plus(dAF, u16(inet6))), newDaemon(daemonOf(1))),
			do: delDest(key, destKeyOf(server6).plus(dAF, u16(inet6))), want: ENOENT,
		},
		{name: "family 7", given: there, do: delDest(key, destKeyOf(server).plus(dAF, u16(7))), want: EAFNOSUPPORT},
		{name: "no destination", given: there, do: about(cDelDest, key), want: EINVAL},
		{name: "no attributes", given: there, do: delDest(key, nil), want: EINVAL},
		{name: "without port", given: there, do: delDest(key, destKeyOf(server).without(dPort)), want: EINVAL},
		{name: "without address", given: there, do: delDest(key, destKeyOf(server).without(dAddr)), want: EINVAL},
		{name: "more than an identity is not looked at", given: there, do: delDest(key, destOf(server).set(dWeight, u32(1<<31))), then: found(listDests(key), attributes{{dAF, u16(inet6)}})},
		{name: "no service", do: delDest(key, destKeyOf(server)), want: ESRCH},
	})
}

// Kernels that count all connections together refuse thresholds that do not
// fit an int; those before take them.
func TestConformanceWireLargeThreshold(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		key, d := keyOf(web), destOf(server).set(dUpper, u32(1<<31))
		conn.must(newService(serviceOf(web)), newDest(key, destOf(server2)))
		want := map[bool]Errno{true: EINVAL, false: 0}[g.Release().countsTotals()]
		for name, r := range map[string]request{"new": newDest(key, d), "set": setDest(key, d.set(dAddr, []byte{10, 2, 0, 3}))} {
			if got := conn.do(r); got != want {
				t.Errorf("%s: an upper threshold of 2^31 is answered with %v by %v, want %v", name, got, g.Release(), want)
			}
		}
	})
}

func TestConformanceWireDaemons(t *testing.T) {
	const master, backup = 1, 2
	d := daemonOf(master)
	group := []byte{239, 1, 2, 3}
	group6 := address16("ff02::81")
	start := func(name string, want Errno, d attributes) wireCase {
		return wireCase{name: name, do: newDaemon(d), want: want}
	}
	runs := func(name string, d, want attributes) wireCase {
		return wireCase{name: name, do: newDaemon(d), then: found(listDaemons(), want)}
	}
	runWireCases(t, []wireCase{
		{name: "none", do: bare(cGetDaemon).dumped(), then: none(listDaemons())},
		{
			name: "defaults of a master", do: newDaemon(d),
			then: []look{{listDaemons(), []attributes{append(d,
				attribute{yMaxLen, u16(1472)}, attribute{yGroup, []byte{224, 0, 0, 81}}, attribute{yPort, u16(8848)}, attribute{yTTL, u8(1)},
			)}, []uint16{yGroup6}}},
		},
		runs("defaults of a backup", daemonOf(backup), append(daemonOf(backup),
			attribute{yMaxLen, u16(1472)}, attribute{yGroup, []byte{224, 0, 0, 81}}, attribute{yPort, u16(8848)}, attribute{yTTL, u8(1)})),
		{
			name: "both, the master first", given: given(newDaemon(daemonOf(backup))), do: newDaemon(d),
			then: []look{{get: listDaemons(), want: []attributes{{{yState, u32(master)}}, {{yState, u32(backup)}}}}},
		},
		runs("everything", d.plus(yMaxLen, u16(1200)).plus(yGroup, group).plus(yPort, u16(9999)).plus(yTTL, u8(7)),
			d.plus(yMaxLen, u16(1200)).plus(yGroup, group).plus(yPort, u16(9999)).plus(yTTL, u8(7))),
		{
			name: "an IPv6 group", do: newDaemon(d.plus(yGroup6, group6)),
			then: []look{{listDaemons(), []attributes{{{yGroup6, group6}, {yMaxLen, u16(1452)}}}, []uint16{yGroup}}},
		},
		{
			name: "an IPv4 group wins over an IPv6 one", do: newDaemon(d.plus(yGroup, group).plus(yGroup6, group6)),
			then: []look{{listDaemons(), []attributes{{{yGroup, group}}}, []uint16{yGroup6}}},
		},
		runs("sync id 300", d.set(ySyncID, u32(300)), attributes{{ySyncID, u32(300)}}),
		runs("a master's length 1", d.plus(yMaxLen, u16(1)), attributes{{yMaxLen, u16(1)}}),
		runs("a backup's length 1", daemonOf(backup).plus(yMaxLen, u16(1)), attributes{{yMaxLen, u16(1024)}}),
		runs("the largest length", d.plus(yMaxLen, u16(65535)), attributes{{yMaxLen, u16(65535 - 28)}}),
		runs("length 0", d.plus(yMaxLen, u16(0)), attributes{{yMaxLen, u16(1472)}}),
		runs("port 0", d.plus(yPort, u16(0)), attributes{{yPort, u16(8848)}}),
		runs("TTL 0", d.plus(yTTL, u8(0)), attributes{{yTTL, u8(1)}}),

		start("no daemon", EINVAL, nil),
		{name: "no attributes", do: bare(cNewDaemon), want: EINVAL},
		start("without state", EINVAL, d.without(yState)),
		start("without device", EINVAL, d.without(yDevice)),
		start("without sync id", EINVAL, d.without(ySyncID)),
		start("state 0", EINVAL, d.set(yState, u32(0))),
		start("state 3", EINVAL, d.set(yState, u32(3))),
		start("short state", EINVAL, d.set(yState, u16(1))),
		start("device without NUL", EINVAL, d.set(yDevice, []byte(groundDevice))),
		start("device of 16 characters", EINVAL, d.set(yDevice, text("abcdefghijklmnop"))),
		start("unknown device", ENODEV, d.set(yDevice, text("nosuch"))),
		start("unknown device, and a wrong state", ENODEV, d.set(yDevice, text("nosuch")).set(yState, u32(3))),
		start("a master on lo with an IPv6 group", ENETUNREACH, d.set(yDevice, text("lo")).plus(yGroup6, group6)),
		start("a backup on lo with an IPv6 group", 0, daemonOf(backup).set(yDevice, text("lo")).plus(yGroup6, group6)),
		start("a master on lo", 0, d.set(yDevice, text("lo"))),
		start("a group that is not multicast", EINVAL, d.plus(yGroup, []byte{10, 0, 0, 1})),
		start("an IPv6 group that is not multicast", EINVAL, d.plus(yGroup6, address16("fd00::1"))),
		start("a short group", EINVAL, d.plus(yGroup, u16(1))),
		start("a short IPv6 group", EINVAL, d.plus(yGroup6, make([]byte, 15))),
		{name: "it runs", given: given(newDaemon(d)), do: newDaemon(d.set(ySyncID, u32(9))), want: EEXIST},
		{
			name:  "while a server of another family is there",
			given: given(newService(serviceOf(web)), newDest(keyOf(web), otherFamilyDest(server6))), do: newDaemon(d), want: EINVAL,
		},
		{
			name: "after a server of another family was removed",
			given: given(newService(serviceOf(web)), newDest(keyOf(web), otherFamilyDest(server6)),
				delDest(keyOf(web), destKeyOf(server6).plus(dAF, u16(inet6)))), do: newDaemon(d),
		},
		{
			name:  "after a service with a server of another family was removed",
			given: given(newService(serviceOf(web)), newDest(keyOf(web), otherFamilyDest(server6)), delService(keyOf(web))), do: newDaemon(d),
		},

		{name: "stop", given: given(newDaemon(d), newDaemon(daemonOf(backup))), do: delDaemon(master), then: found(listDaemons(), daemonOf(backup))},
		{name: "stop what does not run", given: given(newDaemon(d)), do: delDaemon(backup), want: ESRCH},
		{name: "stop state 0", do: delDaemon(0), want: EINVAL},
		{name: "stop state 3", do: delDaemon(3), want: EINVAL},
		{name: "stop without a daemon", do: bare(cDelDaemon), want: EINVAL},
		{name: "stop without a state", do: daemonRequest(cDelDaemon, attributes{{ySyncID, u32(5)}}), want: EINVAL},
		{name: "flush does not stop it", given: given(newDaemon(d)), do: bare(cFlush), then: found(listDaemons(), d)},
	})
}

func TestConformanceWireConfig(t *testing.T) {
	timeouts := func(tcp, fin, udp uint32) attributes {
		return attributes{{aTimeoutTCP, u32(tcp)}, {aTimeoutFin, u32(fin)}, {aTimeoutUDP, u32(udp)}}
	}
	set := func(name string, want Errno, top, then attributes) wireCase {
		return wireCase{name: name, do: setConfig(top), want: want, then: found(bare(cGetConfig), then)}
	}
	usual := timeouts(900, 120, 300)
	runWireCases(t, []wireCase{
		set("all", 0, timeouts(1, 2, 3), timeouts(1, 2, 3)),
		set("nothing", 0, nil, usual),
		set("TCP only", 0, attributes{{aTimeoutTCP, u32(5)}}, timeouts(5, 120, 300)),
		set("FIN only", 0, attributes{{aTimeoutFin, u32(5)}}, timeouts(900, 5, 300)),
		set("UDP only", 0, attributes{{aTimeoutUDP, u32(5)}}, timeouts(900, 120, 5)),
		set("zeros keep", 0, timeouts(0, 0, 7), timeouts(900, 120, 7)),
		set("-1", EINVAL, timeouts(5, ^uint32(0), 5), usual),
		set("2^31", EINVAL, timeouts(1<<31, 5, 5), usual),
		set("short", ERANGE, attributes{{aTimeoutTCP, u16(5)}}, usual),
		set("short, not looked at otherwise", ERANGE, attributes{{aTimeoutUDP, nil}, {aTimeoutTCP, u32(5)}}, usual),
		set("long", 0, attributes{{aTimeoutTCP, append(u32(5), 9)}}, timeouts(5, 120, 300)),
		set("the last of several", 0, attributes{{aTimeoutTCP, u32(5)}, {aTimeoutTCP, u32(6)}}, timeouts(6, 120, 300)),
		set("unknown attributes", 0, attributes{{aTimeoutTCP, u32(5)}, {7, u32(1)}, {70, nil}}, timeouts(5, 120, 300)),
		{name: "short, to a command that does not need it", do: plain(cFlush, attributes{{aTimeoutTCP, u16(5)}}), want: ERANGE},
	})
}

// The longest timeouts depend on how many ticks a second the kernel counts. A
// persistence timeout that overflows tells how many: it comes back modulo 2^32
// ticks.
func TestConformanceWireTicks(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		conn.must(newService(serviceOf(web).set(sTimeout, u32(^uint32(0)))))
		overflown := conn.one(getService(keyOf(web))).get(sTimeout)
		var hz uint32
		for _, n := range []uint32{100, 250, 300, 1000} {
			if string(overflown) == string(u32(-n/n)) { // 2^32 - n ticks
				hz = n
			}
		}
		if hz == 0 {
			t.Fatalf("a timeout of 2^32 - 1 seconds reads back as %x, which fits no tick rate", overflown)
		}
		longest := uint32(1<<31-1) / hz
		conn.must(setConfig(attributes{{aTimeoutTCP, u32(longest)}}))
		look{bare(cGetConfig), []attributes{{{aTimeoutTCP, u32(longest)}}}, nil}.check(t, conn)
		for _, attr := range []uint16{aTimeoutTCP, aTimeoutFin, aTimeoutUDP} {
			if got := conn.do(setConfig(attributes{{attr, u32(longest + 1)}})); got != EINVAL {
				t.Errorf("timeout %d of %d s at %d ticks a second is answered with %v, want EINVAL", attr, longest+1, hz, got)
			}
		}
	})
}

// What a reply consists of, in its order.
func TestConformanceWireReplies(t *testing.T) {
	const (
		identity = "1:2 2:2 3:16 4:2 "
		stats    = "1:4 2:4 3:4 4:8 5:8 6:4 7:4 8:4 9:4 10:4 "
		stats64  = "1:8 2:8 3:8 4:8 5:8 6:8 7:8 8:8 9:8 10:8 "
	)
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		conn.must(newService(serviceOf(web).plus(sEngine, text("sip"))), newService(serviceOf(mark6)))
		conn.must(newDest(keyOf(web), destOf(server)), newDaemon(daemonOf(1)))
		defer conn.stopDaemons()
		service, byMark := conn.one(getService(keyOf(web))), conn.one(getService(keyOf(mark6)))
		dest := conn.one(listDests(keyOf(web)))
		for what, c := range map[string]struct {
			got  attributes
			want string
		}{
			"service":     {service, identity + "6:3 11:4 7:8 8:4 9:4 10:* 12:* "},
			"mark":        {byMark, "1:2 5:4 6:3 7:8 8:4 9:4 10:* 12:* "},
			"server":      {dest, "1:16 2:2 3:4 4:4 13:1 14:2 15:2 5:4 6:4 7:4 8:4 9:4 11:2 10:* 12:* "},
			"daemon":      {conn.one(listDaemons()), "1:4 2:7 3:4 4:2 7:2 8:1 5:4 "},
			"timeouts":    {conn.one(bare(cGetConfig)), "4:4 5:4 6:4 "},
			"info":        {conn.one(bare(cGetInfo)), "1:4 2:4 "},
			"service's":   {counters(t, service, sStats), stats},
			"mark's":      {counters(t, byMark, sStats), stats},
			"server's":    {counters(t, dest, dStats), stats},
			"service's64": {counters(t, service, sStats64), stats64},
			"server's64":  {counters(t, dest, dStats64), stats64},
		} {
			if got := layout(c.got); got != c.want {
				t.Errorf("%s:\n got %s\nwant %s", what, got, c.want)
			}
		}
	})
}

// counters returns the counters in an attribute, without the empty attributes
// that some kernels put before numbers of 8 bytes so that they are aligned.
func counters(t *testing.T, a attributes, number uint16) attributes {
	const pad = 11
	return parseAttributes(t, a.get(number)).without(pad)
}

// layout lists numbers and lengths. The length of counters depends on padding.
func layout(a attributes) (s string) {
	for _, at := range a {
		length := fmt.Sprint(len(at.value))
		if len(at.value) >= 80 {
			length = "*"
		}
		s += fmt.Sprintf("%d:%s ", at.number, length)
	}
	return s
}

// Replies carry the command that would write them.
func TestConformanceWireReplyHeaders(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		conn.must(newService(serviceOf(web)), newDest(keyOf(web), destOf(server)), newDaemon(daemonOf(1)))
		defer conn.stopDaemons()
		for _, c := range []struct {
			do    request
			want  uint8
			flags uint16
		}{
			{getService(keyOf(web)), cNewService, 0},
			{listServices(), cNewService, nlMulti},
			{listDests(keyOf(web)), cNewDest, nlMulti},
			{listDaemons(), cNewDaemon, nlMulti},
			{bare(cGetConfig), cSetConfig, 0},
			{bare(cGetInfo), cSetInfo, 0},
		} {
			answers, errno := conn.ask(c.do)
			if len(answers) != 1 || errno != 0 {
				t.Fatalf("command %d: %d answers, %v", c.do.command, len(answers), errno)
			}
			m := answers[0]
			if m.kind != conn.family || m.flags != c.flags || m.body[0] != c.want || m.body[1] != 1 {
				t.Errorf("command %d is answered by type %d (IPVS is %d), flags %#x, command %d, version %d; want flags %#x, command %d, version 1",
					c.do.command, m.kind, conn.family, m.flags, m.body[0], m.body[1], c.flags, c.want)
			}
		}
	})
}

func TestConformanceWireInfo(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		size := func() uint32 {
			info := conn.one(bare(cGetInfo))
			if want := u32(0x010201); string(info.get(1)) != string(want) {
				t.Errorf("the version is %x, want %x", info.get(1), want)
			}
			return binary.NativeEndian.Uint32(info.get(2))
		}
		before := size()
		conn.must(newService(serviceOf(web)))
		with := size()
		conn.must(bare(cFlush))
		after := size()
		if g.Release().ownTables() {
			if before != 0 || with < 256 || after != with {
				t.Errorf("connection table: %d buckets before the first service, %d with it, %d after a flush; want 0, 256 or more, the same",
					before, with, after)
			}
		} else if before != 4096 || with != 4096 || after != 4096 {
			t.Errorf("connection table: %d, %d, %d buckets; want 4096", before, with, after)
		}
	})
}
