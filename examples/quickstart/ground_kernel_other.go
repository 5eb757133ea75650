//go:build !linux

package main

import (
	"context"

	"github.com/golvs/lvs"
)

func onKernel(context.Context) (*ground, error) { return nil, lvs.ErrUnavailable }
