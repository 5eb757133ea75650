//go:build linux

// Command memory measures how much memory the library needs to make a large table what
// is wanted: the largest heap at any time, beyond what the caller has.
//
// It runs as root in a kernel with IPVS; the README tells how to get one.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"runtime"

	"github.com/golvs/lvs"
	"golang.org/x/sys/unix"
)

func main() {
	services := flag.Int("services", 50_000, "services in the table")
	servers := flag.Int("servers", 2, "real servers of each service")
	flag.Parse()
	if err := run(context.Background(), *services, *servers); err != nil {
		fmt.Fprintln(os.Stderr, "memory:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, services, servers int) error {
	client, err := lvs.Open(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	defer client.Flush(ctx)
	program := live()
	want := table(services, servers)
	base := live()
	fmt.Printf("%d services of %d servers, Linux %s, %s: the caller's table is %.1f MiB; beyond that, MiB\n\n",
		services, servers, release(), runtime.Version(), mebibytes(base-program))
	fmt.Printf("%-26s%8s%12s%12s\n", "", "at most", "afterwards", "seconds")

	var plan lvs.TablePlan
	steps := []struct {
		name string
		do   func() error
	}{
		{"plan that adds everything", func() (err error) { plan, err = client.PlanTable(ctx, want, lvs.TableOptions{}); return err }},
		{"applying it", func() error {
			_, err := client.ApplyTable(ctx, plan, lvs.ApplyOptions{})
			plan = lvs.TablePlan{}
			return err
		}},
		{"snapshot", func() error { _, err := client.Snapshot(ctx); return err }},
		{"plan that finds nothing", func() (err error) {
			plan, err := client.PlanTable(ctx, want, lvs.TableOptions{})
			if err == nil && len(plan.Steps) > 0 {
				err = fmt.Errorf("%d steps are left, such as %v", len(plan.Steps), plan.Steps[0])
			}
			return err
		}},
	}
	for _, step := range steps {
		peak, took, err := measure(step.do)
		if err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		fmt.Printf("%-26s%8.1f%12.1f%12.1f\n", step.name, beyond(peak, base), beyond(live(), base), took.Seconds())
	}
	runtime.KeepAlive(want)
	return nil
}

func beyond(n, base uint64) float64 { return float64(int64(n)-int64(base)) / (1 << 20) }

// table returns services with an address each, which share servers.
func table(services, servers int) lvs.Table {
	t := lvs.Table{Services: make([]lvs.TableService, services)}
	for i := range t.Services {
		s := &t.Services[i]
		s.ID = lvs.TCP(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 80))
		s.Scheduler = lvs.WLC
		s.RealServers = make([]lvs.RealServer, servers)
		for j := range s.RealServers {
			s.RealServers[j] = lvs.NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 6), byte(1 + j)}), 80), lvs.DR())
		}
	}
	return t
}

func mebibytes(n uint64) float64 { return float64(n) / (1 << 20) }

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Release[:])
}
