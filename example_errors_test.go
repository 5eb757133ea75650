package lvs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"

	"github.com/golvs/lvs"
)

// Find out what failed, why, and whether it may have happened nevertheless.
func ExampleError() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	if err := client.AddService(ctx, lvs.Service{ID: web, Scheduler: lvs.RR}); err != nil {
		log.Fatal(err)
	}
	// Direct routing does not rewrite ports.
	err := client.AddRealServer(ctx, web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:8080"), lvs.DR()))

	var e *lvs.Error
	if errors.As(err, &e) {
		fmt.Println("operation:", e.Op)
		fmt.Println("object:   ", e.Object)
		fmt.Println("field:    ", e.Field)
		fmt.Println("outcome:  ", e.Outcome)
		fmt.Println("invalid:  ", errors.Is(err, lvs.ErrInvalid))
	}
	// Output:
	// operation: add-real-server
	// object:    tcp://10.168.0.91:80 -> 10.168.0.94:8080
	// field:     Addr
	// outcome:   refused
	// invalid:   true
}

// Decide what to do about each change that failed.
func ExampleBatchError() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	missing := lvs.TCP(netip.MustParseAddrPort("10.168.0.92:80"))
	rs1 := lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())
	err := client.Do(ctx,
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, rs1),
		lvs.AddRealServer(missing, rs1),
		lvs.RemoveRealServer(web, netip.MustParseAddrPort("10.168.0.95:80")),
	)
	var batch *lvs.BatchError
	if errors.As(err, &batch) {
		for _, f := range batch.Failures {
			switch {
			case f.Err.Outcome != lvs.OutcomeRefused:
				fmt.Println("try again:", f.Change)
			case errors.Is(f.Err, lvs.ErrNoService):
				fmt.Println("add the service first:", f.Change)
			case errors.Is(f.Err, lvs.ErrNoRealServer):
				fmt.Println("already gone:", f.Change)
			default:
				fmt.Println(f.Err)
			}
		}
		fmt.Println("first change made:", batch.Made(0))
	}
	// Output:
	// add the service first: + tcp://10.168.0.92:80 -> 10.168.0.94:80 dr weight 1
	// already gone: - tcp://10.168.0.91:80 -> 10.168.0.95:80
	// first change made: true
}

// Remove the failures that do not matter, and see the others.
func ExampleIgnore() {
	ctx := context.Background()
	client := newClient()
	defer client.Close()

	web := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	changes := []lvs.Change{
		lvs.AddService(lvs.Service{ID: web, Scheduler: lvs.RR}),
		lvs.AddRealServer(web, lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.DR())),
	}
	for range 2 { // the second time, both exist
		err := lvs.Ignore(client.Do(ctx, changes...), lvs.ErrExists)
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}
