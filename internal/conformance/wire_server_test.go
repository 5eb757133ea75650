package conformance

import (
	"testing"

	"github.com/golvs/lvs"
)

func TestConformanceWireNewDest(t *testing.T) {
	key, key6 := keyOf(web), keyOf(web6)
	d := destOf(server)
	service := given(newService(serviceOf(web)), newService(serviceOf(web6)), newService(serviceOf(mark)))
	there := append(service, newDest(key, d))
	add := func(name string, want lvs.Errno, dest attributes) wireCase {
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

		add("no attributes", lvs.EINVAL, nil),
		{name: "no destination", given: service, do: about(cNewDest, key), want: lvs.EINVAL},
		{name: "no service, and no destination", do: about(cNewDest, key), want: lvs.ESRCH},
		{name: "no service", do: newDest(key, d), want: lvs.ESRCH},
		add("without address", lvs.EINVAL, d.without(dAddr)),
		add("without port", lvs.EINVAL, d.without(dPort)),
		add("without method", lvs.EINVAL, d.without(dMethod)),
		add("without weight", lvs.EINVAL, d.without(dWeight)),
		add("without upper threshold", lvs.EINVAL, d.without(dUpper)),
		add("without lower threshold", lvs.EINVAL, d.without(dLower)),
		add("short port", lvs.EINVAL, d.set(dPort, u8(1))),
		add("long address", lvs.EINVAL, d.set(dAddr, make([]byte, 17))),
		add("short method", lvs.EINVAL, d.set(dMethod, u16(1))),
		add("short weight", lvs.EINVAL, d.set(dWeight, u16(1))),
		add("short tunnel port", lvs.EINVAL, d.plus(dTunPort, u8(1))),
		add("no byte of tunnel type", lvs.EINVAL, d.plus(dTunType, nil)),
		add("short family", lvs.EINVAL, d.plus(dAF, u8(2))),
		add("long weight", 0, d.set(dWeight, append(u32(1), 2))),
		add("short statistics", lvs.EINVAL, d.plus(dStats, u16(0))),

		{name: "it is there", given: there, do: newDest(key, d), want: lvs.EEXIST},
		{name: "it is there, in another mode", given: there, do: newDest(key, d.set(dMethod, u32(masquerade))), want: lvs.EEXIST},
		{name: "it is there, and the weight is wrong", given: there, do: newDest(key, d.set(dWeight, u32(^uint32(0)))), want: lvs.ERANGE},
		add("weight -1", lvs.ERANGE, d.set(dWeight, u32(^uint32(0)))),
		add("weight -2147483648", lvs.ERANGE, d.set(dWeight, u32(1<<31))),
		add("the lower threshold above the upper", lvs.ERANGE, d.set(dUpper, u32(4)).set(dLower, u32(5))),
		add("a lower threshold without an upper", lvs.ERANGE, d.set(dLower, u32(1))),
		add("equal thresholds", 0, d.set(dUpper, u32(5)).set(dLower, u32(5))),
		add("the largest threshold", 0, d.set(dUpper, u32(1<<31-1))),
		add("GUE without a port", lvs.EINVAL, d.set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGUE))),
		add("GUE without a port, in another mode", lvs.EINVAL, d.set(dMethod, u32(masquerade)).plus(dTunType, u8(tunGUE))),
		add("GUE with port 0", lvs.EINVAL, d.set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGUE)).plus(dTunPort, be16(0))),

		add("family 7", lvs.EAFNOSUPPORT, d.plus(dAF, u16(7))),
		add("an IPv6 server of an IPv4 service", lvs.EINVAL, otherFamilyDest(server6).set(dMethod, u32(masquerade))),
		add("an IPv6 server of an IPv4 service, direct", lvs.EINVAL, otherFamilyDest(server6).set(dMethod, u32(direct))),
		add("an IPv6 server of an IPv4 service, by tunnel", 0, otherFamilyDest(server6)),
		{name: "an IPv4 server of an IPv6 service", given: service, do: newDest(key6, otherFamilyDest(server).set(dMethod, u32(masquerade))), want: lvs.EINVAL},
		{
			name: "an IPv4 server of an IPv6 service, by tunnel", given: service, do: newDest(key6, otherFamilyDest(server)),
			then: found(listDests(key6), attributes{{dAF, u16(inet4)}, {dAddr, address16("10.2.0.2")}}),
		},
		{
			name: "a server of another family while a daemon runs", given: append(service, newDaemon(daemonOf(1))),
			do: newDest(key, otherFamilyDest(server6)), want: lvs.EINVAL,
		},

		add("address 0.0.0.0", lvs.EINVAL, destOf("0.0.0.0:80")),
		add("address 255.255.255.255", lvs.EINVAL, destOf("255.255.255.255:80")),
		add("a multicast address", lvs.EINVAL, destOf("224.0.0.81:80")),
		add("the last multicast address", lvs.EINVAL, destOf("239.255.255.255:80")),
		add("the first address behind multicast", 0, destOf("240.0.0.0:80")),
		add("the last address before broadcast", 0, destOf("255.255.255.254:80")),
		add("the broadcast address of lo", lvs.EINVAL, destOf("127.255.255.255:80")),
		add("the first address of lo", 0, destOf("127.0.0.0:80")),
		add("an address of this network", 0, destOf("0.1.2.3:80")),
		add("a broadcast address of a device", lvs.EINVAL, destOf("10.2.255.255:80")),
		add("an address of the director", 0, destOf("10.2.0.1:80")),
		add("127.0.0.1", 0, destOf("127.0.0.1:80")),
		add("127.0.0.9", 0, destOf("127.0.0.9:80")),
		add("an address without a route", 0, destOf("192.0.2.1:80")),
		{name: "address ::", given: service, do: newDest(key6, destOf("[::]:80")), want: lvs.EINVAL},
		{name: "::1", given: service, do: newDest(key6, destOf("[::1]:80"))},
		{name: "an IPv6 multicast address", given: service, do: newDest(key6, destOf("[ff02::1]:80")), want: lvs.EINVAL},
		{name: "a link-local address", given: service, do: newDest(key6, destOf("[fe80::1]:80")), want: lvs.EINVAL},
		{name: "an IPv4 address in IPv6", given: service, do: newDest(key6, destOf("[::ffff:10.2.0.2]:80")), want: lvs.EINVAL},
		{name: "an IPv6 address of the director", given: service, do: newDest(key6, destOf("[fd00:1::1]:80"))},
		{name: "an IPv6 address without a route", given: service, do: newDest(key6, destOf("[2001:db8::1]:80"))},
		{name: "by tunnel the address is looked at too", given: service, do: newDest(key6, otherFamilyDest("224.0.0.81:80")), want: lvs.EINVAL},
	})
}

func TestConformanceWireSetDest(t *testing.T) {
	key := keyOf(web)
	d := destOf(server).set(dMethod, u32(tunnel)).plus(dTunType, u8(tunGUE)).plus(dTunPort, be16(6080)).plus(dTunFlags, u16(2))
	there := given(newService(serviceOf(web)), newDest(key, destOf("10.2.0.9:80")), newDest(key, d), newDest(key, destOf("10.2.0.8:80")))
	set := func(name string, want lvs.Errno, dest attributes) wireCase {
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
		set("not there", lvs.ENOENT, destOf("10.2.0.7:80")),
		set("not there on that port", lvs.ENOENT, destOf("10.2.0.2:81")),
		set("not there, and the weight is wrong", lvs.ERANGE, destOf("10.2.0.7:80").set(dWeight, u32(1<<31))),
		set("an address that could not be added, not there", lvs.ENOENT, destOf("0.0.0.0:80")),
		set("weight -1", lvs.ERANGE, d.set(dWeight, u32(^uint32(0)))),
		set("the lower threshold above the upper", lvs.ERANGE, d.set(dUpper, u32(1)).set(dLower, u32(2))),
		set("GUE without a port", lvs.EINVAL, d.without(dTunPort)),
		set("no attributes", lvs.EINVAL, nil),
		set("without weight", lvs.EINVAL, d.without(dWeight)),
		set("without method", lvs.EINVAL, d.without(dMethod)),
		set("without upper threshold", lvs.EINVAL, d.without(dUpper)),
		set("without lower threshold", lvs.EINVAL, d.without(dLower)),
		set("family 7", lvs.EAFNOSUPPORT, d.plus(dAF, u16(7))),
		set("another family", lvs.EINVAL, otherFamilyDest(server6).set(dMethod, u32(direct))),
		set("another family, by tunnel, not there", lvs.ENOENT, otherFamilyDest(server6)),
		{name: "no service", do: setDest(key, d), want: lvs.ESRCH},
	})
}

func TestConformanceWireDelDest(t *testing.T) {
	key := keyOf(web)
	there := given(newService(serviceOf(web)), newDest(key, destOf(server)), newDest(key, otherFamilyDest(server6)))
	runWireCases(t, []wireCase{
		{name: "delete", given: there, do: delDest(key, destKeyOf(server)), then: found(listDests(key), attributes{{dAF, u16(inet6)}})},
		{name: "not there", given: there, do: delDest(key, destKeyOf(server2)), want: lvs.ENOENT},
		{name: "not there on that port", given: there, do: delDest(key, destKeyOf("10.2.0.2:81")), want: lvs.ENOENT},
		{name: "another family must be said", given: there, do: delDest(key, destKeyOf(server6)), want: lvs.ENOENT},
		{
			name: "another family", given: there, do: delDest(key, destKeyOf(server6).plus(dAF, u16(inet6))),
			then: found(listDests(key), attributes{{dAF, u16(inet4)}}),
		},
		{
			name: "another family while a daemon runs", given: append(there, delDest(key, destKeyOf(server6).plus(dAF, u16(inet6))), newDaemon(daemonOf(1))),
			do: delDest(key, destKeyOf(server6).plus(dAF, u16(inet6))), want: lvs.ENOENT,
		},
		{name: "family 7", given: there, do: delDest(key, destKeyOf(server).plus(dAF, u16(7))), want: lvs.EAFNOSUPPORT},
		{name: "no destination", given: there, do: about(cDelDest, key), want: lvs.EINVAL},
		{name: "no attributes", given: there, do: delDest(key, nil), want: lvs.EINVAL},
		{name: "without port", given: there, do: delDest(key, destKeyOf(server).without(dPort)), want: lvs.EINVAL},
		{name: "without address", given: there, do: delDest(key, destKeyOf(server).without(dAddr)), want: lvs.EINVAL},
		{name: "more than an identity is not looked at", given: there, do: delDest(key, destOf(server).set(dWeight, u32(1<<31))), then: found(listDests(key), attributes{{dAF, u16(inet6)}})},
		{name: "no service", do: delDest(key, destKeyOf(server)), want: lvs.ESRCH},
	})
}

// Kernels that count all connections together refuse thresholds that do not
// fit an int; earlier kernels accept them.
func TestConformanceWireLargeThreshold(t *testing.T) {
	conformOne(t, func(t *testing.T, g ground) {
		conn := dialRaw(t, g.Dial)
		key, d := keyOf(web), destOf(server).set(dUpper, u32(1<<31))
		conn.must(newService(serviceOf(web)), newDest(key, destOf(server2)))
		want := map[bool]lvs.Errno{true: lvs.EINVAL, false: 0}[g.Release().CountsTotals()]
		for name, r := range map[string]request{"new": newDest(key, d), "set": setDest(key, d.set(dAddr, []byte{10, 2, 0, 3}))} {
			if got := conn.do(r); got != want {
				t.Errorf("%s: an upper threshold of 2^31 is answered with %v by %v, want %v", name, got, g.Release(), want)
			}
		}
	})
}
