package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/netspace"
)

// makeHosts makes the network and starts the web servers.
func (l *Lab) makeHosts(ctx context.Context) (err error) {
	if l.wires, err = netspace.NewWires(); err != nil {
		return err
	}
	add := func(m machine) (*Host, error) {
		h, err := l.addHost(ctx, m)
		if err != nil {
			err = fmt.Errorf("%s: %w", m.name, err)
		}
		return h, err
	}
	if l.Client, err = add(l.plan.client); err != nil {
		return err
	}
	if l.Director, err = add(l.plan.dir); err != nil {
		return err
	}
	if l.plan.router != nil {
		if l.router, err = add(*l.plan.router); err != nil {
			return err
		}
	}
	if l.Shared, err = add(l.plan.shared); err != nil {
		return err
	}
	if err := l.servePage(); err != nil {
		return err
	}
	for _, m := range l.plan.servers {
		h, err := add(m)
		if err == nil {
			l.Servers = append(l.Servers, h)
			err = l.serve(h)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addHost makes a host and gives it what every host has.
func (l *Lab) addHost(ctx context.Context, m machine) (h *Host, err error) {
	h = &Host{Name: m.name, Setup: m.setup, machine: m}
	if h.space, err = netspace.New(); err != nil {
		return nil, err
	}
	if h.Host, err = lvs.OpenHost(ctx, lvs.InNamespaceFile(h.space.File)); err != nil {
		h.space.Close()
		return nil, err
	}
	// These addresses are unique, so they are used at once. New interfaces inherit
	// this.
	if err := h.SetSysctl(ctx, lvs.InterfaceSysctl("default", "accept_dad", true), "0"); err != nil {
		return h, err
	}
	for i, port := range m.ports {
		name := fmt.Sprintf("eth%d", i)
		if err := l.wires.Plug(port.net.name, h.space, wireName(m.name, i), name); err != nil {
			return h, err
		}
	}
	plan, err := h.Plan(ctx, m.base())
	if err != nil {
		return h, err
	}
	return h, h.Apply(ctx, plan)
}

// wireName is the other end of a machine's interface.
func wireName(machine string, port int) string { return fmt.Sprintf("%s-%d", machine, port) }

// loadModules loads the modules that a setup needs and the kernel does not load on
// demand. If that fails, applying the setup reports it.
func loadModules(ctx context.Context, s lvs.Setup) {
	for _, requirement := range s {
		m, ok := requirement.Want.(lvs.Module)
		if _, err := os.Stat("/sys/module/" + m.Name); ok && err != nil {
			_ = exec.CommandContext(ctx, "modprobe", m.Name).Run()
		}
	}
}

// Close ends the lab, and removes everything that it made.
func (l *Lab) Close() error {
	for _, s := range l.web {
		s.Close()
	}
	all := append([]*Host{l.Client, l.router, l.Shared}, l.balancing()...)
	for _, h := range all {
		if h != nil {
			h.Close()
			h.space.Close()
		}
	}
	if l.wires != nil {
		l.wires.Close()
	}
	return nil
}
