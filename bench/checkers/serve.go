//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/keepalived"
)

// serve balances as a keepalived.conf says, until the context ends.
func serve(ctx context.Context, path string) error {
	config, err := keepalived.ReadFile(path, keepalived.Options{})
	if err != nil {
		return err
	}
	for _, n := range config.Notes {
		fmt.Fprintln(os.Stderr, n)
	}
	client, err := lvs.Open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	d, err := director.New(client, director.Options{OnEvent: func(e director.Event) { fmt.Fprintln(os.Stderr, e) }})
	if err != nil {
		return err
	}
	if err := d.Update(director.Update{Table: config.Table, Health: config.Policies}); err != nil {
		return err
	}
	if err := d.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}
