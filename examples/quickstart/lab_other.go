//go:build !linux

package main

import (
	"context"
	"errors"
	"net"
	"net/netip"
)

var errNeedsLinux = errors.New("the quickstart's network is made of Linux network namespaces")

type lab struct{}

func newLab() (*lab, error) { return nil, errNeedsLinux }

func (*lab) close() {}

func (*lab) directorFD() uintptr { return 0 }

func (*lab) dial(context.Context, netip.Addr, netip.AddrPort) (net.Conn, error) {
	return nil, errNeedsLinux
}
