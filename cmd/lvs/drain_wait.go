package main

import (
	"context"
	"fmt"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// drainLook is the time between two looks at what is drained.
const drainLook = 500 * time.Millisecond

// untilLook returns how long to wait before the next look: until a deadline, but no longer
// than drainLook.
func untilLook(drains ...lvs.Drain) time.Duration {
	wait := drainLook
	for _, d := range drains {
		if rest := time.Until(d.Deadline); rest > 0 {
			wait = min(wait, rest)
		}
	}
	return wait
}

// await waits for the end of a drain.
func (d *drain) await(ctx context.Context, env *cli.Env, client *lvs.Client, begun lvs.Drain) error {
	shown := newProgress(env)
	for {
		end, err := d.look(ctx, client, begun)
		if ctx.Err() != nil {
			shown.end()
			return interruptedDrain(begun)
		}
		if err != nil && lvs.Ignore(err, lvs.ErrBusy, lvs.ErrStuck) != nil {
			shown.end()
			return err
		}
		if end.Reason != "" {
			shown.end()
			return d.finish(env, end)
		}
		if err == nil {
			shown.say(time.Now(), fmt.Sprintf("%s left, %v until the deadline", count(end.Conns, "connection"), time.Until(begun.Deadline).Round(time.Second)))
		}
		select {
		case <-ctx.Done():
		case <-time.After(untilLook(begun)):
		}
	}
}

// look looks at what is drained, and removes it if that is wanted and due. Without a
// Reason, the drain goes on.
func (d *drain) look(ctx context.Context, client *lvs.Client, begun lvs.Drain) (lvs.DrainEnd, error) {
	now := lvs.DrainEnd{Drain: begun, Ended: time.Now()}
	servers, err := client.RealServers(ctx, begun.Service)
	if err != nil && lvs.Ignore(err, lvs.ErrNoService) != nil {
		return now, err
	}
	there := false
	for _, r := range servers {
		if begun.RealServer.IsValid() && r.Addr != begun.RealServer {
			continue
		}
		there = true
		now.Conns += r.ActiveConns + r.InactiveConns
		now.PersistentConns += r.PersistentConns
		if r.Weight != 0 {
			now.Reason = lvs.DrainTakenBack
		}
	}
	if d.remove {
		_, ended, err := client.ContinueDrains(ctx, []lvs.Drain{begun})
		if len(ended) > 0 {
			return ended[0], nil
		}
		return lvs.DrainEnd{Drain: begun, Conns: now.Conns}, err
	}
	switch {
	case now.Reason != "":
	case !there && (begun.RealServer.IsValid() || err != nil):
		now.Reason = lvs.DrainGoneAlready
	case now.Conns == 0 && (now.PersistentConns == 0 || !d.persistent):
		now.Reason = lvs.DrainedConns
	case !time.Now().Before(begun.Deadline):
		now.Reason = lvs.DrainedDeadline
	}
	return now, nil
}

// finish says how a drain ended.
func (d *drain) finish(env *cli.Env, end lvs.DrainEnd) error {
	if d.state != "" && end.Reason != lvs.DrainedDeadline && end.Reason != lvs.DrainedConns || d.remove && d.state != "" {
		if err := forgetDrains(d.state, []lvs.DrainEnd{end}); err != nil {
			return err
		}
	}
	what := drained(end.Drain)
	switch {
	case end.Reason == lvs.DrainTakenBack:
		return fmt.Errorf("%s: another program has raised the weight again, so it is not drained. 'lvs run' does so: set weight 0 in its file instead", what)
	case end.Reason == lvs.DrainGoneAlready:
		return fmt.Errorf("%s: another program has removed it", what)
	case d.remove:
		fmt.Fprintln(env.Out, end)
	case end.Reason == lvs.DrainedConns:
		fmt.Fprintf(env.Out, "%s: no connections left; it stays with weight 0\n", what)
	default:
		fmt.Fprintf(env.Out, "%s: %s left at the deadline, which continue; it stays with weight 0\n", what, count(end.Conns, "connection"))
	}
	if end.Reason == lvs.DrainedDeadline {
		return cli.Exit{Status: 2}
	}
	return nil
}

// interruptedDrain says what an interrupt leaves behind.
func interruptedDrain(d lvs.Drain) error {
	back := fmt.Sprintf("lvs undrain %s", d.Service)
	if d.RealServer.IsValid() && len(d.Before) == 1 {
		back = fmt.Sprintf("lvs undrain %s %s %d", d.Service, d.RealServer, max(1, d.Before[0].Weight))
	}
	return cli.Exit{Status: 130, Err: fmt.Errorf("interrupted: %s keeps weight 0 and its connections, and nothing was removed; '%s' takes that back", drained(d), back)}
}
