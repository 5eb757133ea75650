package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/metrics"
)

// Limits of the server, so that no client keeps its memory or its connections for long.
const (
	metricsRequests = 4 // at a time
	metricsHeader   = 16 << 10
	metricsIdle     = time.Minute
	metricsRead     = 5 * time.Second
	metricsWrite    = time.Minute
	metricsEnd      = 5 * time.Second // for scrapes that are under way
)

// serveMetrics serves the metrics until the context ends.
func serveMetrics(ctx context.Context, env *cli.Env, address string, collector *metrics.Collector) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w; name another address", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", limitRequests(metricsRequests, collector))
	server := &http.Server{
		Handler: mux, ReadTimeout: metricsRead, WriteTimeout: metricsWrite, IdleTimeout: metricsIdle, MaxHeaderBytes: metricsHeader,
	}
	fmt.Fprintf(env.Err, "lvs: metrics are at http://%s/metrics\n", listener.Addr())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), metricsEnd)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close() // the scrapes that are left are cut off
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// limitRequests returns a handler that refuses requests while n others are served.
func limitRequests(n int, h http.Handler) http.Handler {
	places := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case places <- struct{}{}:
			defer func() { <-places }()
			h.ServeHTTP(w, r)
		default:
			http.Error(w, fmt.Sprintf("%d scrapes are under way: try again later", n), http.StatusServiceUnavailable)
		}
	})
}
