// Command tun makes this host a director or a real server for tunnels, the third mode
// in the text that this library began with, which has no script for it. Contrary to
// that text, tunnels are not encrypted.
//
//	sudo tun                                  # the director, by IPIP
//	sudo tun -role realserver                 # on each real server
//	sudo tun -type gue -port 6080             # both: in UDP; or -type gre
//	sudo tun -check                           # diagnose
//	sudo tun -undo                            # restore the host
//	tun -dry-run -role realserver             # print the commands; does not need root
//
// The real servers may be in any network that the director has a route to, and in the
// other address family than the VIP:
//
//	tun -dry-run -servers 2001:db8::94,2001:db8::95
//	tun -dry-run -servers 2001:db8::94,2001:db8::95 -role realserver -local 2001:db8::94
//
// Packets that do not fit into the tunnel are lost unless clients send smaller ones:
// -mss on the real servers asks them to.
package main

import (
	"flag"
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/examples/internal/role"
)

func main() { program().Main() }

func program() role.Program {
	var (
		kind           string
		port, mss      uint
		local, gateway netip.Addr
	)
	mode := func() (lvs.Mode, error) {
		switch {
		case kind == "ipip":
			return lvs.IPIP(), nil
		case kind == "gre":
			return lvs.GRE(), nil
		case kind == "gue" && port > 0 && port < 1<<16:
			return lvs.GUE(uint16(port)), nil
		case kind == "gue":
			return lvs.Mode{}, fmt.Errorf("-port %d is not a UDP port", port)
		}
		return lvs.Mode{}, fmt.Errorf("-type is ipip, gue or gre, not %q", kind)
	}
	return role.Program{
		Name: "tun",
		Defaults: role.Options{
			VIP:       netip.MustParseAddrPort("10.168.0.91:80"),
			Scheduler: lvs.RR,
			Interface: "eth0",
		},
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&kind, "type", "ipip", "the `tunnel`: ipip, gue or gre")
			f.UintVar(&port, "port", 6080, "the UDP `port` on which real servers receive; for gue")
			f.TextVar(&local, "local", netip.Addr{}, "the `address` by which the director knows this real server; needed for IPv4 in IPv6, otherwise the first of -servers tells enough")
			f.UintVar(&mss, "mss", 0, "the greatest TCP segment, in `bytes`, that a real server lets clients send; 0 leaves it to them. It takes -gateway")
			f.TextVar(&gateway, "gateway", netip.Addr{}, "the `address` of the router by which a real server reaches clients; for -mss")
		},
		Mode: mode,
		Director: func(o role.Options) (lvs.Setup, error) {
			return lvs.TunnelDirector{VIP: o.VIP.Addr(), Interface: o.Interface}.Setup()
		},
		RealServer: func(o role.Options) (lvs.Setup, error) {
			m, err := mode()
			if err != nil {
				return nil, err
			}
			at := local
			if !at.IsValid() {
				at = o.Servers[0].Addr()
				if at.Is6() && o.VIP.Addr().Is4() {
					return nil, fmt.Errorf("-local is missing: a tunnel of IPv4 in IPv6 ends at an address of this host")
				}
			}
			return lvs.TunnelRealServer{VIP: o.VIP.Addr(), Mode: m, Local: at, MSS: int(mss), Gateway: gateway, Interface: o.Interface}.Setup()
		},
	}
}
