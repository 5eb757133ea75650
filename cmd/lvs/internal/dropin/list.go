package dropin

import (
	"bufio"
	"context"
	"errors"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// list prints what -L asks for.
func (env Env) list(ctx context.Context, host *lvs.Host, c ipvsadm.Command) int {
	o := c.Options
	o.UnsignedMarks = true
	if !c.Numeric {
		o.Names = env.Names
	}
	out := bufio.NewWriter(env.Out)
	err := printListing(ctx, host, c, o, out)
	if err == nil {
		err = out.Flush()
	}
	switch {
	case err == nil:
		return 0
	case c.Service.IsValid() && errors.Is(err, lvs.ErrNoService):
		return env.fail("No such service", exitNotListed)
	}
	return env.fail(message(err), exitFailed)
}

func printListing(ctx context.Context, host *lvs.Host, c ipvsadm.Command, o ipvsadm.ListOptions, out *bufio.Writer) error {
	client := host.Client()
	switch c.Listed {
	case ipvsadm.ListedConns:
		return ipvsadm.ListConnections(out, host.Connections(ctx, lvs.ConnectionFilter{}), o)
	case ipvsadm.ListedTimeouts:
		t, err := client.Timeouts(ctx)
		if err != nil {
			return err
		}
		return ipvsadm.ListTimeouts(out, t)
	case ipvsadm.ListedDaemons:
		all, err := client.SyncDaemons(ctx)
		if err != nil {
			return err
		}
		return ipvsadm.ListSyncDaemons(out, all)
	}
	info, err := client.Info(ctx)
	if err != nil {
		return err
	}
	table, err := read(ctx, client, c.Service)
	if err != nil {
		return err
	}
	return ipvsadm.List(out, info, table, o)
}

// read reads the table, or a part of it with one service.
func read(ctx context.Context, client *lvs.Client, id lvs.ServiceID) (table lvs.Snapshot, err error) {
	if !id.IsValid() {
		return client.Snapshot(ctx)
	}
	var e lvs.ServiceEntry
	if e.ServiceStatus, err = client.Service(ctx, id); err == nil {
		e.RealServers, err = client.RealServers(ctx, id)
	}
	table.Services = []lvs.ServiceEntry{e}
	return table, err
}
