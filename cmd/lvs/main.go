// Command lvs shows and drives the load balancer of this machine's kernel, or of a
// simulated one. See "lvs help".
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, terminate)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program at once
	env := &cli.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv, Notify: notify}
	os.Exit(program().Main(ctx, env, os.Args))
}
