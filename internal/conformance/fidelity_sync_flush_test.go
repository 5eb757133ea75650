package conformance

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A master daemon keeps what it has to send for two to three seconds, unless the next entry
// has no room, or is of another version: then it goes at once. So a change of sync_version
// and entries of connections that are there for this alone make it send the rest.

// flushVIP is the virtual address of those connections.
var flushVIP = netip.MustParseAddrPort("10.1.250.1:9")

// flushed is how long the kernel keeps an entry at most, with the time of its timers.
const flushed = 3300 * time.Millisecond

// flushLater is how long the kernel waits before it sends what is full.
const flushLater = 24 * time.Millisecond

// flush makes the master daemons of some players send all that they have, and returns it, a
// list for each player.
func (d *duel) flush(players ...*player) [][]message {
	all := make([][]message, len(players))
	running := slices.DeleteFunc(slices.Clone(players), func(p *player) bool { return !p.hasMaster() })
	undo := d.beginFlush(running)
	defer undo()
	for start, first, done := d.sim.Elapsed(), d.flushes+1, len(running) == 0; !done && d.sim.Elapsed()-start <= flushed; {
		d.push(running)
		done = true
		for i, p := range players {
			all[i] = append(all[i], p.side.(syncer).TakeSent()...)
			done = done && (!slices.Contains(running, p) || len(flushPorts(all[i], first)) == p.number("sync_ports"))
		}
	}
	return all
}

// push makes daemons send what they have, and waits until they did.
func (d *duel) push(players []*player) {
	const datagrams = 8
	d.flushes++
	for _, p := range players {
		p.set(requirement{"sync_version", 1 - p.number("sync_version")})
		var packets []packet
		for i := range datagrams {
			from := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, 251, byte(i)}), d.flushes)
			packets = append(packets, packet{protocol: protocolUDP, from: from, to: flushVIP})
		}
		p.Send(packets)
	}
	players[0].Wait(flushLater)
	if d.real != nil {
		d.meet()
	}
}

// beginFlush adds a service each of whose packets makes an entry, and returns what undoes
// that.
func (d *duel) beginFlush(players []*player) (undo func()) {
	key := keyOf("udp " + flushVIP.String())
	var undoes []func()
	for _, p := range players {
		version, refresh, threshold := p.number("sync_version"), p.number("sync_refresh_period"), p.numbers("sync_threshold")
		p.call([]control{
			serviceCall(cNewService, serviceOf("udp "+flushVIP.String())),
			serviceCall(cNewDest, key, destOf("10.2.0.250:9")),
		})
		p.set(requirement{"sync_refresh_period", 0})
		p.setThresholds(thresholds{0, 1})
		undoes = append(undoes, func() {
			p.set(requirement{"sync_version", version})
			p.set(requirement{"sync_refresh_period", refresh})
			p.setThresholds(thresholds{threshold[0], threshold[1]})
			p.call([]control{serviceCall(cDelService, key)})
		})
	}
	return func() {
		for _, undo := range undoes {
			undo()
		}
	}
}

func (p *player) hasMaster() bool {
	return strings.Contains(p.call([]control{{command: cGetDaemon, flags: nlDump}})[0], fmt.Sprintf("State=%x ", u32(1)))
}

// number reads a file of /proc/sys/net/ipv4/vs.
func (p *player) number(name string) int { return p.numbers(name)[0] }

func (p *player) numbers(name string) (all []int) {
	p.t.Helper()
	for _, f := range strings.Fields(p.file("/proc/sys/net/ipv4/vs/" + name)) {
		n, err := strconv.Atoi(f)
		must(p.t, err)
		all = append(all, n)
	}
	return all
}

// flushPorts returns the ports from which entries of a flush have come, when it was the
// given one or one after it. What was there before it has been sent there.
func flushPorts(all []message, first uint16) map[uint16]bool {
	ports := make(map[uint16]bool)
	for _, m := range all {
		for _, entry := range splitMessage(m.payload) {
			if number, flushes := flushOf(entry); flushes && number >= first {
				ports[m.port] = true
			}
		}
	}
	return ports
}

// flushOf returns which flush an entry is of, if it is of any: the client's port says so.
func flushOf(entry string) (number uint16, flushes bool) {
	client, _, flushes := strings.Cut(entry, " > "+flushVIP.String()+" > ")
	n, _ := strconv.ParseUint(client[strings.LastIndexByte(client, ':')+1:], 10, 16)
	return uint16(n), flushes
}
