package health_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/golvs/lvs/health"
)

// A probe works without a monitor, too.
func ExampleHTTP() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" {
			w.Header().Set("X-Share", "50%") // the server is busy
			fmt.Fprint(w, "ready for ", r.Host)
		} else {
			http.Error(w, "the database is gone", http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	target := health.Target{Addr: netip.MustParseAddrPort(server.Listener.Addr().String())}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, probe := range []health.HTTP{
		{Path: "/ready", Host: "example.org", Contains: "ready for example.org", ShareHeader: "X-Share"},
		{Path: "/database"},
	} {
		answer, err := probe.Probe(ctx, target)
		fmt.Println(probe, answer.Share, err)
	}
	// Output:
	// http example.org/ready 0.5 <nil>
	// http /database 0 the status is 503 Service Unavailable, and must be 200-299
}

// One of two ports must answer, and a program's own function must agree.
func ExampleAll() {
	probe := health.All{
		health.Any{health.TCP{Port: 1}, health.TCP{}},
		&health.Func{Name: "inventory", Ask: func(_ context.Context, t health.Target) (health.Answer, error) {
			return health.Answer{}, fmt.Errorf("%s is not in the inventory", t.Addr.Addr())
		}},
	}
	server := httptest.NewServer(nil)
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := probe.Probe(ctx, health.Target{Addr: netip.MustParseAddrPort(server.Listener.Addr().String())})
	fmt.Println(probe)
	fmt.Println(err)
	// Output:
	// all (any (tcp :1, tcp), inventory)
	// inventory: 127.0.0.1 is not in the inventory
}

// A policy is read strictly, and says where it is wrong.
func ExamplePolicy_json() {
	for _, text := range []string{
		`{"checks": [{"probe": {"http": {"path": "/ready", "tls": {"minValidity": "72h"}}}, "interval": "5s"}]}`,
		`{"checks": [{"probe": {"http": {"path": "/ready", "tls": {"minValidty": "72h"}}}, "interval": "5s"}]}`,
	} {
		var policy health.Policy
		if err := json.Unmarshal([]byte(text), &policy); err != nil {
			fmt.Println(err)
			continue
		}
		written, _ := json.Marshal(policy)
		fmt.Println(string(written))
	}
	// Output:
	// {"checks":[{"probe":{"http":{"path":"/ready","tls":{"minValidity":"72h0m0s"}}},"interval":"5s"}]}
	// health: checks[0].probe.http.tls.minValidty: is not a known field; want serverName, ca, caFile, certFile, keyFile, insecure, minValidity
}
