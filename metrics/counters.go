package metrics

import (
	"time"

	"github.com/golvs/lvs"
)

// memory is how long the counters of what is gone are remembered.
const memory = 15 * time.Minute

// counted is what the kernel counted of one thing, in numbers that never decrease.
type counted struct {
	last lvs.Stats // as the kernel had it last
	sum  lvs.Stats // since the collector saw it first, with what was there then
}

// note adds what the kernel counted since the last reading, and returns it. If one of the
// counters is smaller, all of them began at 0 again.
func (c *counted) note(is lvs.Stats) (more lvs.Stats) {
	more = is
	if was := c.last; is.Conns >= was.Conns && is.InPackets >= was.InPackets && is.OutPackets >= was.OutPackets &&
		is.InBytes >= was.InBytes && is.OutBytes >= was.OutBytes {
		more.Conns -= was.Conns
		more.InPackets -= was.InPackets
		more.OutPackets -= was.OutPackets
		more.InBytes -= was.InBytes
		more.OutBytes -= was.OutBytes
	}
	c.last = is
	c.sum = added(c.sum, more)
	return more
}

// added returns the sum of counters, without rates.
func added(a, b lvs.Stats) lvs.Stats {
	return lvs.Stats{
		Conns:     a.Conns + b.Conns,
		InPackets: a.InPackets + b.InPackets, OutPackets: a.OutPackets + b.OutPackets,
		InBytes: a.InBytes + b.InBytes, OutBytes: a.OutBytes + b.OutBytes,
	}
}

// counters are the families of one kind of counters.
type counters struct {
	conns, inPackets, inBytes, outPackets, outBytes *family
}

// countersOf returns the counters with a prefix, such as "lvs_service_".
func countersOf(prefix, of string, labels ...string) counters {
	return counters{
		counter(prefix+"connections_total", "Connections that were scheduled"+of+".", labels...),
		counter(prefix+"incoming_packets_total", "Packets from clients"+of+".", labels...),
		counter(prefix+"incoming_bytes_total", "Bytes of IP packets from clients"+of+".", labels...),
		counter(prefix+"outgoing_packets_total", "Packets to clients"+of+", as far as they pass through the director.", labels...),
		counter(prefix+"outgoing_bytes_total", "Bytes of IP packets to clients"+of+", as far as they pass through the director.", labels...),
	}
}

func (c counters) families() []*family {
	return []*family{c.conns, c.inPackets, c.inBytes, c.outPackets, c.outBytes}
}
