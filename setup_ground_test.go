package lvs

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/testbed"
)

// hostGround is a host to set up, with the interfaces eth0 and eth1. Tests of setups
// run on a simulated one, and inside a kernel on a network namespace of the kernel.
type hostGround interface {
	// Open opens the host once more, as another process does.
	Open(t testing.TB) *Host

	// Dump returns what setups are about, and DumpAll everything that they could change.
	Dump(t testing.TB) string
	DumpAll(t testing.TB) string

	// Change lets another program change the host.
	Change(t testing.TB, all ...change)

	// Load loads modules, and Unload removes them, as an administrator does.
	Load(t testing.TB, modules ...string)
	Unload(t testing.TB, modules ...string)

	// Die applies a plan in a process that dies instead of making the change after n.
	Die(t testing.TB, plan SetupPlan, n int) (died bool)

	// HasNAT reports whether the host has source NAT by nftables.
	HasNAT() bool

	// Commands reports an error unless the commands of a plan, run on a second host, do
	// what Apply has done to this one.
	Commands(t testing.TB, plan SetupPlan)
}

// newHostGround returns a host on which the modules of the setups are loaded, so that
// dumps do not differ by what a module adds.
func newHostGround(t testing.TB, setups ...Setup) hostGround {
	t.Helper()
	modules := modulesOf(setups...)
	if testbed.Inside() {
		return newKernelHost(t, modules...)
	}
	s, _ := simulatedHost(t)
	g := &simulatedGround{s}
	g.Load(t, modules...)
	return g
}

// modulesOf returns the modules that setups are about.
func modulesOf(setups ...Setup) (names []string) {
	for _, setup := range setups {
		for _, r := range setup {
			if m, ok := r.Want.(Module); ok {
				names = append(names, m.Name)
			}
		}
	}
	return names
}

// change is what another program does to a host: it puts or removes a resource, which
// a kernel is given as its command. What no resource says is a command for a kernel,
// and a state for a simulated host.
type change struct {
	put, remove Resource
	command     string
	state       netstate.Resource
}

// simulatedGround is a simulated host.
type simulatedGround struct{ sim *Simulator }

func (g *simulatedGround) Open(t testing.TB) *Host {
	h := g.sim.Host()
	t.Cleanup(func() { h.Close() })
	return h
}

func (g *simulatedGround) Dump(testing.TB) string { return strings.Join(g.sim.dump(), "\n") }

func (g *simulatedGround) DumpAll(t testing.TB) string { return g.Dump(t) }

func (g *simulatedGround) Change(t testing.TB, all ...change) {
	t.Helper()
	h := g.Open(t)
	for _, c := range all {
		var err error
		switch r := c.put.(type) {
		case nil:
			if c.state != nil {
				err = g.sim.network.Put(c.state)
			} else {
				err = h.remove(c.remove)
			}
		case Address:
			full, _ := r.complete(nil)
			err = h.put(full)
		default:
			err = h.put(r)
		}
		must(t, err)
	}
}

func (g *simulatedGround) Load(_ testing.TB, modules ...string) {
	for _, m := range modules {
		g.sim.LoadModule(m)
	}
}

// Unload has nothing to do: a new host has none.
func (g *simulatedGround) Unload(testing.TB, ...string) {}

func (g *simulatedGround) Die(t testing.TB, plan SetupPlan, n int) (died bool) {
	h := g.Open(t)
	failAfter(h, n, func() error { return errDead }, false)
	err := h.Apply(t.Context(), plan)
	return err != nil
}

func (g *simulatedGround) HasNAT() bool { return true }

// Commands has nothing to do: there is no shell.
func (g *simulatedGround) Commands(testing.TB, SetupPlan) {}

var errDead = errors.New("the process is dead")

// failAfter makes the changes of a host fail after the first n: the next one alone, or
// all of them.
func failAfter(h *Host, n int, fail func() error, once bool) {
	f := &failingNetwork{network: h.guard.network, files: h.guard.files, left: n, fail: fail, once: once}
	h.guard.network, h.guard.files = f, f
}

type failingNetwork struct {
	network
	files
	left int
	fail func() error
	once bool
}

// next reports whether the next change is made.
func (f *failingNetwork) next() error {
	if f.left--; f.left < 0 && (f.left == -1 || !f.once) {
		return f.fail()
	}
	return nil
}

func (f *failingNetwork) Put(r netstate.Resource) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.network.Put(r)
}

func (f *failingNetwork) Remove(r netstate.Resource) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.network.Remove(r)
}

func (f *failingNetwork) WriteFile(path string, data []byte) error {
	if err := f.next(); err != nil {
		return err
	}
	return f.files.WriteFile(path, data)
}

// simulatedHost returns a host with eth0 and eth1, and its simulator.
func simulatedHost(t testing.TB) (*Simulator, *Host) {
	t.Helper()
	s, h := briefHost(t)
	t.Cleanup(func() { h.Close() })
	return s, h
}

// briefHost is one that the caller closes: a test of thousands cannot keep them all.
func briefHost(t testing.TB) (*Simulator, *Host) {
	t.Helper()
	s, err := NewSimulator(SimOptions{Interfaces: []SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix(eth0Address4), netip.MustParsePrefix(eth0Address6)}},
		{Name: "eth1", Addresses: []netip.Prefix{netip.MustParsePrefix(eth1Address4), netip.MustParsePrefix(eth1Address6)}},
	}})
	must(t, err)
	return s, s.Host()
}

func (s *Simulator) dump() []string {
	all := s.network.Dump()
	for _, path := range s.kernel.Sysctls() {
		text, _ := s.kernel.ReadFile(path)
		all = append(all, path+" = "+string(text))
	}
	return all
}

// applied returns a simulated host on which a setup has been applied.
func applied(t *testing.T, setup Setup) (*Simulator, *Host, SetupPlan) {
	t.Helper()
	s, h := simulatedHost(t)
	return s, h, mustApply(t, h, setup)
}

// mustApply returns the plan of a setup that has been applied.
func mustApply(t testing.TB, h *Host, setup Setup) SetupPlan {
	t.Helper()
	plan, err := h.Plan(context.Background(), setup)
	must(t, err)
	must(t, h.Apply(context.Background(), plan))
	return plan
}

// undone undoes a plan, and reports an error if more than modules is left.
func undone(t testing.TB, h *Host, plan SetupPlan) {
	t.Helper()
	left, err := h.Undo(context.Background(), plan)
	must(t, err)
	if left = besidesModules(left); len(left) != 0 {
		t.Errorf("Undo left %v", left)
	}
}

func besidesModules(left []Leftover) (others []Leftover) {
	for _, l := range left {
		if _, ok := l.Want.(Module); !ok {
			others = append(others, l)
		}
	}
	return others
}
