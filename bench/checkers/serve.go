//go:build linux

package main

import (
	"context"
	"errors"
)

// serve balances as a keepalived.conf says, until the context ends.
func serve(ctx context.Context, config string) error {
	return errors.New("TODO")
}
