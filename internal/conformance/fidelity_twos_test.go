package conformance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/golvs/lvs/internal/release"
)

// twos draws at random, so its picks are not compared one by one: those of the
// kernel, and those of the simulator, must each be distributed as its rules say.

// twosCase is a service of twos whose servers carry loads that stay as they are.
type twosCase struct{ servers []twosServer } // in the order in which they are added

type twosServer struct {
	weight           int
	active, inactive int // connections
}

func newTwosCase(r *rand.Rand) (c twosCase) {
	for range 3 + r.IntN(4) {
		c.servers = append(c.servers, twosServer{r.IntN(5), r.IntN(3), r.IntN(20)})
	}
	c.servers[0].weight++ // at least one is usable
	return c
}

// Their addresses are unlike those of other tests.
func (c twosCase) addr(i int) string { return fmt.Sprintf("10.2.3.%d:80", 1+i) }

var (
	twosKey = keyOf("mark4 7")
	twosVIP = at("10.1.254.7:80")
)

// play returns how often each server was picked, of so many times. The connections
// that weigh on servers stay for minutes; those that are picked for are of one
// packet, and weigh on no server.
func (c twosCase) play(t testing.TB, p *player, picks int) (counts []int) {
	t.Helper()
	client := at("10.1.16.1:1024")
	next := func(protocol, tcp uint8) packet {
		port := client.Port() + 1
		if port == 0 {
			client, port = netip.AddrPortFrom(client.Addr().Next(), 0), 1024
		}
		client = netip.AddrPortFrom(client.Addr(), port)
		return packet{protocol: protocol, tcp: tcp, from: client, to: twosVIP, mark: 7}
	}
	p.expect(t, serviceCall(cNewService, serviceOf("mark4 7").set(sScheduler, text("fo"))))
	for i, s := range c.servers {
		heaviest := destOf(c.addr(i)).set(dMethod, u32(tunnel)).set(dWeight, u32(uint32(1000+i)))
		p.expect(t, serviceCall(cNewDest, twosKey, heaviest))
		var all []packet
		for range s.active {
			open := next(protocolTCP, flagSYN)
			established := open
			established.tcp = flagACK
			all = append(all, open, established)
		}
		for range s.inactive {
			all = append(all, next(protocolUDP, 0))
		}
		p.Send(all)
	}
	for i, s := range c.servers {
		p.expect(t, serviceCall(cSetDest, twosKey, destOf(c.addr(i)).set(dMethod, u32(tunnel)).set(dWeight, u32(uint32(s.weight)))))
	}
	const onePacket = 4
	p.expect(t, serviceCall(cSetService, serviceOf("mark4 7").set(sScheduler, text("twos")).set(sFlags, flagBytes(onePacket))))

	byFate := make(map[string]int)
	for i := range c.servers {
		byFate[fateTunnelled("ipip", netip.MustParseAddrPort(c.addr(i)).Addr())] = i
	}
	counts = make([]int, len(c.servers))
	const batch = 100
	for done := 0; done < picks; done += batch {
		var all []packet
		for range batch {
			all = append(all, next(protocolUDP, 0))
		}
		for _, fate := range p.Send(all) {
			i, ok := byFate[fate]
			if !ok {
				t.Fatalf("a packet was %s", fate)
			}
			counts[i]++
		}
	}
	return counts
}

func (p *player) expect(t testing.TB, c control) {
	t.Helper()
	if answer := p.call([]control{c})[0]; answer != success {
		t.Fatalf("%s: %s", c, answer)
	}
}

// distribution returns how likely each server is picked. Both servers are drawn
// from 0 to the sum of the weights, which favours the first in the list, the one
// that was added last.
func (c twosCase) distribution(r release.Release) []float64 {
	factor := 256
	if r.CountsTotals() {
		factor++ // an active connection is one of all, too
	}
	total, first := 0, 0
	for i, s := range c.servers {
		total += s.weight
		if s.weight > 0 {
			first = i
		}
	}
	drawn, load := make([]float64, len(c.servers)), make([]int, len(c.servers))
	for i, s := range c.servers {
		drawn[i], load[i] = float64(s.weight)/float64(total+1), s.active*factor+s.inactive
	}
	drawn[first] += 1 / float64(total+1)
	picked := make([]float64, len(c.servers))
	for a, pa := range drawn {
		for b, pb := range drawn {
			if c.servers[b].weight*load[a] > c.servers[a].weight*load[b] {
				picked[b] += pa * pb
			} else {
				picked[a] += pa * pb
			}
		}
	}
	return picked
}

// unlikely reports whether counts are so far from a distribution that they are not
// drawn from it. Of counts that are, one in 10^12 at most is taken for such: counts
// whose frequencies have the divergence D from the distribution have a probability
// of at most exp(-nD), and there are (n+k-1 over k-1) different ones.
func unlikely(counts []int, p []float64) bool {
	n, nD := 0, 0.0
	for _, c := range counts {
		n += c
	}
	for i, c := range counts {
		if c > 0 {
			nD += float64(c) * math.Log(float64(c)/(float64(n)*p[i])) // infinite when it cannot be
		}
	}
	kinds := 0.0
	for i := 1; i < len(counts); i++ {
		kinds += math.Log(float64(n+i) / float64(i))
	}
	return nD > kinds-math.Log(1e-12)
}

// fidelityTwos compares distributions until enough was picked on each side, and
// reports in one row.
func fidelityTwos(t *testing.T, enough int) {
	const each = 10000 // picks of a case
	r := openedRelease(t, openFidelity(t))
	picks, mismatches := 0, 0
	for seed := *fidelitySeed; picks < enough && mismatches < mostMismatches; seed++ {
		s := &scope{TB: t}
		d := openFidelity(t)(s)
		if answer := d.real.call([]control{serviceCall(cNewService, serviceOf("mark4 8").set(sScheduler, text("twos")))})[0]; answer != success {
			t.Logf("Linux %s was built without twos: %s", r, answer)
			s.end()
			return
		}
		c := newTwosCase(rand.New(rand.NewPCG(seed, 2)))
		want := c.distribution(r)
		for _, p := range []*player{d.real, d.sim} {
			if counts := c.play(t, p, each); unlikely(counts, want) {
				mismatches++
				t.Errorf("twos, seed %d: of %d picks %v were those of each server on %s, want %.4f of all", seed, each, counts, p.side, want)
			}
		}
		s.end()
		picks += each
	}
	if long() {
		fmt.Printf("%-10s %-9s %9d %10d\n", "twos", r, picks, mismatches)
	}
}

// The comparison can fail: picks do not fit when one server carries more, or when
// the first in the list is not favoured.
func TestFidelityTwosFinds(t *testing.T) {
	r := release.Release{Major: 6, Minor: 12, Patch: 117}
	c := twosCase{[]twosServer{{2, 0, 5}, {1, 1, 0}, {3, 1, 2}, {0, 0, 0}}}
	counts := c.play(t, newPlayer(t, openSimulatorSide(t, r)), 10000)
	if unlikely(counts, c.distribution(r)) {
		t.Errorf("%v do not fit %.4f", counts, c.distribution(r))
	}
	busier := twosCase{[]twosServer{{2, 2, 5}, {1, 1, 0}, {3, 1, 2}, {0, 0, 0}}}
	longer := twosCase{[]twosServer{{20, 0, 5}, {10, 10, 0}, {30, 10, 20}, {0, 0, 0}}} // no server is favoured by much
	for _, other := range []twosCase{busier, longer} {
		if !unlikely(counts, other.distribution(r)) {
			t.Errorf("%v fit %.4f", counts, other.distribution(r))
		}
	}
}
