package conformance

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// frame is a step: an IP packet that comes to the director by a wire, or that a program of
// the director sends. Its text is that of the packet behind "from-client", "from-server" or
// "from-director".
type frame struct {
	wire   string // fromClient, fromServer or fromDirector
	packet *ipPacket
}

// Where packets come from: by the wires of a director, or from itself.
const (
	fromClient   = "from-client"
	fromServer   = "from-server"
	fromDirector = "from-director"
)

func (f frame) String() string { return f.wire + " " + f.packet.String() }

func parseFrame(line string) (f frame, err error) {
	w, err := tokensOf(line)
	if err != nil {
		return f, err
	}
	f.wire = w.next()
	if f.packet, err = parseIPPacket(w); err == nil && len(w.left) > 0 {
		err = fmt.Errorf("%q is behind the end of a packet", w.left[0])
	}
	return f, err
}

// isFrame reports whether a line is a frame.
func isFrame(line string) bool {
	from, _, _ := strings.Cut(line, " ")
	return from == fromClient || from == fromServer || from == fromDirector
}

// wired is a side to which frames come, and which says what left because of each.
type wired interface {
	Inject(frames []frame) [][]exit
}

// exit is a packet that left the director, or that reached its own stack.
type exit struct {
	by      string     // toClients, toServers or toStack
	hop     netip.Addr // whose MAC address the frame had
	packet  []byte
	matches func(seen []byte) bool // but for what is drawn at random; nil: byte for byte
	err     error                  // of a simulator, instead of all that
}

// Where packets go.
const (
	toClients = "to clients"
	toServers = "to servers"
	toStack   = "to the director"
)

// wireNames are the director's interfaces.
var wireNames = map[string]string{toClients: "clients", toServers: "servers"}

func (x exit) String() string {
	if x.err != nil {
		return "error: " + x.err.Error()
	}
	s := x.by
	if x.by != toStack {
		hop := "an unknown neighbour"
		if x.hop.IsValid() {
			hop = x.hop.String()
		}
		s += ", to " + hop
	}
	p, ok := readIPPacket(x.packet)
	if !ok {
		return s + ": " + hex.EncodeToString(x.packet)
	}
	if mayBeDrawn(x.packet) { // from the seed
		p.id, p.flow = 0, 0
		if _, gue := p.load.(gueLoad); gue {
			p.from = netip.AddrPortFrom(p.from.Addr(), 0)
		}
	}
	return s + ": " + p.String()
}

// exitsText is a line for each.
func exitsText(all []exit) (s string) {
	for _, x := range all {
		s += "> " + x.String() + "\n"
	}
	return s
}

// unlikeExits returns how what left because of frames differs.
func unlikeExits(frames []step, real, sim [][]exit) string {
	for i := range frames {
		if why := exitsDiffer(real[i], sim[i]); why != "" {
			return fmt.Sprintf("%s\n%s\ngot\n%swant\n%s", frames[i], why, exitsBytes(sim[i]), exitsBytes(real[i]))
		}
	}
	return ""
}

// exitsDiffer compares in the order in which packets left by each wire.
func exitsDiffer(real, sim []exit) string {
	for _, all := range [][]exit{real, sim} {
		slices.SortStableFunc(all, func(a, b exit) int { return cmp.Compare(a.by, b.by) })
	}
	if len(real) != len(sim) {
		return fmt.Sprintf("%d packets, want %d", len(sim), len(real))
	}
	for i, want := range real {
		if why := sim[i].differs(want); why != "" {
			return why
		}
	}
	return ""
}

// differs returns how what the simulator says differs from what was seen.
func (x exit) differs(seen exit) string {
	switch {
	case x.err != nil:
		return x.err.Error()
	case x.by != seen.by || x.hop != seen.hop:
		return "another way"
	case bytes.Equal(x.packet, seen.packet), x.by == toStack && sameButSum(x.packet, seen.packet):
		return ""
	case x.matches == nil || !mayBeDrawn(x.packet) || !x.matches(seen.packet):
		return "other bytes"
	}
	return ""
}

// mayBeDrawn reports whether parts of a packet can be random: the director made it itself,
// and did not just pass it on.
func mayBeDrawn(b []byte) bool {
	p, ok := readIPPacket(b)
	if !ok {
		return false
	}
	switch kindOfLoad(p.load).word {
	case "gue", "ip4", "ip6", "gre":
		return true
	case "icmp":
		return p.inner != nil
	}
	return p.cut.length > 0 || !p.from.Addr().Is4() && b[6] == fragmentProtocol
}

func exitsBytes(all []exit) (s string) {
	for _, x := range all {
		s += fmt.Sprintf("\t%s\n\t\t%x\n", x, x.packet)
	}
	return s
}
