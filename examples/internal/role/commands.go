package role

import (
	"fmt"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// commands are those of ipvsadm that make the service.
func (w *work) commands() string {
	if !w.isDirector() {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ipvsadm -A -t %s -s %s", w.VIP, w.Scheduler)
	if w.Persistent > 0 {
		fmt.Fprintf(&b, " -p %d", w.Persistent/time.Second)
	}
	for _, s := range w.servers {
		fmt.Fprintf(&b, "\nipvsadm -a -t %s -r %s %s -w %d", w.VIP, s.Addr, modeFlags(s.Mode), s.Weight)
	}
	return b.String() + "\n"
}

// modeFlags are ipvsadm's for a mode without checksums.
func modeFlags(m lvs.Mode) string {
	switch m {
	case lvs.DR:
		return "-g"
	case lvs.NAT:
		return "-m"
	case lvs.IPIP:
		return "-i"
	case lvs.GRE():
		return "-i --tun-type gre --tun-nocsum"
	}
	return "-i --tun-type gue --tun-port " + strings.TrimPrefix(m.String(), "gue:") + " --tun-nocsum"
}
