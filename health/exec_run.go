package health

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// outputLimit is how much of what a program prints is kept.
const outputLimit = 4096

// mostPrograms is how many programs run at a time: each needs a process, and a thread of
// this program, of which Go allows 10,000.
const mostPrograms = 1000

// slots has an element for each program that runs.
var slots = make(chan struct{}, mostPrograms)

// program is a program that is run to its end.
type program struct {
	argv  []string
	env   []string // its whole environment
	stdin []byte   // nil is empty
}

// outcome is how a program ended.
type outcome struct {
	output []byte // the first bytes of what it printed, on either stream
	code   int    // its exit status; -1 if it was killed
}

// run starts a program in a process group of its own, and kills the group when the
// context ends or the program has ended, so that nothing in it is left. A process that
// leaves the group, as daemons do, goes on, and is not waited for. The program inherits
// only its standard streams. If too many run, it waits for one to end. The error says that
// it did not start or was killed; an exit status is an outcome.
func (p program) run(ctx context.Context) (outcome, error) {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	case <-ctx.Done():
		return outcome{}, fmt.Errorf("%s was not started, because %d programs were running: %w", p.argv[0], mostPrograms, ctx.Err())
	}
	var out head
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Env = p.env
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would be all of this program's
	}
	cmd.Stdout, cmd.Stderr = &out, &out
	if p.stdin != nil {
		cmd.Stdin = bytes.NewReader(p.stdin)
	}
	// A program that has ended may have left others that hold its output open.
	cmd.WaitDelay = 100 * time.Millisecond
	defer group(cmd)()
	if err := cmd.Start(); err != nil {
		return outcome{}, fmt.Errorf("cannot start %s: %w", p.argv[0], err)
	}
	err := cmd.Wait()
	end(cmd)
	result := outcome{output: out.kept, code: cmd.ProcessState.ExitCode()}
	switch exit := (*exec.ExitError)(nil); {
	case ctx.Err() != nil:
		return result, fmt.Errorf("%s was killed: %w", p.argv[0], ctx.Err())
	case errors.As(err, &exit) && !exit.Exited():
		return result, fmt.Errorf("%s: %w", p.argv[0], err)
	case err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay):
		return result, fmt.Errorf("%s: %w", p.argv[0], err)
	}
	return result, nil
}

// head keeps the first bytes that are written to it, and takes all, so that a program
// that prints much is not stopped by it.
type head struct{ kept []byte }

func (h *head) Write(b []byte) (int, error) {
	room := outputLimit - len(h.kept)
	h.kept = append(h.kept, b[:min(room, len(b))]...)
	return len(b), nil
}
