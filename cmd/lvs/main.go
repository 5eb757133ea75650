// Command lvs shows and drives the load balancer of this machine's kernel, or of a
// simulated one. See "lvs help".
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func main() { os.Exit(launch(interruptible(context.Background()), os.Args)) }

// interruptible returns a context that ends with the first interrupt. The command then
// takes back what it was doing, or says what it leaves. A second interrupt ends the
// program at once.
func interruptible(ctx context.Context) context.Context {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, terminate)
	context.AfterFunc(ctx, stop)
	return ctx
}

// launch runs the program with the standard streams, and returns its exit status.
func launch(ctx context.Context, argv []string) int {
	env := &cli.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Notify: notify}
	return program().Main(ctx, env, argv)
}
