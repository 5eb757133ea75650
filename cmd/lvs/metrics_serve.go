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
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Limits of the server, so that no client keeps its memory or its connections for long.
const (
	metricsRequests = 4 // at a time
	metricsHeader   = 16 << 10
	metricsIdle     = time.Minute
	metricsRead     = 5 * time.Second
	metricsEnd      = 5 * time.Second // for scrapes that are under way
)

// serveMetrics serves the metrics until the context ends.
func serveMetrics(ctx context.Context, env *cli.Env, address string, collector *metrics.Collector) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("%w; name another address with -listen", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(collector, promhttp.HandlerOpts{MaxRequestsInFlight: metricsRequests}))
	server := &http.Server{
		Handler: mux, ReadTimeout: metricsRead, IdleTimeout: metricsIdle, MaxHeaderBytes: metricsHeader,
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
