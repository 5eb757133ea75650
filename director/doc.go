// Package director keeps the kernel's IPVS table as it is wanted. A [Director] reads
// the table, compares it with the wanted one, makes the changes that are missing, and
// looks again at intervals: what other programs change is reported and put right, real
// servers that are not wanted any more are drained, and what failed is tried again
// later. This is all that a program needs for a table in a file:
//
//	d, err := director.New(client, director.Options{
//		Table:     lvs.TableOptions{Prune: true, Drain: 5 * time.Minute},
//		StateFile: "/var/lib/web/table.json",
//		Source:    director.File{Path: "/etc/web/table.json"},
//	})
//	if err != nil {
//		return err
//	}
//	return d.Run(ctx)
//
// A program that computes its table calls [Director.Set] whenever it may have changed,
// from any goroutine, while Run runs in another one.
//
// Two options have zero values that suit few programs. Without Drain, real servers that
// are not wanted any more are removed at once, and their connections are cut. Without
// Prune, services that are not wanted any more stay as they are, and are listed in
// [Status.Unwanted].
//
// # One owner
//
// One Director owns the services in its scope: two of them that want different things
// of the same service undo each other's changes, at a rate that falls. Directors with
// different scopes, in one process or in several, do not touch each other. Everything
// that a Director does, it does within [Director.Run]: goroutines, which it starts only
// for checks, overrides and hooks, end with it.
//
// # What wins
//
// A Director is level-triggered: it acts on how the table is and how it should be,
// whatever happened in between. Only the newest wanted table counts. Tables that come
// within a tenth of a second are applied as one.
//
// A wanted table that would remove too many real servers at once is refused, and the
// one before is kept true: see [Options.MaxRemoval]. So is a file that cannot be read or
// decoded.
//
// # Health
//
// [Update.Health] says how real servers are checked, and [File] reads that from the file
// of the table: see [Config]. What package health finds out decides their weights, and
// whether failed ones stay. It is applied at once, whatever [Options.MaxRemoval] says,
// and is not a drift. The wanted table has the weights of servers that work; one that has
// just been added gets none before its first success, and one that has a weight when a
// Director begins keeps it until a check has decided.
//
// Operators override that for single real servers: [Director.Override], or
// [Options.OverridesFile] from another process. Overrides outlive new tables, and with a
// file the process.
//
// [Update.Hooks] are programs that run for what the checks find out, such as one that
// withdraws a route when too few real servers work. They end with Run.
//
// # When it ends
//
// When the context of Run ends, the table stays as it is. Drains that are under way are
// in the state file, and the next run goes on with them, with the time that they have
// left. That is also so after the process was killed at any moment.
package director
