package main

import (
	"context"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/workload"
)

// failover lets a director take over from another that had all connections.
func failover(ctx context.Context, b *bench) error {
	b.head()
	for _, c := range []struct {
		what      string
		scheduler lvs.Scheduler
		sloppy    string
		servers   int // of the second director
		published string
		remark    string
	}{
		{"mh, sloppy_tcp=1", lvs.MH, "1", 4, "0 %", ""},
		{"rr, sloppy_tcp=1", lvs.RR, "1", 4, "87.3 %", "in an order of chance three of four go wrong; theirs was another order"},
		{"mh, sloppy_tcp=0", lvs.MH, "0", 4, "100 %", ""},
		{"rr, sloppy_tcp=0", lvs.RR, "0", 4, "100 %", ""},
		{"mh, sloppy_tcp=1, a fifth server on the second", lvs.MH, "1", 5, "21.3 %", "at least 20 %"},
	} {
		from, err := newLab(ctx, c.scheduler, lvs.SimOptions{}, upTo(4)...)
		if err != nil {
			return err
		}
		defer from.client.Close()
		to, err := newLab(ctx, c.scheduler, lvs.SimOptions{}, upTo(c.servers)...)
		if err != nil {
			return err
		}
		defer to.client.Close()
		host := to.Host()
		defer host.Close()
		if err := host.SetSysctl(ctx, lvs.SysctlSloppyTCP, c.sloppy); err != nil {
			return err
		}
		t, err := workload.Failover(ctx, service, workload.Clients{Count: 10_000}, b.seed, from.Simulator, to.Simulator)
		if err != nil {
			return err
		}
		b.row(c.what, c.published, percent(t.Broken), c.remark)
	}
	return nil
}
