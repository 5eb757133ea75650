package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/netspace"
)

// Lab is a network of hosts in which one service is balanced, in three tiers: the
// director, the real servers, and the shared server that they take their page from.
type Lab struct {
	Director *Host
	Servers  []*Host
	Shared   *Host
	Client   *Host
	Service  lvs.Service
	table    []lvs.RealServer
	plan     plan
	router   *Host // nil without a tunnel
	wires    *netspace.Wires
	web      []*http.Server
	asked    map[netip.Addr]int // how often each real server asked for the page
	asking   sync.Mutex         // guards asked
	visits   int
}

// Host is a host of the lab, in a network namespace of its own.
type Host struct {
	Name  string
	Setup lvs.Setup // what makes it a director or a real server; none for others
	*lvs.Host
	machine machine
	applied lvs.SetupPlan
	space   *netspace.Namespace
}

// New builds a lab and starts the web servers. Nothing balances before [Lab.SetUp].
// The caller closes the lab.
func New(ctx context.Context, o Options) (*Lab, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	return build(ctx, p)
}

func build(ctx context.Context, p plan) (*Lab, error) {
	l := &Lab{asked: make(map[netip.Addr]int), plan: p, Service: p.service, table: p.table}
	if err := l.makeHosts(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// SetUp sets up the director and the real servers, and adds the service. If it fails
// or is interrupted, the hosts are as before.
func (l *Lab) SetUp(ctx context.Context) error {
	err := l.setUp(ctx)
	if err != nil {
		err = errors.Join(err, l.Undo(context.WithoutCancel(ctx)))
	}
	return err
}

func (l *Lab) setUp(ctx context.Context) error {
	if err := l.setUpHosts(ctx); err != nil {
		return err
	}
	changes := []lvs.Change{lvs.AddService(l.Service)}
	for _, s := range l.table {
		changes = append(changes, lvs.AddRealServer(l.Service.ID, s))
	}
	return l.Director.Client().Do(ctx, changes...)
}

func (l *Lab) setUpHosts(ctx context.Context) error {
	for _, h := range l.balancing() {
		if err := h.setUp(ctx); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	return nil
}

// balancing returns the director and the real servers.
func (l *Lab) balancing() []*Host { return append([]*Host{l.Director}, l.Servers...) }

func (h *Host) setUp(ctx context.Context) error {
	loadModules(ctx, h.Setup)
	plan, err := h.Plan(ctx, h.Setup)
	if err != nil {
		return err
	}
	h.applied = plan
	return h.Apply(ctx, plan)
}

// Undo removes the service, and sets the hosts back to their state before
// [Lab.SetUp].
func (l *Lab) Undo(ctx context.Context) error {
	err := l.Director.Client().RemoveService(ctx, l.Service.ID)
	if errors.Is(err, lvs.ErrNotFound) {
		err = nil
	}
	all := []error{err}
	for _, h := range l.balancing() {
		kept, err := h.Undo(ctx, h.applied)
		all = append(all, err)
		for _, k := range kept {
			if _, ok := k.Want.(lvs.Module); !ok {
				all = append(all, fmt.Errorf("%s: %s", h.Name, k))
			}
		}
	}
	return errors.Join(all...)
}

// VIP returns the address and port that clients connect to.
func (l *Lab) VIP() netip.AddrPort { return l.Service.ID.AddrPort() }

// Run runs fn inside the host's network namespace.
func (h *Host) Run(fn func() error) error { return h.space.Do(fn) }

// nameOf returns the real server that the director knows by an address.
func (l *Lab) nameOf(addr netip.Addr) string {
	for i, s := range l.table {
		if s.Addr.Addr() == addr {
			return l.Servers[i].Name
		}
	}
	return addr.String()
}
