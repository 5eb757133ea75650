package simipvs

import (
	"math"

	"github.com/golvs/lvs/internal/simipvs/sched"
)

// timeouts are those of connections that SET_CONFIG sets.
type timeouts struct{ tcp, fin, udp span }

var usualTimeouts = timeouts{tcp: 900 * second, fin: 120 * second, udp: 300 * second}

// setConfig sets the timeouts that the request has and that are not zero.
func (k *Kernel) setConfig(r *request) errno {
	t := k.timeouts
	for number, timeout := range t.byNumber() {
		if number < topTimeoutTCP || !r.top.has(number) {
			continue
		}
		seconds := r.top.u32(number)
		if seconds > math.MaxInt32/sched.HZ {
			return einval
		}
		if seconds > 0 {
			*timeout = span(seconds) * second
		}
	}
	k.timeouts = t
	return 0
}

func (t *timeouts) byNumber() [topMax + 1]*span {
	return [...]*span{topTimeoutTCP: &t.tcp, topTimeoutFin: &t.fin, topTimeoutUDP: &t.udp}
}

func (k *Kernel) getConfig(r *request) errno {
	b := beginGeneric(nil, cmdSetConfig)
	b = appendU32(b, topTimeoutTCP, uint32(k.timeouts.tcp/second))
	b = appendU32(b, topTimeoutFin, uint32(k.timeouts.fin/second))
	r.reply = appendU32(b, topTimeoutUDP, uint32(k.timeouts.udp/second))
	return 0
}

// What GET_INFO tells. The numbers are used for other things elsewhere.
const (
	infoVersion       = 1
	infoConnTableSize = 2

	ipvsVersion = 1<<16 | 2<<8 | 1
)

func (k *Kernel) getInfo(r *request) errno {
	b := appendU32(beginGeneric(nil, cmdSetInfo), infoVersion, ipvsVersion)
	r.reply = appendU32(b, infoConnTableSize, k.connTableSize())
	return 0
}

// fixedConnTable is the size of the kernel's connection table, and the most that
// a table has which grows.
const fixedConnTable = 1 << 12

// connTableSize is what GET_INFO tells: of a table that grows with the most
// connections that there were, once there was a service.
func (k *Kernel) connTableSize() uint32 {
	if !k.opts.Release.OwnTables() {
		return fixedConnTable
	}
	if !k.services.begun {
		return 0
	}
	const fewest, perConn = 1 << 8, 4 // what conn_lfactor's -2 means
	size := uint32(fewest)
	for size < fixedConnTable && perConn*uint32(k.conns.highest) > size {
		size *= 2
	}
	return size
}
