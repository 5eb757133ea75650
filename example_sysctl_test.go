package lvs_test

import (
	"context"
	"fmt"
	"log"

	"github.com/golvs/lvs"
)

func ExampleHost_EnsureSysctl() {
	ctx := context.Background()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		log.Fatal(err)
	}
	host := sim.Host() // lvs.OpenHost on a director
	defer host.Close()
	for range 2 {
		changed, err := host.EnsureSysctl(ctx, lvs.SysctlConntrack, "1")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("changed:", changed)
	}
	_, err = host.EnsureSysctl(ctx, lvs.SysctlDropEntry, "9")
	fmt.Println(err)
	// Output:
	// changed: true
	// changed: false
	// lvs: set sysctl net.ipv4.vs.drop_entry = 9: value: invalid argument (EINVAL); it must be 0 to 3
}

func ExampleSysctlKey_Parameter() {
	if p, ok := lvs.SysctlConnMax.Parameter(); ok {
		fmt.Printf("%s: %s, %d to %d, since Linux %s\n", p.Key, p.About, p.Min, p.Max, p.Since)
	}
	// Output:
	// net.ipv4.vs.conn_max: maximum number of connections, including templates, 0 to 1073741824, since Linux 7.2
}

func ExampleSysctlKey_Requirement() {
	setup := lvs.Setup{
		lvs.SysctlConntrack.Requirement("1", "source NAT needs it"),
		lvs.InterfaceSysctl("eth0.100", "rp_filter", false).Requirement("2", ""),
	}
	fmt.Print(setup)
	// Output:
	// sysctl -w net.ipv4.vs.conntrack=1  # source NAT needs it
	// sysctl -w net.ipv4.conf.eth0/100.rp_filter=2
}
