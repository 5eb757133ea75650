package conformance

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// wireCase is a request, and what the kernel answers.
type wireCase struct {
	name  string
	given []request // what was done before; all of it succeeds
	do    request
	want  lvs.Errno // 0: success
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

// table returns everything but statistics as text.
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
		if errno := c.do(delDaemon(state)); errno != 0 && errno != lvs.ESRCH {
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

// Which commands are requests, and which are dumps.
func TestConformanceWireCommands(t *testing.T) {
	var cases []wireCase
	add := func(flags uint16, want lvs.Errno, commands ...uint8) {
		for _, command := range commands {
			name := fmt.Sprintf("command %d flags %#x", command, flags)
			cases = append(cases, wireCase{name: name, do: bare(command).with(flags), want: want})
		}
	}
	add(0, lvs.EOPNOTSUPP, 0, cGetDest, cGetDaemon, cSetInfo, 18, 19, 255)
	add(nlDump, lvs.EOPNOTSUPP, 0, cNewService, cSetService, cDelService, cNewDest, cSetDest, cDelDest, cNewDaemon,
		cDelDaemon, cSetConfig, cGetConfig, cSetInfo, cGetInfo, cZero, cFlush, 18, 255)
	add(nlDump, 0, cGetService, cGetDest, cGetDaemon)
	for _, half := range []uint16{nlRoot, nlDump &^ nlRoot} { // does not make a dump
		add(half, lvs.EINVAL, cGetService) // which lacks the service
		add(half, lvs.EOPNOTSUPP, cGetDest, cGetDaemon)
	}
	add(0, 0, cGetConfig, cGetInfo, cZero, cFlush)
	cases = append(cases, wireCase{
		name: "a family that is not there", do: request{command: cGetInfo, family: 0x3ff}, want: lvs.ENOENT,
	})
	runWireCases(t, cases)
}

// Every command is refused without CAP_NET_ADMIN, whatever it contains.
func TestConformanceWirePermission(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		dialRaw(t, g.Dial).must(newService(serviceOf(web)))
		conn := dialRaw(t, g.DialUnprivileged)
		for command := uint8(cNewService); command <= cFlush; command++ {
			r, want := bare(command), lvs.EPERM
			switch command {
			case cGetDest, cGetDaemon:
				r = r.dumped()
			case cSetInfo:
				want = lvs.EOPNOTSUPP
			}
			if got := conn.do(r); got != want {
				t.Errorf("command %d is answered with %v, want %v", command, got, want)
			}
		}
		if got := conn.do(listServices()); got != lvs.EPERM {
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
		want lvs.Errno // of every command on a table without services
	}
	key := keyOf(web)
	variants := []variant{
		{"not there", key, lvs.ESRCH},
		{"mark not there", keyOf(mark), lvs.ESRCH},
		{"without attributes", nil, lvs.EINVAL},
		{"without family", key.without(sAF), lvs.EINVAL},
		{"without protocol", key.without(sProtocol), lvs.EINVAL},
		{"without address", key.without(sAddr), lvs.EINVAL},
		{"without port", key.without(sPort), lvs.EINVAL},
		{"mark without family", keyOf(mark).without(sAF), lvs.EINVAL},
		{"family 0", key.set(sAF, u16(0)), lvs.EAFNOSUPPORT},
		{"family 7", key.set(sAF, u16(7)), lvs.EAFNOSUPPORT},
		{"family 7 of a mark", keyOf(mark).set(sAF, u16(7)), lvs.EAFNOSUPPORT},
		{"family 7 without port", key.set(sAF, u16(7)).without(sPort), lvs.EINVAL},
		{"short family", key.set(sAF, u8(inet4)), lvs.EINVAL},
		{"long family", key.set(sAF, append(u16(inet4), 9, 9)), lvs.ESRCH},
		{"short protocol", key.set(sProtocol, u8(6)), lvs.EINVAL},
		{"short port", key.set(sPort, u8(80)), lvs.EINVAL},
		{"long port", key.set(sPort, append(be16(80), 9, 9)), lvs.ESRCH},
		{"short mark", keyOf(mark).set(sFWMark, u16(7)), lvs.EINVAL},
		{"long mark", keyOf(mark).set(sFWMark, append(u32(7), 9)), lvs.ESRCH},
		{"long address", key.set(sAddr, make([]byte, 17)), lvs.EINVAL},
		{"short address", key.set(sAddr, []byte{10, 1}), lvs.ESRCH},
		{"no bytes of address", key.set(sAddr, nil), lvs.ESRCH},
		{"protocol 99", key.set(sProtocol, u16(99)), lvs.ESRCH},
		{"unknown attribute", key.plus(77, u32(1)), lvs.ESRCH},
		{"short statistics", key.plus(sStats, u16(1)), lvs.EINVAL},
		{"empty statistics", key.plus(sStats, nil), lvs.ESRCH},
		{"short new statistics", key.plus(sStats64, u16(1)), lvs.ESRCH}, // has no policy
		{"short scheduler flags, not needed", key.plus(sFlags, u16(1)), lvs.ESRCH},
		{"short timeout, not needed", key.plus(sTimeout, u16(1)), lvs.EINVAL},
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
			if got := conn.do(bare(command)); got != lvs.EINVAL {
				t.Errorf("command %d without a service is answered with %v, want EINVAL", command, got)
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
		if g.Release().OwnTables() {
			if before != 0 || with < 256 || after != with {
				t.Errorf("connection table: %d buckets before the first service, %d with it, %d after a flush; want 0, 256 or more, the same",
					before, with, after)
			}
		} else if before != 4096 || with != 4096 || after != 4096 {
			t.Errorf("connection table: %d, %d, %d buckets; want 4096", before, with, after)
		}
	})
}
