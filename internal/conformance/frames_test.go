package conformance

import (
	"bytes"
	"cmp"
	"testing"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/testbed"
)

// A director with two wires must do with frames what the simulator does: every packet that
// leaves, with its next hop and its bytes, every packet that reaches the director's own
// stack, and everything else that can be seen is compared.
//
// To let histories have another kind of packet, add it to loads; to let random ones have
// it, add an action to framer.

// openWiredDuel opens the kernel that the tests run in, or else a simulator, and a
// simulator.
func openWiredDuel(t testing.TB) *duel {
	t.Helper()
	open := func(t testing.TB) side {
		return openWiredSimulator(t, release.Release{Major: 6, Minor: 12, Patch: 117})
	}
	if testbed.Inside() {
		open = openWiredKernel
	}
	real := open(t)
	return &duel{real: newPlayer(t, real), sim: newPlayer(t, openWiredSimulator(t, real.Release()))}
}

// What frames do to a director and to the simulator is the same. One history is played
// at a time: Linux 6.1 may take seconds to end connections without a server while it
// takes another namespace down.
func TestFidelityFrames(t *testing.T) {
	const few, players = 250, 1
	fidelity{"frames", makeFrames, cmp.Or(*fidelityFrames, few), players}.run(t, openWiredDuel)
}

// The comparison can fail: a side that changes a byte of a packet, sends it to another
// neighbour, keeps it or sends it twice is found out, in a few steps.
func TestFidelityFramesFinds(t *testing.T) {
	r := release.Release{Major: 6, Minor: 12, Patch: 117}
	for name, spoil := range map[string]func([]exit) []exit{
		"a byte":    func(all []exit) []exit { all[0].packet[len(all[0].packet)-1] ^= 1; return all },
		"a TTL":     func(all []exit) []exit { all[0].packet[10-all[0].packet[0]>>5]++; return all },
		"a hop":     func(all []exit) []exit { all[0].hop = all[0].hop.Next(); return all },
		"one less":  func(all []exit) []exit { return all[1:] },
		"one twice": func(all []exit) []exit { return append(all, all[0]) },
	} {
		t.Run(name, func(t *testing.T) {
			open := func(t testing.TB) *duel {
				real := newPlayer(t, openWiredSimulator(t, r))
				real.side = spoiltSide{real.side.(*simulatorSide), spoil}
				return &duel{real: real, sim: newPlayer(t, openWiredSimulator(t, r))}
			}
			h, _ := makeFrames(t, r, 1)
			short, difference := shrink(t, open, h)
			const few = 4
			if difference == "" || len(short) > few {
				t.Errorf("after %d steps: %q", len(short), difference)
			}
		})
	}
}

// spoiltSide does something to what leaves towards the servers.
type spoiltSide struct {
	*simulatorSide
	spoil func([]exit) []exit
}

func (s spoiltSide) Inject(frames []frame) [][]exit {
	all := s.simulatorSide.Inject(frames)
	for i := range all {
		if len(all[i]) > 0 && all[i][0].by == toServers {
			all[i] = s.spoil(all[i])
		}
	}
	return all
}

// The text of a packet is without loss, and what is read from its bytes has that text.
func TestFrameText(t *testing.T) {
	for _, text := range []string{
		"tcp SA 10.9.0.1:1001 10.1.254.1:80",
		"tcp - seq 7 ack 9 window 100 [fd00:9::1]:1001 [fd00:1::fe:1]:80 ttl 1 tos 8 flow 77 data 12",
		"tcp F 10.9.0.1:1001 10.1.254.1:80 id 5 df data 3",
		"udp 10.9.0.1:1001 10.1.254.1:80 data 4",
		"udp unsummed 10.9.0.1:1001 10.1.254.1:80",
		"icmp 3/4 value 1400 10.2.0.10 10.1.254.1 { tcp S 10.9.0.1:1001 10.2.0.10:80 ttl 63 }",
		"icmp 8/0 value 65537 10.9.0.1 10.1.254.1 data 56",
		"icmp 1/4 fd00:2::10 fd00:9::1 { udp [fd00:9::1]:1001 [fd00:2::10]:53 ttl 63 data 2 }",
		"ip4 10.2.0.1 10.2.0.10 { ip6 10.2.0.1 10.2.0.10 { tcp S [fd00:9::1]:1001 [fd00:1::fe:1]:80 } }",
		"gue unsummed 10.2.0.1:40000 10.2.0.10:6080 { tcp S 10.9.0.1:1001 10.1.254.1:80 }",
		"gre summed 10.2.0.1 10.2.0.10 { tcp S [fd00:9::1]:1001 [fd00:1::fe:1]:80 }",
		"sctp INIT 10.9.0.1:1001 10.1.254.1:2905 id 5 data 16",
		"sctp COOKIE-ECHO+DATA+192 [fd00:9::1]:1001 [fd00:1::fe:1]:2905 data 3",
		"sctp - 10.9.0.1:1001 10.1.254.1:2905",
		"protocol 50 10.9.0.1 10.1.254.1 data 16",
	} {
		f, err := parseFrame("from-client " + text)
		if must(t, err); f.String() != "from-client "+text {
			t.Errorf("%s\nis read as\n%s", text, f)
		}
		if seen, ok := readIPPacket(f.packet.encode()); !ok || seen.String() != text {
			t.Errorf("the bytes of\n%s\nare read as\n%s", text, seen)
		}
	}
	for _, text := range []string{
		`udp 10.9.0.1:1001 10.1.254.1:80 cut 8 16 more payload "a \"b\" }"`,
		"tcp S 10.9.0.1:1001 10.1.254.1:80 bad load",
		"tcp S 10.9.0.1:1001 10.1.254.1:80 bad header",
	} {
		f, err := parseFrame("from-server " + text)
		if must(t, err); f.String() != "from-server "+text {
			t.Errorf("%s\nis read as\n%s", text, f)
		}
	}
	for _, text := range []string{"tcp S 10.9.0.1 10.1.254.1:80", "tcp X 10.9.0.1:1 10.1.254.1:80", "ip4 10.2.0.1 10.2.0.10 { tcp S 10.9.0.1:1001 10.1.254.1:80", "udp 10.9.0.1:1 10.1.254.1:80 ttl 256", "udp 10.9.0.1:1 10.1.254.1:80 x", "sip 10.9.0.1 10.1.254.1"} {
		if f, err := parseFrame("from-client " + text); err == nil {
			t.Errorf("%s is read as %s", text, f)
		}
	}
}

// The parts of a fragmented packet are those of the whole.
func TestFrameCut(t *testing.T) {
	for _, text := range []string{"udp 10.9.0.1:1001 10.1.254.1:80 data 40", "udp [fd00:9::1]:1001 [fd00:1::fe:1]:80 data 40"} {
		f, err := parseFrame("from-client " + text)
		must(t, err)
		whole := f.packet.encode()
		header := len(whole) - 48
		f.packet.cut = part{offset: 16, length: 16, more: true}
		b := f.packet.encode()
		if !bytes.Equal(b[len(b)-16:], whole[header+16:header+32]) {
			t.Errorf("%x is not a part of %x", b, whole)
		}
		if seen, _ := readIPPacket(b); seen.cut != f.packet.cut {
			t.Errorf("%x is read as %s", b, seen)
		}
	}
}
