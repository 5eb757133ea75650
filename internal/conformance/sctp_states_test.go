package conformance

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// Associations are brought into each state that they can get into, and there each chunk
// is sent from each side.
func TestSCTPStates(t *testing.T) {
	for _, mode := range []uint32{masquerade, direct} {
		t.Run(fmt.Sprint("mode ", mode), func(t *testing.T) {
			w := &chunkWalk{T: t, duel: openFidelity(t)(t), mode: mode, port: 1023, ways: make(map[chunkPlace][]chunkStep)}
			w.begin()
			for w.queue = []chunkPlace{{"NONE", false}}; len(w.queue) > 0; w.queue = w.queue[1:] {
				w.explore(w.queue[0])
			}
			states := make(map[string]bool)
			for place := range w.ways {
				states[place.state] = true
			}
			const all = 14 // with that before the first packet
			if states["NONE"] = true; len(states) != all {
				t.Errorf("%d states were reached, want %d: %v", len(states), all, w.ways)
			}
		})
	}
}

// chunkPlace is what decides where a chunk leads.
type chunkPlace struct {
	state string
	seen  bool // a packet of the server's
}

// chunkStep is a packet, from the client or from the server.
type chunkStep struct {
	server bool
	chunks string
}

// chunkWalk finds the way to all states.
type chunkWalk struct {
	*testing.T
	*duel
	mode  uint32
	port  uint16 // of the last client
	queue []chunkPlace
	ways  map[chunkPlace][]chunkStep
}

const (
	walkService = "sctp 10.1.254.1:80"
	walkServer  = "10.2.0.10:80"
)

func (w *chunkWalk) begin() {
	w.both(serviceCall(cNewService, serviceOf(walkService).set(sScheduler, text("rr"))))
	w.both(serviceCall(cNewDest, keyOf(walkService), destOf(walkServer).set(dMethod, u32(w.mode))))
	w.both(requirement{"sloppy_sctp", 1})
	w.both(requirement{"conn_reuse_mode", 0}) // or else CLOSED is left without its row
}

func (w *chunkWalk) both(s step) {
	w.Helper()
	if difference := w.step([]step{s}); difference != "" {
		w.Fatal(difference)
	}
}

// chunkKinds are all that are known, some that are not, bundles, and no chunk.
func chunkKinds() (all []string) {
	for kind := range 16 {
		all = append(all, string([]byte{byte(kind)}))
	}
	for _, first := range []string{chunkData, chunkInit, chunkInitAck, chunkCookieEcho, chunkCookieAck} {
		all = append(all, first+chunkAbort, first+chunkData, first+chunkData+chunkAbort)
	}
	return append(all, "\x40", "\xc0", "\xc1", "\xff", "")
}

// explore sends each chunk from a place.
func (w *chunkWalk) explore(from chunkPlace) {
	w.Helper()
	for _, server := range []bool{false, true} {
		var ways [][]chunkStep
		if server && from.state == "NONE" {
			continue // no association exists yet
		}
		for _, chunks := range chunkKinds() {
			ways = append(ways, append(slices.Clone(w.ways[from]), chunkStep{server, chunks}))
		}
		for i, state := range w.walk(ways) {
			to := chunkPlace{state, from.seen || server && ways[i][len(ways[i])-1].chunks != ""}
			if _, known := w.ways[to]; !known && state != "" {
				w.ways[to] = ways[i]
				w.queue = append(w.queue, to)
			}
		}
	}
}

// walk goes ways with a client each, and returns the states in which they end.
func (w *chunkWalk) walk(ways [][]chunkStep) (states []string) {
	w.Helper()
	var packets []packet
	first := w.port + 1
	for _, way := range ways {
		w.port++
		client := netip.AddrPortFrom(netip.MustParseAddr("10.1.9.1"), w.port)
		for _, s := range way {
			packets = append(packets, w.packet(client, s))
		}
	}
	w.meet()
	for part := range slices.Chunk(packets, 32) {
		if real, sim := w.real.Send(part), w.sim.Send(part); !slices.Equal(real, sim) {
			w.Errorf("of %v came %v, want %v", part, sim, real)
		}
	}
	if difference := w.look(false); difference != "" {
		w.Errorf("after %v they differ:\n%s", ways, difference)
	}
	rows := w.real.file("/proc/net/ip_vs_conn")
	for port := first; port <= w.port; port++ {
		states = append(states, stateOfPort(rows, port))
	}
	return states
}

func stateOfPort(rows string, port uint16) string {
	for row := range strings.Lines(rows) {
		if f := strings.Fields(row); len(f) > 7 && f[2] == fmt.Sprintf("%04X", port) {
			return f[7]
		}
	}
	return ""
}

func (w *chunkWalk) packet(client netip.AddrPort, s chunkStep) packet {
	vip := at(strings.TrimPrefix(walkService, "sctp "))
	switch {
	case !s.server:
		return packet{protocol: protocolSCTP, chunks: s.chunks, from: client, to: vip}
	case w.mode == masquerade:
		vip = at(walkServer)
	}
	return packet{protocol: protocolSCTP, chunks: s.chunks, from: vip, to: client}
}
