package workload

import (
	"context"
	"math/rand/v2"
	"net/netip"

	"github.com/golvs/lvs"
)

// Disagreement is how often directors send the same client to different servers, which
// matters if another director receives its packets, as with ECMP or anycast.
type Disagreement struct {
	Clients int           `json:"clients"` // how many each director was asked about
	Pairs   []Pair        `json:"pairs"`   // of directors, each with each
	Shares  []ServerShare `json:"shares"`  // a line a server, in the order in which they were found
}

// Pair counts the clients that two directors disagree on.
type Pair struct {
	A         int     `json:"a"`         // numbers of directors, from 0 on
	B         int     `json:"b"`         // likewise, above A
	Different int     `json:"different"` // clients that they send to different servers, or one refuses
	Share     float64 `json:"share"`     // of all clients
}

// ServerShare is the share of the clients that a server gets.
type ServerShare struct {
	Server netip.AddrPort `json:"server"` // not valid: clients that no server serves
	Shares []float64      `json:"shares"` // by director
}

// Disagree connects each client once to each director, and reports the share of
// clients that two directors send to different servers. A director is a simulator
// with the service; directors may differ in the order of their servers, in their
// kernels and in the sizes of their tables.
//
// Each director sees the clients in a different order, as with real traffic, so
// directors with schedulers that take turns or count connections disagree on most
// clients. The connections are reset at once, and simulators with a virtual clock
// forget them within ten seconds.
//
// The error is an [*InvalidError] for a value that can never work, and the context's
// error when the context is done.
func Disagree(ctx context.Context, service lvs.ServiceID, clients Clients, seed uint64, directors ...*lvs.Simulator) (*Disagreement, error) {
	a, err := newAsker(service, clients)
	if err != nil {
		return nil, err
	}
	if len(directors) < 2 {
		return nil, invalid("Directors", "%d directors cannot disagree; want 2 or more", len(directors))
	}
	asked, err := a.directors(ctx, directors)
	if err != nil {
		return nil, err
	}
	return a.disagreement(ctx, seed, asked)
}

func (a *asker) disagreement(ctx context.Context, seed uint64, directors []director) (*Disagreement, error) {
	servers := serverNumbers{{}: 0} // 0 is none
	picks := make([][]int32, len(directors))
	for d, director := range directors {
		picks[d] = make([]int32, a.clients.Count)
		order := rand.New(rand.NewPCG(seed, uint64(d))).Perm(a.clients.Count)
		err := each(ctx, order, func(i int) error {
			v, err := a.open(director, i)
			if err != nil || v.Action != lvs.ActionForwarded {
				return err
			}
			picks[d][i] = servers.of(v.Server)
			return a.reset(director, i)
		})
		if err != nil {
			return nil, err
		}
	}
	return disagreementOf(picks, servers), nil
}

// serverNumbers numbers servers as they are found.
type serverNumbers map[netip.AddrPort]int32

func (s serverNumbers) of(addr netip.AddrPort) int32 {
	n, ok := s[addr]
	if !ok {
		n = int32(len(s))
		s[addr] = n
	}
	return n
}

// disagreementOf compares which server each director picked for each client.
func disagreementOf(picks [][]int32, servers serverNumbers) *Disagreement {
	out := &Disagreement{Clients: len(picks[0])}
	counts := make([][]float64, len(servers))
	for i := range counts {
		counts[i] = make([]float64, len(picks))
	}
	for d, all := range picks {
		for i := range all {
			counts[all[i]][d]++
		}
		for other := d + 1; other < len(picks); other++ {
			p := Pair{A: d, B: other}
			for i := range all {
				if all[i] != picks[other][i] {
					p.Different++
				}
			}
			p.Share = ratio(p.Different, out.Clients)
			out.Pairs = append(out.Pairs, p)
		}
	}
	addrs := make([]netip.AddrPort, len(servers))
	for addr, i := range servers {
		addrs[i] = addr
	}
	for i, addr := range addrs {
		line := ServerShare{addr, counts[i]}
		some := false
		for d := range line.Shares {
			some = some || line.Shares[d] > 0
			line.Shares[d] /= float64(out.Clients)
		}
		if some {
			out.Shares = append(out.Shares, line)
		}
	}
	return out
}
