package lvs

import (
	"context"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/ippacket"
	"github.com/golvs/lvs/internal/testbed"
)

// ipLab is a director with one service and one server.
func ipLab(t *testing.T, vip, server string, mode Mode) *simLab {
	t.Helper()
	l := wayLab(t)
	id := TCP(netip.MustParseAddrPort(vip))
	must(t, l.client.Do(context.Background(), AddService(Service{ID: id, Scheduler: RR}), AddRealServer(id, NewRealServer(netip.MustParseAddrPort(server), mode))))
	must(t, l.Host().SetSysctl(context.Background(), SysctlIPForward, "1"))
	must(t, l.Host().SetSysctl(context.Background(), SysctlIPv6Forwarding, "1"))
	return l
}

func segment(from, to string, flags uint8) []byte {
	b := testbed.Packet{Protocol: ippacket.TCP, TCP: flags, From: netip.MustParseAddrPort(from), To: netip.MustParseAddrPort(to)}.Encode(1)
	if b[0]>>4 == 4 {
		sum := testbed.Checksum(b[:20])
		b[10], b[11] = byte(sum>>8), byte(sum)
	}
	return b
}

func TestDeliverIPModes(t *testing.T) {
	for _, mode := range []Mode{DR(), NAT(), IPIP(), GUE(6080), GUE(6080, TunnelChecksum), GRE(), GRE(TunnelChecksum)} {
		l := ipLab(t, "10.1.0.1:80", "10.2.0.1:80", mode)
		d, err := l.DeliverIP(segment("10.9.0.1:1000", "10.1.0.1:80", 2), 0)
		must(t, err)
		if len(d.Sent) != 1 {
			t.Fatalf("%s: %+v", mode, d)
		}
		p, err := ippacket.Parse(d.Sent[0].Packet)
		must(t, err)
		if !p.RightChecksum() || p.TTL() != 63 {
			t.Errorf("%s: %x", mode, d.Sent[0].Packet)
		}
		t.Logf("%s: %v %s %s %x", mode, d.Verdict, d.Sent[0].Interface, d.Sent[0].NextHop, d.Sent[0].Packet)
	}
}

// mustParse reads a packet whose header checksum is not computed yet.
func mustParse(b []byte) ippacket.Packet {
	if b[0]>>4 == 4 {
		b[10], b[11] = 0, 0
		sum := testbed.Checksum(b[:20])
		b[10], b[11] = byte(sum>>8), byte(sum)
	}
	p, err := ippacket.Parse(b)
	if err != nil {
		panic(err)
	}
	return p
}

// cut returns a packet in fragments.
func cut(b []byte, mtu int) (all [][]byte) {
	p := mustParse(b)
	for _, f := range p.Fragments(mtu, 77) {
		all = append(all, f.Bytes)
	}
	return all
}
