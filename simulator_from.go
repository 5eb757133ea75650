package lvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/golvs/lvs/internal/simipvs"
)

// SimulatorFrom returns a simulator that is a copy of a host, for trying out what would
// be too dangerous on the host. It has the host's services and real servers in their
// order, its net.ipv4.vs parameters and timeouts, its free memory, its connections, and its release of
// Linux unless [SimOptions.Kernel] is set.
//
// Each string of missed describes something that could not be copied: what the kernel
// does not show, such as the current position of [RR] or the phase of [WRR], and what is
// not simulated. The shorter the list, the better the simulation. The errors are those of
// [Client.Snapshot], [Host.Sysctl] and [Host.Connections], and of [NewSimulator].
func SimulatorFrom(ctx context.Context, h *Host, o SimOptions) (s *Simulator, missed []string, err error) {
	c, err := newCopier(ctx, h, o)
	if err != nil {
		return nil, nil, err
	}
	table, err := h.client.Snapshot(ctx)
	if err == nil {
		err = c.table(ctx, table.Services)
	}
	if err == nil {
		err = c.connections(ctx, table.Services)
	}
	if err != nil {
		return nil, nil, err
	}
	return c.to, c.missed, nil
}

// newCopier makes the simulator that a host is copied to. It has the host's release,
// parameters and timeouts.
func newCopier(ctx context.Context, h *Host, o SimOptions) (c *copier, err error) {
	if o.Kernel == "" {
		if o.Kernel, err = h.KernelRelease(ctx); err != nil {
			return nil, err
		}
	}
	c = &copier{from: h}
	if c.to, err = NewSimulator(o); err != nil {
		return nil, err
	}
	if err = c.memory(ctx); err == nil {
		err = c.sysctls(ctx)
	}
	if err == nil {
		err = c.timeouts(ctx)
	}
	return c, err
}

// copier copies a host to a simulator and notes what it misses.
type copier struct {
	from   *Host
	to     *Simulator
	missed []string
}

func (c *copier) miss(format string, args ...any) {
	c.missed = append(c.missed, fmt.Sprintf(format, args...))
}

// memory copies how much memory is free, by which the kernel starts its defences.
func (c *copier) memory(ctx context.Context) error {
	text, err := c.from.readFile(ctx, "/proc/meminfo")
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a simulator's, of which there is plenty
	}
	if err != nil {
		return err
	}
	free := 0
	for line := range strings.Lines(string(text)) {
		var name string
		var kilobytes int
		if _, err := fmt.Sscan(line, &name, &kilobytes); err == nil && (name == "MemFree:" || name == "Buffers:") {
			free += kilobytes
		}
	}
	const kilobytesPerPage = 4
	c.to.SetFreePages(max(1, free/kilobytesPerPage))
	return nil
}

// sysctls copies what the host has of the parameters that the simulator has.
func (c *copier) sysctls(ctx context.Context) error {
	paths := c.to.kernel.Sysctls()
	all, err := c.from.readFiles(ctx, paths)
	if err != nil {
		return err
	}
	for i, file := range all {
		if errors.Is(file.err, fs.ErrNotExist) {
			continue // loaded with a module that the host does not use, or hidden
		}
		if file.err != nil {
			return file.err
		}
		if err := c.to.kernel.RestoreFile(paths[i], file.text); err != nil {
			c.miss("%s = %s: %v", paths[i], strings.TrimSpace(string(file.text)), err)
		}
	}
	return nil
}

// client returns a client of the copy. What it does is not noted, and not logged.
func (c *copier) client(ctx context.Context) (*Client, error) {
	return newClient(ctx, c.to.dial, orDiscard(nil))
}

func (c *copier) timeouts(ctx context.Context) error {
	t, err := c.from.client.Timeouts(ctx)
	if err != nil {
		return err
	}
	to, err := c.client(ctx)
	if err != nil {
		return err
	}
	defer to.Close()
	return to.SetTimeouts(ctx, t)
}

// table copies services and their servers.
func (c *copier) table(ctx context.Context, entries []ServiceEntry) error {
	to, err := c.client(ctx)
	if err != nil {
		return err
	}
	defer to.Close()
	services := make([]Change, len(entries))
	for i, e := range entries {
		c.missOf(e.Service)
		services[i] = AddService(e.Service)
	}
	failed, err := put(ctx, to, services)
	if err == nil {
		err = c.unscheduled(ctx, to, entries, failed)
	}
	if err != nil {
		return err
	}
	var servers []Change
	for _, e := range entries {
		for _, s := range e.RealServers {
			servers = append(servers, AddRealServer(e.ID, s.RealServer))
			if e.Scheduler == MH && s.Weight == 0 {
				c.miss("%s -> %s: which weight it had before 0, by which mh gives it buckets", e.ID, s.Addr)
			}
		}
	}
	failed, err = put(ctx, to, servers)
	for _, f := range failed {
		c.miss("%v", f.Err)
	}
	return err
}

// missOf notes what the kernel does not show of a service.
func (c *copier) missOf(s Service) {
	switch s.Scheduler {
	case RR:
		c.miss("%s: where in its round rr stands", s.ID)
	case WRR:
		c.miss("%s: where in its round wrr stands, and its phase", s.ID)
	case LBLC, LBLCR:
		c.miss("%s: which server %s gave to which destination", s.ID, s.Scheduler)
	}
}

// unscheduled copies services without their schedulers and engines, which the
// simulator does not have.
func (c *copier) unscheduled(ctx context.Context, to *Client, entries []ServiceEntry, failed []Failure) error {
	var again []Change
	for _, f := range failed {
		if !errors.Is(f.Err, ErrScheduler) && !errors.Is(f.Err, ErrEngine) {
			return f.Err
		}
		s := entries[f.Index].Service
		c.miss("%s: the scheduler %s or the engine %q is not simulated, so it takes no new connections", s.ID, s.Scheduler, s.Persistence.Engine)
		s.Scheduler, s.Persistence.Engine = NoScheduler, ""
		again = append(again, AddService(s))
	}
	failed, err := put(ctx, to, again)
	if len(failed) > 0 {
		err = failed[0].Err
	}
	return err
}

// put makes changes whatever they say, for what the host has is to be copied and
// not to be judged. It returns those that the simulator refused.
func put(ctx context.Context, to *Client, changes []Change) ([]Failure, error) {
	err := to.send(ctx, changes)
	failed, ok := err.(*BatchError)
	if !ok {
		return nil, err
	}
	for _, f := range failed.Failures {
		if f.Err.Outcome != OutcomeRefused {
			return nil, err
		}
	}
	return failed.Failures, nil
}

// connections copies the connection table.
func (c *copier) connections(ctx context.Context, services []ServiceEntry) error {
	all, err := c.from.wholeTable(ctx)
	if err == nil {
		c.restoreAll(toEntries(all, nil), services)
	}
	return err
}

// restoreAll makes the connections of a listing, and makes each server count as many as it
// does on the host, where the listing may have omitted some.
func (c *copier) restoreAll(entries []simipvs.Entry, services []ServiceEntry) {
	if lost := len(c.to.kernel.Restore(entries)); lost > 0 {
		c.to.kernel.SetElsewhere(simipvs.Elsewhere{Connections: lost})
		c.miss("%d connections, which are of no server in the table", lost)
	}
	for _, e := range services {
		for _, s := range e.RealServers {
			c.counts(e.ID, s)
		}
	}
}

// toEntries returns connections as the simulated kernel has them. The mark of
// their packets is nil if it is not known.
func toEntries(all []Connection, mark *uint32) []simipvs.Entry {
	entries := make([]simipvs.Entry, len(all))
	for i, c := range all {
		entries[i] = toEntry(c, mark)
	}
	return entries
}

func toEntry(c Connection, mark *uint32) simipvs.Entry {
	return simipvs.Entry{
		Protocol: uint8(c.Protocol), Client: c.Client, VIP: c.VIP, Server: c.Server,
		State: string(c.State), Expires: int(c.Expires.Seconds()), Mark: mark,
		Engine: c.Engine, Key: c.Data,
	}
}

// counts adds what a server has more than the connections that were copied.
func (c *copier) counts(id ServiceID, s RealServerStatus) {
	want := s.counts()
	more, fewer := c.to.kernel.Raise(id.toName(), s.Addr, want)
	if more > 0 {
		c.miss("%s -> %s: %d connections that were counted and not listed; they never end here", id, s.Addr, more)
	}
	if fewer > 0 {
		c.miss("%s -> %s: %d connections ended while the host was read", id, s.Addr, fewer)
	}
	if s.UpperThreshold != 0 && want.Active+want.Inactive < int(s.UpperThreshold) {
		c.miss("%s -> %s: whether it is still closed since it reached its upper threshold", id, s.Addr)
	}
}

func (s RealServerStatus) counts() simipvs.Counts {
	return simipvs.Counts{Active: int(s.ActiveConns), Inactive: int(s.InactiveConns), Persistent: int(s.PersistentConns)}
}

// toName returns the identity as the simulated kernel has it.
func (id ServiceID) toName() simipvs.ServiceName {
	return simipvs.ServiceName{Family: uint8(id.family), Protocol: uint16(id.protocol), Addr: id.vip, Mark: id.mark}
}
