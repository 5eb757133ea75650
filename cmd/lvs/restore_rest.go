package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/ipvsadm"
)

// restoredRest is what a restore has changed besides the table. It is restored first,
// because a table that fails takes itself back.
type restoredRest struct {
	client   *lvs.Client
	timeouts lvs.Timeouts // before; zero if they were not changed
	started  []lvs.SyncDaemon
	kept     []lvs.SyncDaemon // of the file, with other settings than the ones that run
}

// restore sets the timeouts and starts the sync daemons of a file.
func (r *restoredRest) restore(ctx context.Context, file ipvsadm.File) error {
	was, err := r.client.Timeouts(ctx)
	if err != nil {
		return err
	}
	if mergeTimeouts(file.Timeouts, was) != was {
		r.timeouts = was
		if err := r.client.SetTimeouts(ctx, file.Timeouts); err != nil {
			return err
		}
	}
	if len(file.SyncDaemons) == 0 {
		return nil
	}
	running, err := r.client.SyncDaemons(ctx)
	if err != nil {
		return err
	}
	r.kept = nil
	for _, want := range file.SyncDaemons {
		if i := slices.IndexFunc(running, func(d lvs.SyncDaemon) bool { return d.Role == want.Role }); i >= 0 {
			if !mergeDaemon(want, running[i]).Equal(running[i]) {
				r.kept = append(r.kept, want)
			}
			continue
		}
		if err := r.client.StartSyncDaemon(ctx, want); err != nil {
			return err
		}
		r.started = append(r.started, want)
	}
	return nil
}

// takeBack undoes what restore did.
func (r *restoredRest) takeBack(ctx context.Context) error {
	var failed []error
	for _, d := range r.started {
		if err := r.client.StopSyncDaemon(ctx, d.Role); lvs.Ignore(err, lvs.ErrNotFound) != nil {
			failed = append(failed, fmt.Errorf("the %s sync daemon could not be stopped again: %w", d.Role, err))
		}
	}
	if r.timeouts != (lvs.Timeouts{}) {
		if err := r.client.SetTimeouts(ctx, r.timeouts); err != nil {
			failed = append(failed, fmt.Errorf("the timeouts could not be set back to %v: %w", r.timeouts, err))
		}
	}
	*r = restoredRest{client: r.client}
	return errors.Join(failed...)
}

// printKept names the daemons that run with other settings than those of the file.
func (r *restoredRest) printKept(env *cli.Env) {
	for _, d := range r.kept {
		fmt.Fprintf(env.Err, "lvs: a %s sync daemon runs already with other settings, and stays as it is; 'lvs ipvsadm --stop-daemon %s' stops it\n", d.Role, d.Role)
	}
}

// String returns what was changed, behind a semicolon, or "".
func (r *restoredRest) String() (text string) {
	if r.timeouts != (lvs.Timeouts{}) {
		text += "; timeouts set"
	}
	if n := len(r.started); n > 0 {
		text += "; " + count(n, "sync daemon") + " started"
	}
	return text
}

// mergeTimeouts returns timeouts with those of others where they are zero.
func mergeTimeouts(t, others lvs.Timeouts) lvs.Timeouts {
	return lvs.Timeouts{TCP: cmp.Or(t.TCP, others.TCP), TCPFin: cmp.Or(t.TCPFin, others.TCPFin), UDP: cmp.Or(t.UDP, others.UDP)}
}

// mergeDaemon returns a daemon with the settings of another where it has none.
func mergeDaemon(d, other lvs.SyncDaemon) lvs.SyncDaemon {
	d.MaxLen, d.Port, d.TTL = cmp.Or(d.MaxLen, other.MaxLen), cmp.Or(d.Port, other.Port), cmp.Or(d.TTL, other.TTL)
	if !d.Group.IsValid() {
		d.Group = other.Group
	}
	return d
}
