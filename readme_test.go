package lvs_test

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// The README shows what follows; internal/layout holds that both are the same.

var (
	web = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	rs1 = netip.MustParseAddrPort("10.168.0.94:80")
	rs2 = netip.MustParseAddrPort("10.168.0.95:80")
	rs3 = netip.MustParseAddrPort("10.168.0.96:80")
)

// publish makes web a service of rs1 and rs2, whatever it was before.
func publish(ctx context.Context, client *lvs.Client) error {
	want := lvs.Table{Services: []lvs.TableService{{
		Service:     lvs.Service{ID: web, Scheduler: lvs.WRR},
		RealServers: []lvs.RealServer{lvs.NewRealServer(rs1, lvs.DR()), {Addr: rs2, Weight: 3}},
	}}}
	plan, err := client.PlanTable(ctx, want, lvs.TableOptions{Drain: 5 * time.Minute}) // changes nothing
	if err != nil {
		return err
	}
	fmt.Println(plan) // as a diff, with what each step does to clients
	result, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{})
	if err != nil {
		return err
	}
	_, ended, err := client.AwaitDrains(ctx, result.Drains) // until the connections of former real servers end
	fmt.Println(ended)
	return err
}

func TestPublish(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := publish(t.Context(), sim.Client()); err != nil { // your program
		t.Fatal(err)
	}
	from := netip.MustParseAddrPort("192.0.2.1:40000")
	conn, err := sim.Connect(lvs.Flow{Client: from, VIP: web.AddrPort()}) // a client of your service
	if err != nil {
		t.Fatal(err)
	}
	if got := conn.Server(); got != rs2 {
		t.Errorf("the client reached %v, want %v", got, rs2)
	}
}

// prepare sets a director up, checks it, and restores it.
func prepare(ctx context.Context, host *lvs.Host) error {
	setup, err := lvs.DRDirector{VIP: web.AddrPort().Addr(), Interface: "eth0"}.Setup()
	if err != nil {
		return err
	}
	plan, err := host.Plan(ctx, setup) // changes nothing; save it as JSON for a later process
	if err != nil {
		return err
	}
	fmt.Println(plan)                             // as commands of ip and sysctl
	if err := host.Apply(ctx, plan); err != nil { // all of it or nothing
		return err
	}
	report, err := host.Check(ctx, lvs.CheckOptions{Setup: setup})
	if err != nil {
		return err
	}
	fmt.Println(report)               // what is wrong, why it matters, and how to fix it
	left, err := host.Undo(ctx, plan) // leaves what others have changed since
	fmt.Println("left as it is:", left)
	return err
}

// What prepare does to a host is gone in the end.
func TestPrepare(t *testing.T) {
	sim, err := lvs.NewSimulator(lvs.SimOptions{Interfaces: []lvs.SimInterface{
		{Name: "eth0", Addresses: []netip.Prefix{netip.MustParsePrefix("10.168.0.90/24")}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	host := sim.Host()
	defer host.Close()
	before, err := host.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := prepare(t.Context(), host); err != nil {
		t.Fatal(err)
	}
	after, err := host.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(before.Resources) != fmt.Sprint(after.Resources) {
		t.Errorf("before %v, after %v", before.Resources, after.Resources)
	}
}
