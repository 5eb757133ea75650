package workload

import (
	"context"
	"math/rand/v2"
	"net/netip"

	"github.com/golvs/lvs"
)

// FailoverReport is what happens to open connections when another director takes over.
type FailoverReport struct {
	// Connections is how many were open. Refused counts those that were not opened,
	// because the first director had no server for them.
	Connections int `json:"connections"`
	Refused     int `json:"refused"` // 0: all clients were served

	Kept    int `json:"kept"`    // the second director sends them to the same server
	Moved   int `json:"moved"`   // to another server, which does not know them and resets them
	Unknown int `json:"unknown"` // the second director does not accept them, and they are reset

	Broken float64 `json:"broken"` // Moved and Unknown, as a share of all
}

// Failover opens a connection for each client at one director, and then sends one more
// packet of each to another director, which has seen none of them: no sync daemon
// runs. The clients send in another order than that in which they connected.
//
// What the second director does with a TCP packet in the middle of a connection
// depends on its net.ipv4.vs.sloppy_tcp: with 1 its scheduler picks a server, with 0
// it ignores the packet. See [lvs.Host.SetSysctl].
//
// The connections stay in the simulators. The error is an [*InvalidError] for a value
// that can never work, and the context's error when the context is done.
func Failover(ctx context.Context, service lvs.ServiceID, clients Clients, seed uint64, from, to *lvs.Simulator) (*FailoverReport, error) {
	a, err := newAsker(service, clients)
	if err != nil {
		return nil, err
	}
	directors, err := a.directors(ctx, []*lvs.Simulator{from, to})
	if err != nil {
		return nil, err
	}
	return a.takeover(ctx, seed, directors[0], directors[1])
}

func (a *asker) takeover(ctx context.Context, seed uint64, from, to director) (*FailoverReport, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	servers := make([]netip.AddrPort, a.clients.Count)
	out := &FailoverReport{}
	err := each(ctx, random.Perm(a.clients.Count), func(i int) error {
		v, err := a.open(from, i)
		if err != nil {
			return err
		}
		if v.Action != lvs.ActionForwarded {
			out.Refused++
			return nil
		}
		out.Connections++
		servers[i] = v.Server
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = each(ctx, random.Perm(a.clients.Count), func(i int) error {
		if !servers[i].IsValid() {
			return nil
		}
		v, err := a.send(to, i, carries)
		switch {
		case err != nil:
			return err
		case v.Action != lvs.ActionForwarded:
			out.Unknown++
		case v.Server == servers[i]:
			out.Kept++
		default:
			out.Moved++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Broken = ratio(out.Moved+out.Unknown, out.Connections)
	return out, nil
}
