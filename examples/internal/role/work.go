package role

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
)

// work is what a program does to a host.
type work struct {
	arguments
	setup   lvs.Setup
	service lvs.Service // on a director
	servers []lvs.RealServer
	out     io.Writer
}

func (w *work) isDirector() bool { return w.service.ID.IsValid() }

// commands returns the commands of ipvsadm that add the service.
func (w *work) commands() (string, error) {
	if !w.isDirector() {
		return "", nil
	}
	changes := []lvs.Change{lvs.AddService(w.service)}
	for _, s := range w.servers {
		changes = append(changes, lvs.AddRealServer(w.service.ID, s))
	}
	return ipvsadm.Commands(changes...)
}

func (w *work) do(ctx context.Context, open Open) error {
	host, err := open(ctx)
	if w.dry {
		return w.show(ctx, host, err)
	}
	if err != nil {
		return err
	}
	defer host.Close()
	switch {
	case w.check:
		return w.look(ctx, host)
	case w.undo:
		return w.takeBack(ctx, host)
	}
	return w.apply(ctx, host)
}

// show prints the commands, and which of them would change nothing, as far as the
// host can be read.
func (w *work) show(ctx context.Context, host *lvs.Host, err error) error {
	if err != nil {
		fmt.Fprintf(w.out, "# the host cannot be read, so all commands are shown: %v\n%s", err, w.setup)
	} else {
		defer host.Close()
		plan, err := host.Plan(ctx, w.setup)
		if err != nil {
			return err
		}
		fmt.Fprint(w.out, plan)
	}
	commands, err := w.commands()
	fmt.Fprint(w.out, commands)
	return err
}

// look prints what is wrong with the host.
func (w *work) look(ctx context.Context, host *lvs.Host) error {
	report, err := host.Check(ctx, lvs.CheckOptions{Setup: w.setup})
	if err != nil {
		return err
	}
	count := len(report.Findings)
	for _, f := range report.Findings {
		fmt.Fprint(w.out, f)
	}
	if w.isDirector() {
		if _, err := host.Client().Service(ctx, w.service.ID); errors.Is(err, lvs.ErrNotFound) {
			fmt.Fprintf(w.out, "service-missing: nothing balances %s\n", w.service.ID)
			count++
		} else if err != nil {
			return err
		}
	}
	for _, f := range report.Unchecked {
		fmt.Fprintf(w.out, "not checked: %s: %s\n", f.Code, f.Advice)
	}
	if count > 0 {
		return fmt.Errorf("%d findings", count)
	}
	return nil
}

// apply sets the host up. The plan is saved before anything is changed, so that a run
// that is interrupted can be finished by the next, or reverted by -undo.
func (w *work) apply(ctx context.Context, host *lvs.Host) error {
	commands, err := w.commands()
	if err != nil {
		return err
	}
	s, err := load(w.file)
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case isNew:
		if s, err = w.plan(ctx, host); err == nil {
			err = s.save(w.file)
		}
	case err == nil && !s.isFor(w):
		err = fmt.Errorf("%s belongs to another setup: revert that with -undo first, or name another file with -plan", w.file)
	}
	if err != nil {
		return err
	}
	err = host.Apply(ctx, s.Plan)
	if err == nil && w.isDirector() {
		err = w.balance(ctx, host.Client())
	}
	if err != nil && isNew {
		return errors.Join(err, w.takeBack(context.WithoutCancel(ctx), host))
	}
	if err == nil {
		fmt.Fprintf(w.out, "%s%s# revert with -undo, which reads %s\n", s.Plan, commands, w.file)
	}
	return err
}

// balance makes the service what it should be. It leaves other services alone.
func (w *work) balance(ctx context.Context, client *lvs.Client) error {
	id := w.service.ID
	existing, err := client.RealServers(ctx, id)
	if err := lvs.Ignore(err, lvs.ErrNoService); err != nil {
		return err
	}
	changes := []lvs.Change{lvs.PutService(w.service)}
	for _, s := range w.servers {
		changes = append(changes, lvs.PutRealServer(id, s))
	}
	for _, h := range existing {
		if !slices.ContainsFunc(w.servers, func(s lvs.RealServer) bool { return s.Addr == h.Addr }) {
			changes = append(changes, lvs.RemoveRealServer(id, h.Addr))
		}
	}
	return client.Do(ctx, changes...)
}

// takeBack restores the host from what was saved.
func (w *work) takeBack(ctx context.Context, host *lvs.Host) error {
	s, err := load(w.file)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("nothing to undo: no plan was saved in %s", w.file)
	}
	if err != nil {
		return err
	}
	if s.Service.IsValid() && !s.WasThere {
		err = lvs.Ignore(host.Client().RemoveService(ctx, s.Service), lvs.ErrNoService)
	}
	left, uerr := host.Undo(ctx, s.Plan)
	for _, l := range left {
		fmt.Fprintf(w.out, "# left as it is: %s\n", l)
	}
	if err = errors.Join(err, uerr); err != nil {
		return err
	}
	return os.Remove(w.file)
}
