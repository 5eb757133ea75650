package lvs

import "time"

// digestConfig returns the digest of what is configured of a service, without its ID and
// its real servers. A digest is the same in every process.
func digestConfig(s *Service) uint64 {
	n := s.normal()
	return digest(digestSeed).
		text(string(n.Scheduler)).
		number(uint64(n.SchedulerFlags)).
		number(uint64(n.Persistence.Timeout / time.Second)).
		number(uint64(n.Persistence.Mask.kind)<<32 | uint64(n.Persistence.Mask.value)).
		text(n.Persistence.Engine).
		flag(n.OnePacket).sum()
}

func digestServer(s *RealServer) uint64 {
	addr := unmap(s.Addr)
	d := digest(digestSeed)
	if addr.Addr().Is4() {
		a := addr.Addr().As4()
		d = d.number(uint64(a[0])<<24 | uint64(a[1])<<16 | uint64(a[2])<<8 | uint64(a[3]))
	} else {
		a := addr.Addr().As16()
		d = d.text(string(a[:]))
	}
	m := s.Mode
	return d.number(uint64(addr.Port())).
		number(uint64(m.xmethod)<<40 | uint64(m.tunnel)<<32 | uint64(m.port)<<16 | uint64(m.flags)).
		number(uint64(s.Weight)).
		number(uint64(s.UpperThreshold)).
		number(uint64(s.LowerThreshold)).sum()
}

// digest is a hash of numbers and texts. Whoever chooses them can make two equal.
type digest uint64

const digestSeed = 0x9e3779b97f4a7c15

func (d digest) number(n uint64) digest {
	x := uint64(d) ^ n
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return digest(x ^ x>>31)
}

func (d digest) flag(on bool) digest {
	if on {
		return d.number(1)
	}
	return d.number(0)
}

func (d digest) text(s string) digest {
	d = d.number(uint64(len(s)))
	for ; len(s) >= 8; s = s[8:] {
		d = d.number(uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56)
	}
	var rest uint64
	for i := range len(s) {
		rest = rest<<8 | uint64(s[i])
	}
	return d.number(rest)
}

func (d digest) sum() uint64 { return uint64(d.number(digestSeed)) }
