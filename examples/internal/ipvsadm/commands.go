package ipvsadm

import (
	"fmt"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// Commands are those that make a TCP service of an address with its servers, which
// are reached by DR, by NAT or through a tunnel without checksums.
func Commands(service lvs.Service, servers []lvs.RealServer) string {
	var b strings.Builder
	vip := service.ID.AddrPort()
	fmt.Fprintf(&b, "ipvsadm -A -t %s -s %s", vip, service.Scheduler)
	if p := service.Persistence.Timeout; p > 0 {
		fmt.Fprintf(&b, " -p %d", p/time.Second)
	}
	for _, s := range servers {
		fmt.Fprintf(&b, "\nipvsadm -a -t %s -r %s %s -w %d", vip, s.Addr, modeFlags(s.Mode), s.Weight)
	}
	return b.String() + "\n"
}

// modeFlags returns ipvsadm's options for a mode.
func modeFlags(m lvs.Mode) string {
	switch m.Name() {
	case "dr":
		return "-g"
	case "nat":
		return "-m"
	case "gre":
		return "-i --tun-type gre --tun-nocsum"
	case "gue":
		return fmt.Sprintf("-i --tun-type gue --tun-port %d --tun-nocsum", m.Port())
	}
	return "-i"
}
