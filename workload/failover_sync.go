package workload

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

// SyncLink is the network between the sync daemons of two directors, and what clients do
// before the first director fails. The zero value loses nothing.
type SyncLink struct {
	Loss  float64       // the share of messages that are lost, 0 to 1
	Delay time.Duration // how long a message takes; those still under way come too late

	// Packets is how many packets a client sends after it has connected. A master tells
	// of a connection after some packets, by net.ipv4.vs.sync_threshold.
	Packets int

	// Duration is the time before the failover, over which what the clients send is
	// spread; 0 is 10 seconds. A message takes up to two seconds until it is sent, so
	// what happens in the last two seconds is lost. Time passes only if simulators have
	// no [lvs.SimOptions.Clock].
	Duration time.Duration
}

const defaultDuration = 10 * time.Second

func (l SyncLink) validate() error {
	switch {
	case !(l.Loss >= 0 && l.Loss <= 1):
		return invalid("Loss", "%v is not a share from 0 to 1", l.Loss)
	case l.Delay < 0:
		return invalid("Delay", "%s is negative", l.Delay)
	case l.Packets < 0:
		return invalid("Packets", "%d is negative", l.Packets)
	case l.Duration < 0:
		return invalid("Duration", "%s is negative", l.Duration)
	}
	return nil
}

// Failover is [Failover] between directors whose sync daemons run, as they are configured
// in the simulators. It reports how many connections the second director knew, and how many
// it kept. Messages that the simulators have not returned before are taken, and lost ones
// are chosen by the seed.
func (l SyncLink) Failover(ctx context.Context, service lvs.ServiceID, clients Clients, seed uint64, from, to *lvs.Simulator) (*FailoverReport, error) {
	if err := l.validate(); err != nil {
		return nil, err
	}
	a, err := newAsker(service, clients)
	if err != nil {
		return nil, err
	}
	directors, err := a.directors(ctx, []*lvs.Simulator{from, to})
	if err != nil {
		return nil, err
	}
	var between carrier
	switch synced, err := l.synced(ctx, from, to); {
	case err != nil:
		return nil, err
	case synced:
		between = &simulatedLink{
			SyncLink: l, service: service, from: from, to: to, random: rand.New(rand.NewPCG(seed, 1)),
			frozen: from.Advance(0) != nil || to.Advance(0) != nil,
		}
	}
	return a.takeover(ctx, seed, directors[0], directors[1], l.Packets, between)
}

// synced reports whether one director tells the other of its connections.
func (l SyncLink) synced(ctx context.Context, from, to *lvs.Simulator) (bool, error) {
	runs := func(sim *lvs.Simulator, role lvs.SyncRole) (bool, error) {
		client := sim.Client()
		defer client.Close()
		all, err := client.SyncDaemons(ctx)
		return slices.ContainsFunc(all, func(d lvs.SyncDaemon) bool { return d.Role == role }), err
	}
	sends, err := runs(from, lvs.SyncMaster)
	if err != nil || !sends {
		return false, err
	}
	return runs(to, lvs.SyncBackup)
}

// simulatedLink carries the messages of a simulator to another.
type simulatedLink struct {
	SyncLink
	service  lvs.ServiceID
	from, to *lvs.Simulator
	random   *rand.Rand
	frozen   bool // the simulators have clocks of their own
	steps    int  // that have passed
	elapsed  time.Duration
	underWay []lvs.SimSyncMessage
}

// pass advances both simulators by one of so many steps.
func (l *simulatedLink) pass(steps int) error {
	l.steps++
	duration := l.Duration
	if duration == 0 {
		duration = defaultDuration
	}
	const slice = 100 * time.Millisecond
	for due := time.Duration(float64(duration) * float64(l.steps) / float64(steps)); ; {
		step := min(due-l.elapsed, slice)
		if l.elapsed += step; !l.frozen && step > 0 {
			if err := l.advance(step); err != nil {
				return err
			}
		}
		if err := l.carry(); err != nil || l.elapsed >= due {
			return err
		}
	}
}

func (l *simulatedLink) advance(d time.Duration) error {
	err := l.from.Advance(d)
	if err == nil && l.from != l.to {
		err = l.to.Advance(d)
	}
	return err
}

// carry takes the messages that were sent, and delivers those whose time has come.
func (l *simulatedLink) carry() error {
	for _, m := range l.from.SyncMessages() {
		if l.random.Float64() >= l.Loss {
			l.underWay = append(l.underWay, m)
		}
	}
	now := l.from.Now()
	for len(l.underWay) > 0 && !l.underWay[0].Time.Add(l.Delay).After(now) {
		err := l.to.DeliverSync(l.underWay[0])
		if err != nil && !errors.Is(err, lvs.ErrNotFound) && !errors.Is(err, lvs.ErrInvalid) {
			return err
		}
		l.underWay = l.underWay[1:]
	}
	return nil
}

func (l *simulatedLink) known(ctx context.Context) (map[netip.AddrPort]bool, error) {
	host := l.to.Host()
	defer host.Close()
	return knownTo(ctx, host, l.service)
}

// knownTo returns the clients of the connections that a host knows from another.
func knownTo(ctx context.Context, host *lvs.Host, service lvs.ServiceID) (map[netip.AddrPort]bool, error) {
	known := make(map[netip.AddrPort]bool)
	for c, err := range host.Connections(ctx, lvs.ConnectionFilter{Service: service, Origin: lvs.OriginSync}) {
		if err != nil {
			return nil, err
		}
		if !c.IsTemplate() {
			known[c.Client] = true
		}
	}
	return known, nil
}
