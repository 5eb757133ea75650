package lvs

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/ippacket"
)

// Whatever is delivered, nothing panics, what is delivered stays as it is, and what is sent
// is an IP packet. It has a right checksum if what came in had one, unless it is the outer
// packet of a tunnel without checksums.
func FuzzDeliverIP(f *testing.F) {
	modes := []Mode{DR(), NAT(), IPIP(), GUE(6080), GUE(6080, TunnelChecksum), GRE(), GRE(TunnelChecksum)}
	for i := range modes {
		f.Add(segment("10.9.0.1:1000", "10.1.0.1:80", 2), uint8(i), uint16(1500))
		for _, mtu := range []uint16{1280, 1500} { // the former is too small for a tunnel
			f.Add(segment("[fd00:9::1]:1000", "[fd00:1::1]:80", 2), uint8(i), mtu)
		}
		for _, part := range cut(segment("10.9.0.1:1000", "10.1.0.1:80", 2), 28) {
			f.Add(part, uint8(i), uint16(100))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, i uint8, mtu uint16) {
		l := wayLabOf(t, map[string]int{"eth1": max(int(mtu), 68)}, SimOptions{})
		mode := modes[int(i)%len(modes)]
		serveBoth(t, l, mode)
		p, malformed := ippacket.Parse(b)
		right := malformed == nil && p.RightChecksum()
		before := bytes.Clone(b)
		d, err := l.DeliverIP(b, 0)
		if err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the packet was changed")
		}
		if malformed != nil && err == nil && d.Verdict.Reason != ReasonMalformed {
			t.Errorf("%v, but %s", malformed, d.Verdict)
		}
		for _, sent := range d.Sent {
			q, err := ippacket.Parse(sent.Packet)
			if err != nil {
				t.Fatalf("%v: %x", err, sent.Packet)
			}
			if !sent.Matches(sent.Packet) {
				t.Errorf("it does not match itself: %x", sent.Packet)
			}
			if right && !q.IsFragment() && !q.RightChecksum() && !(mode == GUE(6080) && hasNoChecksum(q)) {
				t.Errorf("wrong checksum: %x", sent.Packet)
			}
		}
	})
}

// hasNoChecksum reports whether a packet is of UDP without a checksum.
func hasNoChecksum(p ippacket.Packet) bool {
	b := p.Payload()
	return p.Protocol == ippacket.UDP && len(b) >= 8 && b[6] == 0 && b[7] == 0
}

// serveBoth serves a port of TCP and UDP and of both families.
func serveBoth(t testing.TB, l *simLab, mode Mode) {
	t.Helper()
	for vip, server := range map[string]string{"10.1.0.1:80": "10.2.0.1:80", "[fd00:1::1]:80": "[fd00:2::1]:80"} {
		for _, id := range []ServiceID{TCP(netip.MustParseAddrPort(vip)), UDP(netip.MustParseAddrPort(vip))} {
			must(t, l.client.Do(t.Context(), AddService(Service{ID: id, Scheduler: RR}), AddRealServer(id, NewRealServer(netip.MustParseAddrPort(server), mode))))
		}
	}
}
