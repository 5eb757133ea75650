// Command dr makes this host a director or a real server for direct routing, like the
// scripts lvs_dr.sh and lvs_dr_rs.sh that this library began with. Without flags it
// does what lvs_dr.sh does, except that other services stay in the table.
//
//	sudo dr                                   # the director
//	sudo dr -role realserver                  # on each real server
//	sudo dr -check                            # diagnose
//	sudo dr -undo                             # restore the host
//	dr -dry-run                               # print the commands; does not need root
//	dr -dry-run -vip [2001:db8::91]:80 -servers 2001:db8::94,2001:db8::95
//
// The director must be in the real servers' network, and they must listen on the
// port of the service: their replies do not pass through the director.
package main

import (
	"flag"
	"net/netip"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/role"
)

func main() { program().Main() }

func program() role.Program {
	var forward bool
	return role.Program{
		Name: "dr",
		Defaults: role.Options{
			VIP:       netip.MustParseAddrPort("10.168.0.91:80"),
			Scheduler: lvs.RR,
			Interface: "eth0",
		},
		Flags: func(f *flag.FlagSet) {
			f.BoolVar(&forward, "forward", true, "turn ip_forward on, as the script does; direct routing does not need it")
		},
		Mode: func() (lvs.Mode, error) { return lvs.DR(), nil },
		Director: func(o role.Options) (lvs.Setup, error) {
			return lvs.DRDirector{VIP: o.VIP.Addr(), Interface: o.Interface, Forwarding: forward}.Setup()
		},
		RealServer: func(o role.Options) (lvs.Setup, error) {
			return lvs.DRRealServer{VIP: o.VIP.Addr()}.Setup()
		},
	}
}
