package conformance

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/golvs/lvs/internal/simipvs"
)

// syncer is a side whose sync daemons can be listened to, and spoken to.
type syncer interface {
	// TakeSent returns what the master daemon has sent since the last call.
	TakeSent() []message

	// Hear delivers messages to the backup daemon, in order.
	Hear(...message)
}

// message is the payload of a datagram between sync daemons, to a port.
type message struct {
	port    uint16
	payload []byte
}

func (m message) String() string { return fmt.Sprintf("message %d x%x", m.port, m.payload) }

func parseMessage(f []string) (m message, err error) {
	port, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil {
		return m, err
	}
	m.port = uint16(port)
	m.payload, err = hex.DecodeString(strings.TrimPrefix(f[1], "x"))
	return m, err
}

// thresholds are a write to sync_threshold.
type thresholds struct{ threshold, period int }

func (s thresholds) String() string {
	return fmt.Sprintf("sysctl sync_threshold %d %d", s.threshold, s.period)
}

func parseThresholds(f []string) (s thresholds, err error) {
	if s.threshold, err = strconv.Atoi(f[0]); err == nil {
		s.period, err = strconv.Atoi(f[1])
	}
	return s, err
}

func (p *player) setThresholds(s thresholds) []string {
	err := p.WriteFile("/proc/sys/net/ipv4/vs/sync_threshold", fmt.Append(nil, s.threshold, s.period))
	return []string{fmt.Sprint(err != nil)}
}

// sent compares what the master daemons have sent, and makes them send what they still have.
// Messages that are not full may go because of their age, so it compares entries.
type sent struct{}

func (sent) String() string { return "sent" }

func (s *simulatorSide) TakeSent() (all []message) {
	for _, m := range s.kernel.TakeSync() {
		all = append(all, message{m.Port, m.Payload})
	}
	return all
}

func (s *simulatorSide) Hear(all ...message) {
	for _, m := range all {
		if err := s.kernel.DeliverSync(m.port, m.payload); errors.Is(err, simipvs.ErrUnsupported) {
			panic(fmt.Sprintf("%s: %v", m, err))
		}
	}
}

func (d *duel) hear(all ...message) {
	d.real.side.(syncer).Hear(all...)
	d.sim.side.(syncer).Hear(all...)
}

// comparedEntries counts the entries of messages that were compared, and sameEntries those
// in messages that are the same bytes. Where a message ends depends on when the kernel's
// threads looked, and its port on addresses in the kernel's memory.
var comparedEntries, sameEntries atomic.Int64

// compareSent compares the entries that both sides have sent, port by port, and returns
// the messages.
func (d *duel) compareSent() (difference string, realSent, simSent []message) {
	all := d.flush(d.real, d.sim)
	realSent, simSent = all[0], all[1]
	entries := entriesOf(realSent, simSent)
	real, sim := entries[0], entries[1]
	comparedEntries.Add(int64(len(real)))
	if bytes.Equal(payloadsOf(realSent), payloadsOf(simSent)) {
		sameEntries.Add(int64(len(real)))
	}
	for i := range max(len(real), len(sim)) {
		a, b := "nothing", "nothing"
		if i < len(real) {
			a = real[i]
		}
		if i < len(sim) {
			b = sim[i]
		}
		if a != b {
			return fmt.Sprintf("sent, entry %d of %d\n\tgot  %s\n\twant %s\n", i, len(real), b, a), realSent, simSent
		}
	}
	return "", realSent, simSent
}

// payloadsOf returns the messages without those of a flush, one after another.
func payloadsOf(all []message) (b []byte) {
	for _, m := range all {
		if len(flushPorts([]message{m}, 0)) == 0 {
			b = append(binary.BigEndian.AppendUint16(b, m.port), m.payload...)
		}
	}
	return b
}

// entriesOf returns the entries of messages of each side, in order, but for those of a
// flush. With several ports it is the order of each connection's entries that counts, for
// the kernel chooses the port by a connection's address in memory. Those of two
// connections with the same ends have no order if they came by two ports.
func entriesOf(sides ...[]message) (all [][]string) {
	ports, ofEnds := make(map[uint16]bool), make(map[string]map[int]bool)
	for side, messages := range sides {
		var entries []string
		for _, m := range messages {
			ports[m.port] = true
			for _, entry := range splitMessage(m.payload) {
				if _, flushes := flushOf(entry); flushes {
					continue
				}
				ends := endsOfEntry(entry)
				if ofEnds[ends] == nil {
					ofEnds[ends] = make(map[int]bool)
				}
				ofEnds[ends][side<<16+int(m.port)] = true
				entries = append(entries, entry)
			}
		}
		all = append(all, entries)
	}
	if len(ports) == 1 {
		return all
	}
	for _, entries := range all {
		slices.SortStableFunc(entries, func(a, b string) int {
			ends := endsOfEntry(a)
			order := strings.Compare(ends, endsOfEntry(b))
			if order == 0 && len(ofEnds[ends]) > len(sides) {
				return strings.Compare(a, b)
			}
			return order
		})
	}
	return all
}

// endsOfEntry returns the parts of an entry that say of which connection it is: of templates
// with the same ends, each has the key of a persistence engine.
func endsOfEntry(entry string) string {
	ends, _, _ := strings.Cut(entry, " state ")
	_, options, _ := strings.Cut(entry, " options ")
	return ends + options
}

// splitMessage returns the entries of a message as text, each with what the header says
// to all of them. What contradicts the format is an entry of its own.
func splitMessage(b []byte) (all []string) {
	if len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) != len(b) {
		return []string{fmt.Sprintf("malformed %x", b)}
	}
	if b[0] != 0 {
		return splitMessageV0(b)
	}
	count, id := int(b[4]), b[1]
	if !bytes.Equal(b[5:8], []byte{1, 0, 0}) {
		return []string{fmt.Sprintf("a header of %x", b[:8])}
	}
	for at := 8; at < len(b); count-- {
		size := int(binary.BigEndian.Uint16(b[at+2:]))
		if size < 36 || at+size > len(b) {
			return append(all, fmt.Sprintf("malformed %x", b[at:]))
		}
		all = append(all, entryText(id, b[at:at+size]))
		at += (size + 3) &^ 3
	}
	if byte(count) != 0 {
		all = append(all, fmt.Sprintf("%d entries too few", count))
	}
	return all
}

func entryText(id byte, e []byte) string {
	n := 4
	if e[0] == 1 {
		n = 16
	}
	end := func(i, port int) string {
		a, _ := netip.AddrFromSlice(e[24+i*n : 24+i*n+n])
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(e[port:])).String()
	}
	return fmt.Sprintf("type %d protocol %d %s > %s > %s flags %#x mark %d state %d timeout %d id %d options %x", e[0], e[1],
		end(0, 10), end(1, 12), end(2, 14), binary.BigEndian.Uint32(e[4:]), binary.BigEndian.Uint32(e[16:]),
		binary.BigEndian.Uint16(e[8:]), binary.BigEndian.Uint32(e[20:]), id, e[24+3*n:])
}

func splitMessageV0(b []byte) (all []string) {
	for e := b[4:]; len(e) >= 24; e = e[24:] {
		end := func(i, port int) string {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte(e[8+4*i:])), binary.BigEndian.Uint16(e[port:])).String()
		}
		all = append(all, fmt.Sprintf("version 0 protocol %d %s > %s > %s flags %#x state %d id %d", e[1], end(0, 2), end(1, 4), end(2, 6),
			binary.BigEndian.Uint16(e[20:]), binary.BigEndian.Uint16(e[22:]), b[1]))
	}
	if len(all) != int(b[0]) {
		all = append(all, fmt.Sprintf("%d entries instead of %d", len(all), b[0]))
	}
	return all
}
