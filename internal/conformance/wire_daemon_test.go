package conformance

import (
	"testing"

	"github.com/golvs/lvs"
)

func TestConformanceWireDaemons(t *testing.T) {
	const master, backup = 1, 2
	d := daemonOf(master)
	group := []byte{239, 1, 2, 3}
	group6 := address16("ff02::81")
	start := func(name string, want lvs.Errno, d attributes) wireCase {
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

		start("no daemon", lvs.EINVAL, nil),
		{name: "no attributes", do: bare(cNewDaemon), want: lvs.EINVAL},
		start("without state", lvs.EINVAL, d.without(yState)),
		start("without device", lvs.EINVAL, d.without(yDevice)),
		start("without sync id", lvs.EINVAL, d.without(ySyncID)),
		start("state 0", lvs.EINVAL, d.set(yState, u32(0))),
		start("state 3", lvs.EINVAL, d.set(yState, u32(3))),
		start("short state", lvs.EINVAL, d.set(yState, u16(1))),
		start("device without NUL", lvs.EINVAL, d.set(yDevice, []byte(groundDevice))),
		start("device of 16 characters", lvs.EINVAL, d.set(yDevice, text("abcdefghijklmnop"))),
		start("unknown device", lvs.ENODEV, d.set(yDevice, text("nosuch"))),
		start("unknown device, and a wrong state", lvs.ENODEV, d.set(yDevice, text("nosuch")).set(yState, u32(3))),
		start("a master on lo with an IPv6 group", lvs.ENETUNREACH, d.set(yDevice, text("lo")).plus(yGroup6, group6)),
		start("a backup on lo with an IPv6 group", 0, daemonOf(backup).set(yDevice, text("lo")).plus(yGroup6, group6)),
		start("a master on lo", 0, d.set(yDevice, text("lo"))),
		start("a group that is not multicast", lvs.EINVAL, d.plus(yGroup, []byte{10, 0, 0, 1})),
		start("an IPv6 group that is not multicast", lvs.EINVAL, d.plus(yGroup6, address16("fd00::1"))),
		start("a short group", lvs.EINVAL, d.plus(yGroup, u16(1))),
		start("a short IPv6 group", lvs.EINVAL, d.plus(yGroup6, make([]byte, 15))),
		{name: "it runs", given: given(newDaemon(d)), do: newDaemon(d.set(ySyncID, u32(9))), want: lvs.EEXIST},
		{
			name:  "while a server of another family is there",
			given: given(newService(serviceOf(web)), newDest(keyOf(web), otherFamilyDest(server6))), do: newDaemon(d), want: lvs.EINVAL,
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
		{name: "stop what does not run", given: given(newDaemon(d)), do: delDaemon(backup), want: lvs.ESRCH},
		{name: "stop state 0", do: delDaemon(0), want: lvs.EINVAL},
		{name: "stop state 3", do: delDaemon(3), want: lvs.EINVAL},
		{name: "stop without a daemon", do: bare(cDelDaemon), want: lvs.EINVAL},
		{name: "stop without a state", do: daemonRequest(cDelDaemon, attributes{{ySyncID, u32(5)}}), want: lvs.EINVAL},
		{name: "flush does not stop it", given: given(newDaemon(d)), do: bare(cFlush), then: found(listDaemons(), d)},
	})
}

func TestConformanceWireConfig(t *testing.T) {
	timeouts := func(tcp, fin, udp uint32) attributes {
		return attributes{{aTimeoutTCP, u32(tcp)}, {aTimeoutFin, u32(fin)}, {aTimeoutUDP, u32(udp)}}
	}
	set := func(name string, want lvs.Errno, top, then attributes) wireCase {
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
		set("-1", lvs.EINVAL, timeouts(5, ^uint32(0), 5), usual),
		set("2^31", lvs.EINVAL, timeouts(1<<31, 5, 5), usual),
		set("short", lvs.ERANGE, attributes{{aTimeoutTCP, u16(5)}}, usual),
		set("short, not looked at otherwise", lvs.ERANGE, attributes{{aTimeoutUDP, nil}, {aTimeoutTCP, u32(5)}}, usual),
		set("long", 0, attributes{{aTimeoutTCP, append(u32(5), 9)}}, timeouts(5, 120, 300)),
		set("the last of several", 0, attributes{{aTimeoutTCP, u32(5)}, {aTimeoutTCP, u32(6)}}, timeouts(6, 120, 300)),
		set("unknown attributes", 0, attributes{{aTimeoutTCP, u32(5)}, {7, u32(1)}, {70, nil}}, timeouts(5, 120, 300)),
		{name: "short, to a command that does not need it", do: plain(cFlush, attributes{{aTimeoutTCP, u16(5)}}), want: lvs.ERANGE},
	})
}

// The longest timeouts depend on how many ticks a second the kernel counts. A
// persistence timeout that overflows shows how many: it comes back modulo 2^32
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
			if got := conn.do(setConfig(attributes{{attr, u32(longest + 1)}})); got != lvs.EINVAL {
				t.Errorf("timeout %d of %d s at %d ticks a second is answered with %v, want EINVAL", attr, longest+1, hz, got)
			}
		}
	})
}
