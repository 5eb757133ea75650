package lvs_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"slices"
	"time"

	"github.com/golvs/lvs"
)

var (
	vip   = netip.MustParseAddrPort("10.168.0.91:80")
	site  = lvs.TCP(vip)
	first = netip.MustParseAddrPort("10.168.0.94:80")
	other = netip.MustParseAddrPort("10.168.0.95:80")
)

// simulated returns a simulator with a service of two real servers.
func simulated(scheduler lvs.Scheduler, o lvs.SimOptions) *lvs.Simulator {
	sim, err := lvs.NewSimulator(o)
	if err != nil {
		log.Fatal(err)
	}
	err = sim.Client().Do(context.Background(),
		lvs.AddService(lvs.Service{ID: site, Scheduler: scheduler}),
		lvs.AddRealServer(site, lvs.RealServer{Addr: first, Weight: 3}),
		lvs.AddRealServer(site, lvs.RealServer{Addr: other, Weight: 1}),
	)
	if err != nil {
		log.Fatal(err)
	}
	return sim
}

// client is the i-th client of an example.
func client(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 40000)
}

func ExampleNewSimulator() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{Kernel: "6.1.176"})
	if err != nil {
		log.Fatal(err)
	}
	client := sim.Client() // as lvs.Open returns it
	defer client.Close()
	if err := client.AddService(ctx, lvs.Service{ID: site, Scheduler: lvs.RR}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.AddService(ctx, lvs.Service{ID: site, Scheduler: lvs.RR}))
	// Output:
	// lvs: add service tcp://10.168.0.91:80: already exists (EEXIST); update it to replace it
}

func ExampleSimulator_Connect() {
	sim := simulated(lvs.WRR, lvs.SimOptions{})
	for i := range 4 {
		conn, err := sim.Connect(lvs.Flow{Client: client(i), VIP: vip})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(conn.Server(), conn.State())
	}
	// Output:
	// 10.168.0.95:80 ESTABLISHED
	// 10.168.0.94:80 ESTABLISHED
	// 10.168.0.94:80 ESTABLISHED
	// 10.168.0.94:80 ESTABLISHED
}

func ExampleSimConn() {
	sim := simulated(lvs.RR, lvs.SimOptions{})
	conn, err := sim.Connect(lvs.Flow{Client: client(1), VIP: vip})
	if err != nil {
		log.Fatal(err)
	}
	if err := conn.Send(1200); err != nil {
		log.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		log.Fatal(err)
	}
	// With direct routing the server's own FIN does not pass the director.
	fmt.Println(conn.State())
	// Output:
	// FIN_WAIT
}

func ExampleSimulator_Deliver() {
	ctx := context.Background()
	sim := simulated(lvs.RR, lvs.SimOptions{})
	syn := lvs.SimPacket{Protocol: lvs.ProtocolTCP, Source: client(1), Destination: vip, TCP: lvs.SimSYN}
	deliver := func() {
		v, err := sim.Deliver(syn)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(v)
	}
	deliver()
	for _, addr := range []netip.AddrPort{first, other} {
		if err := sim.Client().SetWeight(ctx, site, addr, 0); err != nil {
			log.Fatal(err)
		}
	}
	syn.Source = client(2)
	deliver()
	syn.TCP = lvs.SimACK
	deliver()
	// Output:
	// forwarded to 10.168.0.95:80 by dr: the scheduler picked it
	// refused: the scheduler finds no server with a weight and below its upper threshold
	// passed on: it belongs to no connection and cannot open one
}

func ExampleSimulator_Advance() {
	ctx := context.Background()
	sim := simulated(lvs.RR, lvs.SimOptions{})
	_, err := sim.Client().ModifyService(ctx, site, func(s *lvs.Service) { s.Persistence.Timeout = 5 * time.Minute })
	if err != nil {
		log.Fatal(err)
	}
	from := client(1)
	connect := func() {
		from = netip.AddrPortFrom(from.Addr(), from.Port()+1)
		conn, err := sim.Connect(lvs.Flow{Client: from, VIP: vip})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(conn.Verdict())
	}
	connect()
	connect() // round robin would take the other server
	if err := sim.Advance(time.Hour); err != nil {
		log.Fatal(err)
	}
	connect() // persistence has run out
	// Output:
	// forwarded to 10.168.0.95:80 by dr: the scheduler picked it
	// forwarded to 10.168.0.95:80 by dr: persistence ties the client to it
	// forwarded to 10.168.0.94:80 by dr: the scheduler picked it
}

func ExampleSimulator_Inject() {
	ctx := context.Background()
	sim := simulated(lvs.RR, lvs.SimOptions{})
	client := sim.Client()
	// Another program removes the server after it is read and before it is written.
	err := sim.Inject(lvs.SimFault{Op: lvs.OpUpdateRealServer, Before: func() {
		if err := client.RemoveRealServer(ctx, site, first); err != nil {
			log.Fatal(err)
		}
	}})
	if err != nil {
		log.Fatal(err)
	}
	err = client.SetWeight(ctx, site, first, 0)
	fmt.Println(errors.Is(err, lvs.ErrNotFound))
	// Output:
	// true
}

// leastWeighted picks the usable server with the fewest connections of all kinds
// for its weight.
type leastWeighted struct{ service *lvs.SimService }

func (p leastWeighted) Pick(lvs.Flow) (best lvs.SimServer) {
	found := false
	for s := range p.service.Servers() {
		if s.IsUsable() && (!found || conns(s)*best.Weight() < conns(best)*s.Weight()) {
			best, found = s, true
		}
	}
	return best
}

func conns(s lvs.SimServer) int { return s.ActiveConns() + s.InactiveConns() }

func ExampleSimAlgorithm() {
	sim := simulated("mine", lvs.SimOptions{Algorithms: map[lvs.Scheduler]lvs.SimAlgorithm{
		"mine": func(service *lvs.SimService) lvs.SimPicker { return leastWeighted{service} },
	}})
	for i := range 4 {
		conn, err := sim.Connect(lvs.Flow{Client: client(i), VIP: vip})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(conn.Server())
	}
	// Output:
	// 10.168.0.95:80
	// 10.168.0.94:80
	// 10.168.0.94:80
	// 10.168.0.94:80
}

// A controller that is called twice changes nothing the second time.
func ExampleSimulator_Changes() {
	sim := simulated(lvs.RR, lvs.SimOptions{})
	reconcile := func() error {
		_, err := sim.Client().ModifyRealServer(context.Background(), site, first, func(s *lvs.RealServer) { s.Weight = 5 })
		return err
	}
	sim.Changes() // forgets those that set the simulator up
	for range 2 {
		if err := reconcile(); err != nil {
			log.Fatal(err)
		}
		fmt.Println(sim.Changes())
	}
	// Output:
	// [~ tcp://10.168.0.91:80 -> 10.168.0.94:80 dr weight 5]
	// []
}

// A program that opens namespaces by name is tested as it is.
func ExampleWithSimulators() {
	inbound := func(ctx context.Context) (int, error) { // the program
		client, err := lvs.Open(ctx, lvs.InNamespace("ingress"))
		if err != nil {
			return 0, err
		}
		defer client.Close()
		services, err := client.Services(ctx)
		return len(services), err
	}
	sim := simulated(lvs.RR, lvs.SimOptions{})
	ctx := lvs.WithSimulators(context.Background(), map[string]*lvs.Simulator{"ingress": sim})
	fmt.Println(inbound(ctx))
	// Output:
	// 1 <nil>
}

func ExampleHost_Connections() {
	ctx := context.Background()
	sim := simulated(lvs.RR, lvs.SimOptions{})
	for i := range 2 {
		if _, err := sim.Connect(lvs.Flow{Client: client(i + 1), VIP: vip}); err != nil {
			log.Fatal(err)
		}
	}
	host := sim.Host() // lvs.OpenHost on a director
	defer host.Close()
	all, err := lvs.CollectConnections(host.Connections(ctx, lvs.ConnectionFilter{}))
	if err != nil {
		log.Fatal(err)
	}
	slices.SortFunc(all, func(a, b lvs.Connection) int { return a.Client.Compare(b.Client) })
	for _, c := range all {
		fmt.Println(c.Client, c.VIP, c.Server, c.State, c.Expires)
	}
	// Output:
	// 192.0.2.1:40000 10.168.0.91:80 10.168.0.95:80 ESTABLISHED 15m0s
	// 192.0.2.2:40000 10.168.0.91:80 10.168.0.94:80 ESTABLISHED 15m0s
}

func ExampleCountConnections() {
	ctx := context.Background()
	sim := simulated(lvs.RR, lvs.SimOptions{})
	for i := range 3 {
		if _, err := sim.Connect(lvs.Flow{Client: client(i + 1), VIP: vip}); err != nil {
			log.Fatal(err)
		}
	}
	host := sim.Host() // lvs.OpenHost on a director
	defer host.Close()
	established := host.Connections(ctx, lvs.ConnectionFilter{Service: lvs.TCP(vip), States: []lvs.ConnState{lvs.StateEstablished}})
	servers, err := lvs.CountConnections(established, lvs.ByServer)
	if err != nil {
		log.Fatal(err)
	}
	networks, err := lvs.CountConnections(established, lvs.ByClient(24, 64))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(servers), "real servers")
	for network, n := range networks {
		fmt.Println(network, n)
	}
	// Output:
	// 2 real servers
	// 192.0.2.0/24 3
}

func ExampleHost_SetSysctl() {
	ctx := context.Background()
	sim := simulated(lvs.RR, lvs.SimOptions{})
	host := sim.Host()
	defer host.Close()
	if err := host.SetSysctl(ctx, lvs.SysctlExpireNoDestConn, "1"); err != nil {
		log.Fatal(err)
	}
	conn, err := sim.Connect(lvs.Flow{Client: client(1), VIP: vip})
	if err != nil {
		log.Fatal(err)
	}
	if err := host.Client().RemoveRealServer(ctx, site, conn.Server()); err != nil {
		log.Fatal(err)
	}
	// Without expire_nodest_conn packets would be dropped until it expires.
	fmt.Println(conn.Send(100))
	// Output:
	// lvs: tcp 192.0.2.1:40000 -> 10.168.0.91:80: passed on: it belongs to no connection and cannot open one
}

func ExampleSimulatorFrom() {
	ctx := context.Background()
	live := simulated(lvs.WLC, lvs.SimOptions{}).Host() // lvs.OpenHost on a director
	defer live.Close()
	sim, missed, err := lvs.SimulatorFrom(ctx, live, lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("missed:", missed)
	// What would happen to 100 clients if a server were drained?
	if err := sim.Client().SetWeight(ctx, site, first, 0); err != nil {
		log.Fatal(err)
	}
	got := make(map[netip.AddrPort]int)
	for i := range 100 {
		conn, err := sim.Connect(lvs.Flow{Client: client(i), VIP: vip})
		if err != nil {
			log.Fatal(err)
		}
		got[conn.Server()]++
	}
	fmt.Println(got)
	// Output:
	// missed: []
	// map[10.168.0.95:80:100]
}
