// Command nat makes this host a director or a real server for network address
// translation, like the script lvs_nat.sh that this library began with. Without flags
// it does what the script does, except that other services stay in the table, and
// other rules in the firewall.
//
//	sudo nat                                  # the director
//	sudo nat -role realserver                 # on each real server: the route back
//	sudo nat -fullnat                         # for real servers without it
//	sudo nat -check                           # diagnose
//	sudo nat -undo                            # restore the host
//	nat -dry-run                              # print the commands; does not need root
//
// The script assumes that the VIP is on eth1, and that the real servers' default
// route leads through the director.
package main

import (
	"errors"
	"flag"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/role"
)

func main() { program().Main() }

func program() role.Program {
	var (
		inside              string
		network             netip.Prefix
		masquerade, fullNAT bool
		back                netip.Addr
	)
	return role.Program{
		Name: "nat",
		Defaults: role.Options{
			VIP:        netip.MustParseAddrPort("192.168.0.11:80"),
			Scheduler:  lvs.LC,
			Persistent: 300 * time.Second,
			Interface:  "eth1",
		},
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&inside, "inside", "eth0", "the director's `interface` to the real servers")
			f.TextVar(&network, "network", netip.MustParsePrefix("10.168.0.0/24"), "the real servers' `network`")
			f.BoolVar(&masquerade, "masquerade", true, "let real servers reach others by the director's address, as the script does; clients do not need it")
			f.BoolVar(&fullNAT, "fullnat", false, "give clients' packets the director's address too: real servers need no route back, and do not see who the client is")
			f.TextVar(&back, "back", netip.MustParseAddr("10.168.0.90"), "the director's `address` in the real servers' network")
		},
		Mode: func() (lvs.Mode, error) { return lvs.NAT(), nil },
		Director: func(o role.Options) (lvs.Setup, error) {
			return lvs.NATDirector{
				VIP: o.VIP.Addr(), Interface: o.Interface, Inside: inside,
				Network: network, Masquerade: masquerade, FullNAT: fullNAT,
			}.Setup()
		},
		RealServer: func(role.Options) (lvs.Setup, error) {
			if fullNAT {
				return nil, errors.New("with -fullnat a real server needs nothing: it answers the director")
			}
			return lvs.NATRealServer{Director: back}.Setup()
		},
	}
}
