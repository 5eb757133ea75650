//go:build linux

// Package lab builds the networks of the forwarding modes out of network
// namespaces: a client, a director and real servers with HTTP servers, joined by
// bridges. Hosts are configured by package lvs alone. Building one takes Linux
// and the privilege to make network namespaces; nothing outside of them is
// changed, and they end with the process, however it ends.
package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"

	"github.com/golvs/lvs"
)

// Modes are the labs that there are.
var Modes = []string{"dr", "nat", "fullnat", "ipip", "gue", "gre"}

// Families are what packets may be of: "4", "6", and "mixed" for clients of IPv4
// whose packets travel to the real servers inside of IPv6.
var Families = []string{"4", "6", "mixed"}

// Options say which lab.
type Options struct {
	Mode      string        // one of Modes
	Family    string        // one of Families; "" is "4"
	Scheduler lvs.Scheduler // "" is rr
	Servers   int           // how many real servers; 0 is the two of the seed
}

func (o *Options) complete() error {
	if o.Family == "" {
		o.Family = "4"
	}
	if o.Scheduler == "" {
		o.Scheduler = lvs.RR
	}
	if o.Servers == 0 {
		o.Servers = 2
	}
	switch {
	case !has(Modes, o.Mode):
		return fmt.Errorf("mode %q is none of %s", o.Mode, strings.Join(Modes, ", "))
	case !has(Families, o.Family):
		return fmt.Errorf("family %q is none of %s", o.Family, strings.Join(Families, ", "))
	case o.Family == "mixed" && !o.tunnels():
		return fmt.Errorf("family mixed: %s forwards a packet as it is, and its real servers are of the VIP's family; only tunnels mix", o.Mode)
	case o.Servers < 1 || o.Servers > maxServers:
		return fmt.Errorf("%d real servers: want 1 to %d", o.Servers, maxServers)
	}
	return nil
}

func (o *Options) tunnels() bool { return o.Mode == "ipip" || o.Mode == "gue" || o.Mode == "gre" }

func has(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

// Lab is a network of hosts in which one service is balanced.
type Lab struct {
	Director *Host
	Servers  []*Host
	Client   *Host
	Service  lvs.Service
	table    []lvs.RealServer
	plan     plan
	router   *Host // nil without a tunnel
	wires    *wires
	web      []*http.Server
	visits   int
}

// Host is a host of the lab, which has a network namespace of its own.
type Host struct {
	Name  string
	Setup lvs.Setup // what makes it a director or a real server; none for others
	Plan  lvs.SetupPlan
	*lvs.Host
	machine machine
	space   *namespace
}

// New builds a lab, and starts the web servers. Nothing balances yet: see
// [Lab.SetUp]. Whoever makes it closes it.
func New(ctx context.Context, o Options) (*Lab, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	p, err := o.plan()
	if err != nil {
		return nil, err
	}
	l := &Lab{plan: p, Service: p.service, table: p.table}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// SetUp sets the director and the real servers up, and adds the service. When it
// fails the hosts are as before.
func (l *Lab) SetUp(ctx context.Context) error {
	for _, h := range l.balancing() {
		if err := h.setUp(ctx); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", h.Name, err), l.Undo(ctx))
		}
	}
	changes := []lvs.Change{lvs.AddService(l.Service)}
	for _, s := range l.table {
		changes = append(changes, lvs.AddServer(l.Service.ID, s))
	}
	return l.Director.Client().Do(ctx, changes...)
}

// balancing are the hosts that have a part in it.
func (l *Lab) balancing() []*Host { return append([]*Host{l.Director}, l.Servers...) }

func (h *Host) setUp(ctx context.Context) error {
	loadModules(ctx, h.Setup)
	plan, err := h.Host.Plan(ctx, h.Setup)
	if err != nil {
		return err
	}
	h.Plan = plan
	return h.Apply(ctx, plan)
}

// Undo takes the service away, and sets the hosts back to what they were before
// [Lab.SetUp].
func (l *Lab) Undo(ctx context.Context) error {
	err := l.Director.Client().RemoveService(ctx, l.Service.ID)
	if errors.Is(err, lvs.ErrNotFound) {
		err = nil
	}
	all := []error{err}
	for _, h := range l.balancing() {
		kept, err := h.Host.Undo(ctx, h.Plan)
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
func (l *Lab) VIP() netip.AddrPort { return l.Service.ID.VIP() }

// nameOf returns the real server that the director knows by an address.
func (l *Lab) nameOf(addr netip.Addr) string {
	for i, s := range l.table {
		if s.Addr.Addr() == addr {
			return l.Servers[i].Name
		}
	}
	return addr.String()
}
