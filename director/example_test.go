package director_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

// A table is wanted, and another program changes it. The kernel is simulated here; a
// program that runs as root uses [lvs.Open].
func Example() {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, other := sim.Client(), sim.Client()
	defer client.Close()
	defer other.Close()

	web := lvs.TableService{
		Service:     lvs.Service{ID: lvs.MustParseServiceID("tcp://10.168.0.91:80"), Scheduler: lvs.WRR},
		RealServers: []lvs.RealServer{lvs.NewRealServer(netip.MustParseAddrPort("10.168.0.94:80"), lvs.NAT())},
	}
	ctx, cancel := context.WithCancel(context.Background())
	d, err := director.New(client, director.Options{
		Source: director.Fixed(lvs.Table{Services: []lvs.TableService{web}}),
		Resync: 10 * time.Millisecond, // 30 seconds by default
		OnEvent: func(e director.Event) {
			fmt.Println(e)
			switch e := e.(type) {
			case director.Applied:
				// Another program changes a weight, once.
				busy := web.RealServers[0]
				busy.Weight = 5
				if len(e.Plan.Steps) == 2 {
					fmt.Println(other.UpdateRealServer(ctx, web.ID, busy))
				}
			case director.Drift:
				cancel()
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Run(ctx))
	fmt.Println(d.Status().InSync)
	// Output:
	// applied 2 steps
	// <nil>
	// tcp://10.168.0.91:80 -> 10.168.0.94:80: another program changed it from 10.168.0.94:80 nat weight 1 to 10.168.0.94:80 nat weight 5; repaired
	// applied 1 step
	// context canceled
	// true
}

// keepFile keeps the table that a file describes until the context ends. It may be
// killed at any moment: the state file is what the next run needs to know.
func keepFile(ctx context.Context, client *lvs.Client, path string, report func(director.Event)) error {
	d, err := director.New(client, director.Options{
		Source:    director.File{Path: path},
		StateFile: path + ".state",
		Table:     lvs.TableOptions{Prune: true, Drain: 5 * time.Minute},
		OnEvent:   report,
	})
	if err != nil {
		return err
	}
	return d.Run(ctx)
}

// A file is watched, and found broken. A decoder for YAML is in cmd/lvs.
func ExampleFile() {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	client := sim.Client()
	defer client.Close()
	ctx, cancel := context.WithCancel(context.Background())
	err = keepFile(ctx, client, "testdata/broken.json", func(e director.Event) {
		fmt.Println(e)
		cancel()
	})
	fmt.Println(err)
	// Output:
	// the last wanted table stays, because the new one cannot be used: testdata/broken.json:5:47: lvs: parse table: services[0].scheduler: is 5, and must be a string
	// context canceled
}
