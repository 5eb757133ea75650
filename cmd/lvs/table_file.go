package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/director"
)

// wanted is what a file says: a plan, or a table.
type wanted struct {
	name string // of the file, for messages
	plan *lvs.TablePlan
	file tablefile.File
}

// readWanted reads a file with a table of any format, or with a saved plan.
func readWanted(ctx context.Context, env *cli.Env, path string) (w wanted, err error) {
	w.name = path
	if path == "-" {
		w.name = "standard input"
	}
	text, err := readText(ctx, env, path)
	if err != nil {
		return w, err
	}
	plan, err := tablefile.DecodePlan(text)
	switch {
	case err == nil:
		w.plan = &plan
	case errors.Is(err, tablefile.ErrNoPlan):
		w.file, err = tablefile.DecodeNamed(w.name, text)
	}
	return w, placedIn(w.name, err)
}

// openWanted is readWanted, and opens the host.
func openWanted(ctx context.Context, env *cli.Env, path string) (w wanted, host *lvs.Host, err error) {
	if w, err = readWanted(ctx, env, path); err == nil {
		host, err = env.Host(ctx)
	}
	return w, host, err
}

// readTableFile reads a file with a table of any format, and refuses a saved plan.
func readTableFile(ctx context.Context, env *cli.Env, path string) (tablefile.File, error) {
	w, err := readWanted(ctx, env, path)
	if err == nil && w.plan != nil {
		err = fmt.Errorf("%s is a saved plan, which 'lvs apply' applies once: name a file with a table", w.name)
	}
	return w.file, err
}

// readText returns the content of a file, or of the standard input for "-", and of one that
// is too large a bit more than may be read. It does not wait for it longer than until the
// context ends.
func readText(ctx context.Context, env *cli.Env, path string) ([]byte, error) {
	in := env.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	type read struct {
		text []byte
		err  error
	}
	done := make(chan read, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(in, tablefile.MaxSize+1))
		done <- read{text, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case r := <-done:
		return r.text, r.err
	}
}

// placedIn returns an error with the name of the file that is wrong, and the place if
// there is one.
func placedIn(name string, err error) error {
	if err == nil {
		return nil
	}
	var inside *director.FileError
	if errors.As(err, &inside) {
		return &director.FileError{Path: cmp.Or(inside.Path, name), Line: inside.Line, Column: inside.Column, Err: inside.Err}
	}
	placed := &director.FileError{Path: name, Err: err}
	var value *lvs.Error
	if errors.As(err, &value) {
		placed.Line, placed.Column = value.Line, value.Column
	}
	return placed
}
