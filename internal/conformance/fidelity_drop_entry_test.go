package conformance

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/testbed"
)

// drop_entry draws which connections it comes upon, so it is not compared one by one: of
// each kind of connections, as many must be left as its rule says, in the kernel and in the
// simulator.

// dropCase is a kind of connections.
type dropCase struct {
	name       string
	protocol   string
	method     uint32
	persistent uint32               // 1: persistent; 5: and by one-packet scheduling
	make       func(drops) []packet // what one client sends and gets
	fresh      bool                 // made right before drop_entry is set, not a minute earlier
	what       string               // of the rows of the table are counted: the state, or that of templates
	each       int                  // one of so many is dropped when it comes upon them; 0: none
}

// drops are the ends of a client's connection, and those at its server.
type drops struct{ client, vip, server netip.AddrPort }

func (d drops) tcp(flags ...uint8) (all []packet) {
	for _, f := range flags {
		all = append(all, packet{protocol: protocolTCP, tcp: f, from: d.client, to: d.vip})
	}
	return all
}

func (d drops) answer(protocol, tcp uint8) packet {
	return packet{protocol: protocol, tcp: tcp, from: d.server, to: d.client}
}

// established is a client that sends so many packets.
func established(packets int) func(drops) []packet {
	return func(d drops) []packet {
		return d.tcp(append([]uint8{flagSYN}, slices.Repeat([]uint8{flagACK}, packets-1)...)...)
	}
}

func datagramsOf(packets int) func(drops) []packet {
	return func(d drops) []packet {
		return slices.Repeat([]packet{{protocol: protocolUDP, from: d.client, to: d.vip}}, packets)
	}
}

// associated is a client that sends packets of SCTP, whose chunks these are.
func associated(chunks ...uint8) func(drops) []packet {
	return func(d drops) (all []packet) {
		for _, c := range chunks {
			all = append(all, packet{protocol: protocolSCTP, chunks: string(rune(c)), from: d.client, to: d.vip})
		}
		return all
	}
}

func halfOpen(d drops) []packet { return d.tcp(flagSYN) }

func dropCases() []dropCase {
	const persistent, onePackets = 1, 5
	all := []dropCase{
		{name: "half-open", method: direct, make: halfOpen, fresh: true, what: "SYN_RECV", each: 1},
		{name: "half-open, NAT", method: masquerade, make: halfOpen, fresh: true, what: "SYN_RECV", each: 1},
		{name: "established lately", method: direct, make: established(2), fresh: true, what: "ESTABLISHED"},
		{name: "closing", method: direct, make: func(d drops) []packet { return d.tcp(flagSYN, flagACK, flagFIN) }, what: "FIN_WAIT"},
		{name: "datagram lately", protocol: "udp", method: direct, make: datagramsOf(1), fresh: true, what: "UDP"},
		{name: "datagram", protocol: "udp", method: direct, make: datagramsOf(1), what: "UDP", each: 1},
		{name: "3 datagrams", protocol: "udp", method: direct, make: datagramsOf(3), what: "UDP", each: 3},
		{name: "9 datagrams", protocol: "udp", method: direct, make: datagramsOf(9), what: "UDP"},
		{name: "INIT twice", protocol: "sctp", method: direct, make: associated(simipvs.SCTPInit, simipvs.SCTPInit), fresh: true, what: "INIT", each: 1},
		{name: "associated lately", protocol: "sctp", method: direct, make: associated(simipvs.SCTPInit, simipvs.SCTPCookieEcho), fresh: true, what: "ESTABLISHED"},
		{name: "associated", protocol: "sctp", method: direct, make: associated(simipvs.SCTPInit, simipvs.SCTPCookieEcho), what: "ESTABLISHED", each: 2},
		{
			name: "shut down", protocol: "sctp", method: direct, fresh: true, what: "S-RECEIVED",
			make: associated(simipvs.SCTPInit, simipvs.SCTPCookieEcho, simipvs.SCTPShutdown),
		},
		{
			name: "packets of the server do not count", method: masquerade, what: "ESTABLISHED", each: 1,
			make: func(d drops) []packet {
				return append(d.tcp(flagSYN), d.answer(protocolTCP, flagSYN|flagACK), d.answer(protocolTCP, flagACK))
			},
		},
		{name: "template of half-open", method: direct, persistent: persistent, make: halfOpen, fresh: true, what: "template NONE", each: 1},
		{name: "template of established", method: direct, persistent: persistent, make: established(2), what: "template ASSURED"},
		{name: "template alone", method: direct, persistent: persistent, make: func(d drops) []packet { return d.tcp(flagSYN, 0) }, what: "template NONE", each: 1},
		{
			name: "template alone of established", method: direct, persistent: persistent, what: "template ASSURED",
			make: func(d drops) []packet { return d.tcp(flagSYN, flagACK, flagRST) },
		},
		{name: "template of a datagram", protocol: "udp", method: direct, persistent: persistent, make: datagramsOf(1), what: "template NONE", each: 1},
		{
			name: "template of a datagram that was answered", protocol: "udp", method: masquerade, persistent: persistent, what: "template ASSURED",
			make: func(d drops) []packet { return append(datagramsOf(1)(d), d.answer(protocolUDP, 0)) },
		},
		{name: "template of single packets", protocol: "udp", method: direct, persistent: onePackets, make: datagramsOf(2), what: "template NONE", each: 2},
	}
	for packets := 2; packets <= 9; packets++ {
		c := dropCase{name: fmt.Sprint("established, packets: ", packets), method: direct, make: established(packets), what: "ESTABLISHED"}
		if packets <= 8 {
			c.each = packets
		}
		all = append(all, c)
	}
	return all
}

// idleTime is how long connections are idle before drop_entry is on.
const idleTime = wait(62 * time.Second)

// dropRun is how many connections of each case there are, and how long drop_entry is on. The
// shortest timeout is twice as long.
type dropRun struct {
	conns  int
	during wait
}

// In half a minute, rates show that differ by half. In seconds, only none and the highest do.
var (
	longDrops  = dropRun{2000, wait(30 * time.Second)}
	shortDrops = dropRun{1000, wait(5 * time.Second)}
)

// playDrops returns how many connections of each case are left.
func playDrops(t *testing.T, p *player, run dropRun, cases []dropCase) (left []int) {
	t.Helper()
	for i, c := range cases {
		service := serviceOf(c.vip(i)).set(sFlags, flagBytes(c.persistent)).set(sTimeout, u32(600))
		p.expect(t, serviceCall(cNewService, service))
		p.expect(t, serviceCall(cNewDest, keyOf(c.vip(i)), destOf(c.ends(i, 0).server.String()).set(dMethod, u32(c.method))))
	}
	p.expect(t, newCall(cSetConfig, attributes{{aTimeoutFin, u32(600)}}))
	send := func(fresh bool) {
		for i, c := range cases {
			var all []packet
			for n := range run.conns {
				if c.fresh == fresh {
					all = append(all, c.make(c.ends(i, n))...)
				}
			}
			for batch := range slices.Chunk(all, 32) {
				p.Send(batch)
			}
		}
	}
	if slices.ContainsFunc(cases, func(c dropCase) bool { return !c.fresh }) {
		send(false)
		p.Wait(time.Duration(idleTime))
	}
	send(true)
	p.set(requirement{"drop_entry", 3})
	p.Wait(time.Duration(run.during))
	p.set(requirement{"drop_entry", 0})
	return p.countDrops(cases)
}

func (c dropCase) vip(i int) string {
	return fmt.Sprintf("%s 10.1.254.1:%d", cmp.Or(c.protocol, "tcp"), 2000+i)
}

// ends are those of the nth client's connection.
func (c dropCase) ends(i, n int) drops {
	port := uint16(2000 + i)
	client := netip.AddrFrom4([4]byte{10, 1, byte(16 + n/250), byte(1 + n%250)})
	return drops{
		netip.AddrPortFrom(client, uint16(10000+n)), netip.AddrPortFrom(netip.MustParseAddr("10.1.254.1"), port),
		netip.AddrPortFrom(netip.MustParseAddr("10.2.0.10"), port),
	}
}

// countDrops counts what is listed of each case. A listing may leave some out, so it is
// repeated.
func (p *player) countDrops(cases []dropCase) (most []int) {
	most = make([]int, len(cases))
	for range 8 {
		now := make([]int, len(cases))
		for row := range strings.Lines(p.file("/proc/net/ip_vs_conn")) {
			f := strings.Fields(row)
			port, err := strconv.ParseUint(f[4], 16, 16)
			i := int(port) - 2000
			if err != nil || i < 0 || i >= len(cases) {
				continue
			}
			what := f[7]
			if f[2] == "0000" {
				what = "template " + what
			}
			if what == cases[i].what {
				now[i]++
			}
		}
		for i := range now {
			most[i] = max(most[i], now[i])
		}
	}
	return most
}

// bounds returns how many connections may be left when one of so many is dropped. Each
// look comes upon a 32nd of them. The kernel's seconds are a little longer, and the first
// look is within the first one. Beyond five standard deviations is one in a million runs.
func (r dropRun) bounds(each int) (least, most int) {
	conns := float64(r.conns)
	if each == 0 {
		return r.conns, r.conns
	}
	const longest = 1.05
	seconds := time.Duration(r.during).Seconds()
	left := func(looks float64) (count, deviation float64) {
		share := math.Pow(1-1/32.0/float64(each), looks)
		return share * conns, math.Sqrt(conns * share * (1 - share))
	}
	few, spread := left(math.Ceil(seconds))
	least = int(few - 5*spread)
	many, spread := left(math.Floor(seconds/longest) - 1)
	return least, int(math.Ceil(many + 5*spread))
}

// drop_entry ends as many connections of each kind as its rules say.
func TestFidelityDropEntry(t *testing.T) {
	d := openFidelity(t)(t)
	cases, run := dropCases(), longDrops
	if testbed.Inside() && !long() { // connections that are idle take a minute, and are many
		cases = slices.DeleteFunc(cases, func(c dropCase) bool { return !c.fresh })
		run = shortDrops
	}
	for name, side := range map[string]side{"kernel": d.real.side, "simulator": d.sim.side} {
		left := playDrops(t, newPlayer(t, side), run, cases)
		for i, c := range cases {
			if least, most := run.bounds(c.each); left[i] < least || left[i] > most {
				t.Errorf("%s: of %d connections that were %s, %d are left, want %d to %d", name, run.conns, c.name, left[i], least, most)
			}
		}
		t.Log(name, left)
	}
}

// The comparison can fail: the bounds of rates do not meet.
func TestFidelityDropEntryFinds(t *testing.T) {
	apart := func(r dropRun, rate, lower int) {
		t.Helper()
		least, _ := r.bounds(lower)
		if _, most := r.bounds(rate); most >= least {
			t.Errorf("of %d, when one of %d is dropped, up to %d are left; when one of %d is, %d or more", r.conns, rate, most, lower, least)
		}
	}
	for each := 1; each <= 4; each++ {
		apart(longDrops, each, each*2)
	}
	apart(longDrops, 8, 0)
	apart(shortDrops, 1, 0)
}
