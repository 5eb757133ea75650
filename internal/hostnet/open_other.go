//go:build !linux

package hostnet

import (
	"context"
	"errors"
	"net/netip"
)

// Network is there on Linux only.
type Network struct{}

func (*Network) Find(Fact) (Fact, error)                   { return nil, errors.ErrUnsupported }
func (*Network) Put(Fact) error                            { return errors.ErrUnsupported }
func (*Network) Remove(Fact) error                         { return errors.ErrUnsupported }
func (*Network) Settled(Fact) (bool, error)                { return true, errors.ErrUnsupported }
func (*Network) Identity() (string, error)                 { return "", errors.ErrUnsupported }
func (*Network) Links() ([]Link, error)                    { return nil, errors.ErrUnsupported }
func (*Network) Addresses() ([]Address, error)             { return nil, errors.ErrUnsupported }
func (*Network) Lookup(to, from netip.Addr) (Route, error) { return Route{}, errors.ErrUnsupported }
func (*Network) Observe(context.Context) (Observed, error) { return Observed{}, errors.ErrUnsupported }
