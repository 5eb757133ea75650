package conformance

import (
	"slices"

	"github.com/golvs/lvs"
)

// fragment lets a client, or a server by NAT, send a packet in fragments. They may come in
// any order, and one may be missing or come twice. None for the director has DF: whether
// those that leave then have it depends on Linux's memory.
func (f *framer) fragment() {
	x := f.flow()
	if x == nil {
		return
	}
	wire, p := x.wire, f.again(x, x.protocol(), flagACK)
	if wire == fromClient && f.IntN(3) == 0 {
		if x.verdict.Action != lvs.ActionForwarded || x.verdict.Mode != lvs.NAT() || f.isDirector(x.verdict.Server.Addr()) {
			return
		}
		wire, p = fromServer, f.packet(x.protocol(), flagACK, x.verdict.Target(), x.packet.from)
	}
	f.fragments++
	p.id, p.df = f.fragments, wire == fromClient && p.df && !isOwn(p.to.Addr())
	p.data = one(f.Rand, 24+f.IntN(80), 24+f.IntN(80), 1000+f.IntN(2000))
	for _, c := range f.cuts(p) {
		part := *p
		part.cut = c
		f.mark(&part, p.mark)
		f.do(frame{wire, &part})
	}
}

// cuts returns the parts of a packet. All but the last are of one size: what Linux joins of
// growing ones depends on its memory. Of IPv6 the first has all headers.
func (f *framer) cuts(p *ipPacket) (all []part) {
	whole := len(p.load.encode(p, p.rest()))
	const most = 1400 - ipv6 - 8
	size := min(max(8, whole/(2+f.IntN(3)))&^7, most&^7)
	if p.six() {
		const headers = 24
		size = max(size, headers)
	}
	for at := 0; at < whole; at += size {
		all = append(all, part{offset: at, length: min(size, whole-at), more: at+size < whole})
	}
	switch f.IntN(10) {
	case 0:
		f.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	case 1:
		slices.Reverse(all)
	case 2:
		all = slices.Delete(all, 0, 1+f.IntN(len(all)))
	case 3:
		all = append(all, one(f.Rand, all...))
	}
	return all
}
