package lvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"github.com/golvs/lvs/internal/kernel"
)

// SimulatorFrom returns a simulator that is a copy of a host as it is now, to
// try on it what one would not try on the host: its release of Linux unless the
// options have one, its services and real servers in their order, its
// net.ipv4.vs parameters and timeouts, its connections.
//
// What could not be copied is told in words, one a string: what the kernel does
// not show (where in its round [RR] stands, the phase of [WRR]) and what the
// simulator does not have. A simulation is as good as that list lets it be.
func SimulatorFrom(ctx context.Context, h *Host, o SimulatorOptions) (s *Simulator, missed []string, err error) {
	c, err := copyOf(ctx, h, o, Flow{})
	if err != nil {
		return nil, nil, err
	}
	return c.to, c.missed, nil
}

// copyOf copies a host. Of the connections of a flow it knows the mark.
func copyOf(ctx context.Context, h *Host, o SimulatorOptions, f Flow) (c *copier, err error) {
	c = &copier{from: h, flow: f}
	if o.Kernel == "" {
		if o.Kernel, err = h.kernelRelease(ctx); err != nil {
			return nil, err
		}
	}
	if c.to, err = NewSimulator(o); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{c.sysctls, c.table, c.connections} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// debianVersionText finds the version in what Debian's kernels say of their build.
// Their release names the ABI instead: 6.1.0-56-amd64.
var debianVersionText = regexp.MustCompile(`Debian (\d+\.\d+\.\d+)`)

// kernelRelease returns the host's release of Linux.
func (h *Host) kernelRelease(ctx context.Context) (string, error) {
	version, err := h.readFile(ctx, "/proc/sys/kernel/version")
	if err != nil {
		return "", err
	}
	if m := debianVersionText.FindSubmatch(version); m != nil {
		return string(m[1]), nil
	}
	release, err := h.readFile(ctx, "/proc/sys/kernel/osrelease")
	return strings.TrimSpace(string(release)), err
}

// copier copies a host to a simulator and notes what it misses.
type copier struct {
	from    *Host
	to      *Simulator
	flow    Flow
	entries []ServiceEntry
	lost    []Connection // that are of no server in the table
	missed  []string
}

func (c *copier) miss(format string, args ...any) {
	c.missed = append(c.missed, fmt.Sprintf(format, args...))
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
		if err := c.to.kernel.WriteFile(paths[i], file.text); err != nil {
			c.miss("%s = %s: %v", paths[i], strings.TrimSpace(string(file.text)), err)
		}
	}
	return nil
}

// table copies timeouts, services and servers.
func (c *copier) table(ctx context.Context) error {
	timeouts, err := c.from.client.Timeouts(ctx)
	if err != nil {
		return err
	}
	if c.entries, err = c.from.client.Snapshot(ctx); err != nil {
		return err
	}
	to := c.to.Client()
	defer to.Close()
	if err := to.SetTimeouts(ctx, timeouts); err != nil {
		return err
	}
	for _, e := range c.entries {
		if err := c.service(ctx, to, e.Service); err != nil {
			return err
		}
		for _, s := range e.Servers {
			if err := put(ctx, to, AddServer(e.ID, s.RealServer)); err != nil {
				c.miss("%s -> %s: %v", e.ID, s.Addr, err)
			}
			if e.Scheduler == MH && s.Weight == 0 {
				c.miss("%s -> %s: which weight it had before 0, by which mh gives it buckets", e.ID, s.Addr)
			}
		}
	}
	return nil
}

func (c *copier) service(ctx context.Context, to *Client, s Service) error {
	switch s.Scheduler {
	case RR:
		c.miss("%s: where in its round rr stands", s.ID)
	case WRR:
		c.miss("%s: where in its round wrr stands, and its phase", s.ID)
	case LBLC, LBLCR:
		c.miss("%s: which server %s gave to which destination", s.ID, s.Scheduler)
	}
	err := put(ctx, to, AddService(s))
	if errors.Is(err, ErrScheduler) {
		c.miss("%s: the scheduler %s or the engine %q is not simulated, so it takes no new connections", s.ID, s.Scheduler, s.Persistence.Engine)
		s.Scheduler, s.Persistence.Engine = NoScheduler, ""
		err = put(ctx, to, AddService(s))
	}
	return err
}

// put makes a change whatever it says: what the host has is to be copied, not
// to be judged.
func put(ctx context.Context, to *Client, ch Change) error {
	return only(to.do(ctx, []Change{ch}, func(Change) *Error { return nil }))
}

// connections copies the connection table, and makes each server count as many
// as it does on the host, where the listing may have passed over some.
func (c *copier) connections(ctx context.Context) error {
	all, err := c.from.Connections(ctx)
	if err != nil {
		return err
	}
	// Templates come first, so that their connections find them.
	templates, others := split(all, Connection.IsTemplate)
	for _, conn := range append(templates, others...) {
		if !c.to.kernel.Restore(kernel.Entry{
			Protocol: uint8(conn.Protocol), Client: conn.Client, VIP: conn.VIP, Server: conn.Server,
			State: string(conn.State), Expires: int(conn.Expires.Seconds()), Mark: c.markOf(conn),
		}) {
			c.lost = append(c.lost, conn)
		}
	}
	if len(c.lost) > 0 {
		c.miss("%d connections, which are of no server in the table", len(c.lost))
	}
	for _, e := range c.entries {
		for _, s := range e.Servers {
			c.counts(e.ID, s)
		}
	}
	return nil
}

// markOf returns the mark of a connection's packets, nil if it is not known.
func (c *copier) markOf(conn Connection) *uint32 {
	if c.flow.owns(conn) {
		return &c.flow.FWMark
	}
	return nil
}

func split[T any](all []T, is func(T) bool) (those, others []T) {
	for _, v := range all {
		if is(v) {
			those = append(those, v)
		} else {
			others = append(others, v)
		}
	}
	return those, others
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

func (s RealServerStatus) counts() kernel.Counts {
	return kernel.Counts{Active: int(s.ActiveConns), Inactive: int(s.InactiveConns), Persistent: int(s.PersistentConns)}
}

// toName returns the identity as the simulated kernel has it.
func (id ServiceID) toName() kernel.ServiceName {
	return kernel.ServiceName{Family: uint8(id.family), Protocol: uint16(id.protocol), Addr: id.vip, Mark: id.mark}
}
