package lvs

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

// Puts among other changes are made in their order, and their failures are those of
// the put's place.
func TestPutInBatch(t *testing.T) {
	_, c := simulatedClient(t)
	dns := netip.MustParseAddrPort("10.2.0.2:53")
	err := c.Do(t.Context(),
		PutService(Service{ID: webID, Scheduler: RR}),                                        // updates
		PutRealServer(webID, RealServer{Addr: webRIP, Weight: 7}),                            // updates
		PutRealServer(dnsID, NewRealServer(dns, DR())),                                       // fails: no service yet
		PutService(Service{ID: dnsID}),                                                       // adds
		PutRealServer(dnsID, NewRealServer(dns, DR())),                                       // adds
		PutService(Service{ID: FWMark(1), Scheduler: "nosuch"}),                              // fails
		AddRealServer(webID, NewRealServer(webRIP2, DR())),                                   // adds
		PutRealServer(FWMark(1), NewRealServer(netip.MustParseAddrPort("10.2.0.2:0"), DR())), // fails
	)
	batch := batchOf(t, err)
	want := []struct {
		index int
		op    Op
		kind  error
	}{{2, OpPutRealServer, ErrNoService}, {5, OpPutService, ErrScheduler}, {7, OpPutRealServer, ErrNoService}}
	if len(batch.Failures) != len(want) || batch.Total != 8 {
		t.Fatal(err)
	}
	for i, w := range want {
		f := batch.Failures[i]
		ofKind(t, f.Change.String(), f.Err, w.kind)
		if f.Index != w.index || f.Err.Op != w.op || f.Err.Outcome != OutcomeRefused || batch.Made(f.Index) {
			t.Errorf("failure %d is of change %d: %v", i, f.Index, f.Err)
		}
	}
	got, err := c.Snapshot(t.Context())
	must(t, err)
	text := ""
	for _, e := range got.Services {
		text += e.Service.String() + "\n"
		for _, s := range e.RealServers {
			text += "\t" + s.RealServer.String() + "\n"
		}
	}
	compare(t, "the table", "tcp://10.1.0.1:80 rr\n\t10.2.0.2:80 dr weight 7\n\t10.2.0.3:80 dr weight 1\n"+
		"udp://10.1.0.1:53 wlc\n\t10.2.0.2:53 dr weight 1\n", text)
}

// Another program removes what is put between the two commands.
func TestPutRace(t *testing.T) {
	sim, c := simulatedClient(t)
	other := sim.Client()
	defer other.Close()
	service, server := Service{ID: webID, Scheduler: RR}, RealServer{Addr: webRIP, Weight: 7}

	race := func(op Op, removal Change) {
		must(t, sim.Inject(SimFault{Op: op, Before: func() { must(t, other.Do(t.Context(), removal)) }}))
	}
	race(OpUpdateService, RemoveService(webID))
	ofKind(t, "the change", c.Do(t.Context(), PutService(service)), ErrNoService)
	must(t, c.Do(t.Context(), AddService(Service{ID: webID}), AddRealServer(webID, NewRealServer(webRIP, DR()))))

	race(OpUpdateRealServer, RemoveRealServer(webID, webRIP))
	ofKind(t, "the change of a real server", c.Do(t.Context(), PutRealServer(webID, server)), ErrNoRealServer)

	race(OpUpdateService, RemoveService(webID))
	must(t, c.PutService(t.Context(), service))
	must(t, c.AddRealServer(t.Context(), webID, NewRealServer(webRIP, DR())))
	race(OpUpdateRealServer, RemoveRealServer(webID, webRIP))
	must(t, c.PutRealServer(t.Context(), webID, server))
	if s, err := c.RealServer(t.Context(), webID, webRIP); err != nil || s.Weight != 7 {
		t.Errorf("after the race there is %v, %v", s, err)
	}
}

// The outcome of a put is that of its two commands.
func TestPutOutcomes(t *testing.T) {
	for _, lose := range []Op{OpAddService, OpUpdateService} {
		t.Run(string(lose), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sim, c := simulatedClient(t)
				must(t, sim.Inject(SimFault{Op: lose, LoseReply: true}))
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				var e *Error
				err := c.PutService(ctx, Service{ID: dnsID})
				if !errors.As(err, &e) || e.Outcome != OutcomeUnknown || e.Op != OpPutService || e.Kind() != context.DeadlineExceeded {
					t.Errorf("%v", err)
				}
			})
		})
	}
}
