package lvs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// openBoth returns what Open and OpenHost say of options, without a network.
func openBoth(ctx context.Context, options ...Option) (client, host error) {
	c, client := Open(ctx, options...)
	if client == nil {
		c.Close()
	}
	h, host := OpenHost(ctx, options...)
	if host == nil {
		h.Close()
	}
	return client, host
}

// Options without a value do nothing, and do not panic.
func TestNilOptions(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantClient, wantHost := openBoth(ctx)
	client, host := openBoth(ctx, nil, WithLogger(nil), nil)
	if fmt.Sprint(client) != fmt.Sprint(wantClient) || fmt.Sprint(host) != fmt.Sprint(wantHost) {
		t.Errorf("got %v and %v, want %v and %v", client, host, wantClient, wantHost)
	}
	s, err := NewSimulator(SimOptions{Logger: nil})
	must(t, err)
	must(t, s.Client().Flush(t.Context()))
	_, err = s.Host().Sysctl(t.Context(), SysctlConntrack)
	must(t, err)
}

// notes collects what is logged.
func notes() (*slog.Logger, *strings.Builder) {
	b := new(strings.Builder)
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug})), b
}

// The logger of a simulator is that of its clients and hosts.
func TestSimulatorLogs(t *testing.T) {
	log, noted := notes()
	s, err := NewSimulator(SimOptions{Logger: log})
	must(t, err)
	ctx := t.Context()
	for name, c := range map[string]*Client{"client": s.Client(), "host": s.Host().Client()} {
		noted.Reset()
		must(t, c.Flush(ctx))
		if got := noted.String(); !strings.Contains(got, "lvs: make changes") {
			t.Errorf("of a %s is logged: %q", name, got)
		}
	}
}

func TestWithSimulators(t *testing.T) {
	var simulators [2]*Simulator
	logs, noted := notes()
	for i := range simulators {
		s, err := NewSimulator(SimOptions{Logger: logs})
		must(t, err)
		simulators[i] = s
	}
	ns1 := filepath.Join("/run/netns", "ns1")
	all := map[string]*Simulator{"": simulators[0], "ns1": simulators[1], ns1: simulators[1], "nil": nil}
	ctx := WithSimulators(t.Context(), all)
	clear(all)

	h, err := OpenHost(ctx, InNamespace("ns1"))
	must(t, err)
	must(t, h.SetSysctl(ctx, SysctlConntrack, "1"))
	must(t, h.Client().AddService(ctx, Service{ID: simWeb}))
	must(t, h.Close())
	for _, c := range []struct {
		opts []Option
		want int // services
	}{{nil, 0}, {[]Option{InNamespace("ns1")}, 1}, {[]Option{InNamespace(ns1)}, 1}, {[]Option{InNamespaceFile(nil), InNamespace("ns1")}, 1}} {
		client, err := Open(ctx, c.opts...)
		must(t, err)
		if services, err := client.Services(ctx); err != nil || len(services) != c.want {
			t.Errorf("%d options: %d services, %v; want %d", len(c.opts), len(services), err, c.want)
		}
		host, err := OpenHost(ctx, c.opts...)
		must(t, err)
		if tracks, err := host.SysctlInt(ctx, SysctlConntrack); err != nil || tracks != c.want {
			t.Errorf("%d options: conntrack is %d, %v; want %d", len(c.opts), tracks, err, c.want)
		}
	}
	file, err := os.Open(os.DevNull)
	must(t, err)
	defer file.Close()
	for option, opts := range map[string][]Option{
		"InNamespace": {InNamespace("ns2")}, "InNamespaceFile": {InNamespace("ns1"), InNamespaceFile(file)},
	} {
		client, host := openBoth(ctx, opts...)
		for _, err := range []error{client, host} {
			var e *Error
			if !errors.As(err, &e) || e.Field != option || !errors.Is(err, ErrInvalid) || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", option, err)
			}
		}
	}
	client, host := openBoth(ctx, InNamespace("nil"))
	ofKind(t, "a client of a nil simulator", client, ErrInvalid)
	ofKind(t, "a host of a nil simulator", host, ErrInvalid)

	// The program's logger counts.
	own, ownNotes := notes()
	noted.Reset()
	c, err := Open(ctx, WithLogger(own))
	must(t, err)
	must(t, c.Flush(ctx))
	if noted.Len() > 0 || !strings.Contains(ownNotes.String(), "lvs: make changes") {
		t.Errorf("logged by the simulator: %q; by the program: %q", noted, ownNotes)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if client, host := openBoth(ended); !errors.Is(client, context.Canceled) || !errors.Is(host, context.Canceled) {
		t.Errorf("after the end of the context: %v, %v", client, host)
	}
}
