package clinic

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/golvs/lvs"
)

// The networks, by the number in their addresses: 10.N.0.0/24 and 2001:db8:N::/64.
var networks = map[string]int{
	"lan":    1, // of the VIP
	"wan":    2, // of clients behind the router
	"inside": 3, // of NAT servers behind the director
	"dc":     4, // of tunnels' servers behind the router
	"office": 5, // of more clients behind the router
	"mgmt":   6, // of the servers' second interfaces
}

var (
	vip4 = netip.MustParseAddrPort("10.1.0.100:80")
	vip6 = netip.MustParseAddrPort("[2001:db8:1::100]:80")
	vip  = vip4.Addr()
)

// at gives eth0, eth1, … an address in one network each.
func at(nics string, number int) string {
	var b strings.Builder
	for i, network := range strings.Fields(nics) {
		n := networks[network]
		fmt.Fprintf(&b, "link set eth%d up\naddr add 10.%d.0.%d/24 dev eth%d\naddr add 2001:db8:%d::%d/64 dev eth%d\n", i, n, number, i, n, number, i)
	}
	return b.String()
}

// via is the default route through a host of a network.
func via(network string, number int) string {
	n := networks[network]
	return fmt.Sprintf("route add default via 10.%d.0.%d\nroute add default via 2001:db8:%d::%d\n", n, number, n, number)
}

// addressesOf is how many addresses a client host has. Each is a client of its own to
// schedulers that hash the client's address.
const addressesOf = 4

// client is a host with clients of one family in a network.
func client(name, network string, is6 bool) host {
	h := host{name: name, nics: network, base: at(network, 10) + via(network, 1)}
	for i := range addressesOf {
		n := networks[network]
		address := fmt.Sprintf("10.%d.0.%d", n, 10+i)
		if is6 {
			address = fmt.Sprintf("2001:db8:%d::%d", n, 10+i)
		}
		if i > 0 {
			length := map[bool]int{false: 24, true: 64}[is6]
			h.base += fmt.Sprintf("addr add %s/%d dev eth0\n", address, length)
		}
		h.from = append(h.from, address)
	}
	return h
}

// clients returns those beside the VIP, and those of two networks behind the router.
func clients(is6 bool) []host {
	return []host{client("near", "lan", is6), client("far", "wan", is6), client("office", "office", is6)}
}

// router joins networks.
func router(nics string) host {
	return host{name: "router", nics: nics, base: at(nics, 1),
		guide: "echo 1 >/proc/sys/net/ipv4/ip_forward\necho 1 >/proc/sys/net/ipv6/conf/all/forwarding\n"}
}

// judgedHost is a director or a real server, with the router as its gateway.
func judgedHost(name, nics string, number int, guide string, setup func() (lvs.Setup, error)) host {
	network, _, _ := strings.Cut(nics, " ")
	return host{name: name, nics: nics, base: at(nics, number) + via(network, 1), guide: guide, setup: setup, judged: true}
}

// listening returns the host with a program.
func (h host) listening(address string) host { h.listen = address; return h }

// table returns the commands that add a TCP service at the VIP with servers.
func table(vip netip.AddrPort, options, method string, servers ...string) string {
	b := fmt.Sprintf("ipvsadm -A -t %s %s\n", vip, options)
	for _, s := range servers {
		b += fmt.Sprintf("ipvsadm -a -t %s -r %s %s\n", vip, s, method)
	}
	return b
}

// more returns the site with further faults of one host.
func more(on string, all ...fault) []fault {
	for i := range all {
		all[i].on = on
	}
	return all
}

func together(lists ...[]fault) (all []fault) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
