//go:build linux

package main

import "context"

// fault is a way in which a real server breaks.
type fault struct {
	name       string
	start, end func(context.Context, *lab, *webServer) error
}

var faults = []fault{
	{"process gone",
		func(_ context.Context, _ *lab, w *webServer) error { w.stop(); return nil },
		func(_ context.Context, _ *lab, w *webServer) error { return w.start() }},
	{"no answer",
		func(ctx context.Context, l *lab, w *webServer) error {
			return commands(ctx, l.servers, "ip rule add from "+w.addr.Addr().String()+" blackhole")
		},
		func(ctx context.Context, l *lab, w *webServer) error {
			return commands(ctx, l.servers, "ip rule del from "+w.addr.Addr().String()+" blackhole")
		}},
}
