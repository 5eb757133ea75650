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

	// Known is how many of the connections the sync daemon of the second director knew.
	// It is 0 if no sync daemons run.
	Known int `json:"known,omitempty"`

	Kept    int `json:"kept"`    // the second director sends them to the same server
	Moved   int `json:"moved"`   // to another server, which does not know them and resets them
	Unknown int `json:"unknown"` // the second director does not accept them, and they are reset

	Broken float64 `json:"broken"` // Moved and Unknown, as a share of all
}

// Failover opens a connection for each client at one director, and then sends one more
// packet of each to another director. The clients send in another order than that in
// which they connected. If a master daemon runs on the first director and a backup on the
// second, it is [SyncLink.Failover] with a perfect link; otherwise the second director has
// seen none of the connections.
//
// What the second director does with a TCP packet in the middle of a connection that it
// does not know depends on its net.ipv4.vs.sloppy_tcp: with 1 its scheduler picks a server,
// with 0 it ignores the packet. See [lvs.Host.SetSysctl].
//
// The connections stay in the simulators. The error is an [*InvalidError] for a value
// that can never work, and the context's error when the context is done.
func Failover(ctx context.Context, service lvs.ServiceID, clients Clients, seed uint64, from, to *lvs.Simulator) (*FailoverReport, error) {
	return SyncLink{}.Failover(ctx, service, clients, seed, from, to)
}

// carrier lets time pass between two directors, and what they tell each other arrive. Nil
// is one for directors that tell each other nothing.
type carrier interface {
	// pass lets a part of the time before the failover pass.
	pass(steps int) error

	// known returns the clients of the connections that the second director knows.
	known(context.Context) (map[netip.AddrPort]bool, error)
}

func (a *asker) takeover(ctx context.Context, seed uint64, from, to director, packets int, between carrier) (*FailoverReport, error) {
	random := rand.New(rand.NewPCG(seed, 0))
	servers := make([]netip.AddrPort, a.clients.Count)
	out := &FailoverReport{}
	steps := a.clients.Count * (1 + packets)
	err := each(ctx, random.Perm(a.clients.Count), func(i int) error {
		v, err := a.open(from, i)
		if err != nil {
			return err
		}
		if v.Action != lvs.ActionForwarded {
			out.Refused++
			return pass(between, steps)
		}
		out.Connections++
		servers[i] = v.Server
		return pass(between, steps)
	})
	if err != nil {
		return nil, err
	}
	for range packets {
		err := each(ctx, random.Perm(a.clients.Count), func(i int) error {
			if servers[i].IsValid() {
				if _, err := a.send(from, i, confirms); err != nil {
					return err
				}
			}
			return pass(between, steps)
		})
		if err != nil {
			return nil, err
		}
	}
	if between != nil {
		known, err := between.known(ctx)
		if err != nil {
			return nil, err
		}
		for i, server := range servers {
			if server.IsValid() && known[a.flow(i).Source] {
				out.Known++
			}
		}
	}
	err = each(ctx, random.Perm(a.clients.Count), func(i int) error {
		if !servers[i].IsValid() {
			return nil
		}
		v, err := a.send(to, i, confirms)
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

func pass(between carrier, steps int) error {
	if between == nil {
		return nil
	}
	return between.pass(steps)
}
