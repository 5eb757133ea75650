//go:build linux

package main

import (
	"encoding/binary"
	"net/netip"

	"github.com/golvs/lvs/internal/wire"
	"golang.org/x/sys/unix"
)

// The bytes that the raw contender sends: those that the library sends too.

var host = binary.NativeEndian

// sendLen bounds one send, as it does in the library.
const sendLen = 32 << 10

// datagram is one send of many requests, of which only the last asks for an
// answer.
type datagram struct {
	bytes    []byte
	requests int
	last     int // where the last request starts
}

func (d *datagram) append(request []byte) {
	d.last = len(d.bytes)
	d.bytes = append(d.bytes, request...)
	d.requests++
}

func (d *datagram) acknowledgeLast() {
	flags := d.bytes[d.last+6:]
	host.PutUint16(flags, host.Uint16(flags)|unix.NLM_F_ACK)
}

func (d *datagram) lastSeq() uint32 { return host.Uint32(d.bytes[d.last+8:]) }

// datagrams encodes what adds the table, as many requests in each as fit.
func (j job) datagrams(family uint16) []datagram {
	var all []datagram
	for _, request := range j.additions(family) {
		n := len(all)
		if n == 0 || len(all[n-1].bytes)+len(request) > sendLen {
			all, n = append(all, datagram{}), n+1
		}
		all[n-1].append(request)
	}
	for i := range all {
		all[i].acknowledgeLast()
	}
	return all
}

func (j job) additions(family uint16) [][]byte {
	all := make([][]byte, 0, j.objects())
	add := func(message []byte) {
		all = append(all, encode(family, 0, uint32(len(all)+1), message))
	}
	for s := range j.services {
		service := wire.Service{
			ServiceKey: serviceKey(j.vip(s)), Scheduler: scheduler, FlagsMask: ^uint32(0), Netmask: ^uint32(0),
		}
		add(wire.AppendService(nil, wire.CmdNewService, &service))
		for r := range j.servers {
			server := wire.Dest{DestKey: destKey(j.rip(s, r)), Method: wire.MethodDirect, Weight: int32(j.weight(s, r))}
			add(wire.AppendDest(nil, wire.CmdNewDest, &service.ServiceKey, &server))
		}
	}
	return all
}

// dumps encodes what reads the table: the services, then the servers of each.
func (j job) dumps(family uint16) [][]byte {
	all := [][]byte{encode(family, unix.NLM_F_DUMP, 1, wire.AppendCommand(nil, wire.CmdGetService))}
	for s := range j.services {
		key := serviceKey(j.vip(s))
		message := wire.AppendServiceKey(nil, wire.CmdGetDest, &key)
		all = append(all, encode(family, unix.NLM_F_DUMP, uint32(s+2), message))
	}
	return all
}

// encode puts the netlink header before a message, whose length the encoder
// has rounded up already.
func encode(family, flags uint16, seq uint32, message []byte) []byte {
	b := host.AppendUint32(nil, uint32(unix.NLMSG_HDRLEN+len(message)))
	b = host.AppendUint16(b, family)
	b = host.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = host.AppendUint32(b, seq)
	b = host.AppendUint32(b, 0) // the socket's own address
	return append(b, message...)
}

func serviceKey(vip netip.AddrPort) wire.ServiceKey {
	return wire.ServiceKey{
		Family: wire.AFInet, Protocol: unix.IPPROTO_TCP, Port: vip.Port(), Addr: address(vip.Addr()),
	}
}

func destKey(rip netip.AddrPort) wire.DestKey {
	return wire.DestKey{Family: wire.AFInet, Port: rip.Port(), Addr: address(rip.Addr())}
}

func address(a netip.Addr) (b [16]byte) {
	copy(b[:], a.AsSlice())
	return b
}
