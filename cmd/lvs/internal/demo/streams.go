package demo

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// stream is the clients of a service.
type stream struct {
	to       lvs.Flow // without the client
	rate     float64  // clients a second, on average
	swing    float64  // by which share of it the rate rises and falls
	period   time.Duration
	lifetime time.Duration // of a connection, on average; 0: a single datagram
	long     float64       // the share of connections that last 50 times as long
	request  int           // bytes of a packet of the client
	reply    int           // bytes that come back for it
	pause    time.Duration // between two packets of the client
}

// streams are those of all services that clients reach, and of one that they do not.
var streams = []stream{
	{to: to(web), rate: 9, swing: 0.5, period: 40 * time.Second, lifetime: 3 * time.Second, long: 0.06, request: 420, pause: 2 * time.Second},
	{to: to(secure), rate: 5, swing: 0.4, period: 70 * time.Second, lifetime: 9 * time.Second, request: 600, pause: 3 * time.Second},
	{to: to(database), rate: 0.6, swing: 0.2, period: 2 * time.Minute, lifetime: 80 * time.Second, request: 180, reply: 1300, pause: 4 * time.Second},
	{to: to(names), rate: 14, swing: 0.9, period: 15 * time.Second, request: 48, reply: 160},
	{to: to(files), rate: 0.8, swing: 0.3, period: 50 * time.Second, lifetime: 25 * time.Second, request: 52, pause: time.Second},
	{to: to(web6), rate: 3, swing: 0.6, period: 55 * time.Second, lifetime: 5 * time.Second, request: 420, pause: 2 * time.Second},
	{to: lvs.Flow{VIP: netip.AddrPortFrom(markedVIP, 443), FWMark: marked.FWMark()}, rate: 2, swing: 0.4, period: 35 * time.Second,
		lifetime: 6 * time.Second, request: 500, pause: 2 * time.Second},
	{to: to(mail), rate: 0.2, period: time.Minute, lifetime: 10 * time.Second, request: 900, pause: time.Second},
}

func to(id lvs.ServiceID) lvs.Flow {
	return lvs.Flow{Protocol: id.Protocol(), VIP: id.AddrPort()}
}

// open lets a client connect. Whether it is refused is not the client's concern: the
// table may have been changed by those who try the program.
func (t *traffic) open(s *stream, now time.Time) {
	flow := s.to
	flow.Client = t.clients.draw(t.random, flow.VIP.Addr().Is6())
	conn, err := t.sim.Connect(flow)
	if err != nil {
		return
	}
	if s.lifetime == 0 {
		_ = conn.Reply(s.reply) // to a client that may have gone
		return
	}
	mean := s.lifetime
	if t.random.Float64() < s.long {
		mean *= 50
	}
	life := time.Duration(t.random.ExpFloat64() * float64(mean))
	t.talk(s, conn, now, now.Add(life))
}

// talk sends a request, then some more, and then closes. Of a hundred clients, one just
// goes away, and two reset the connection.
func (t *traffic) talk(s *stream, conn *lvs.SimConn, now, end time.Time) {
	if err := conn.Send(s.request); err != nil {
		return // its server was removed
	}
	_ = conn.Reply(s.reply) // likewise
	pause := max(s.pause, end.Sub(now)/40)
	if next := now.Add(pause); next.Before(end) {
		t.later(next, func(now time.Time) { t.talk(s, conn, now, end) })
		return
	}
	t.later(end, func(time.Time) {
		switch n := t.random.IntN(100); {
		case n == 0:
		case n < 3:
			_ = conn.Reset()
		default:
			_ = conn.Close()
		}
	})
}
