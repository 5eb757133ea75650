package ipvsadm

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

func TestList(t *testing.T) {
	rs1, rs2 := netip.MustParseAddrPort("10.168.0.94:80"), netip.MustParseAddrPort("10.168.0.95:80")
	drSite := lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))
	natSite := lvs.TCP(netip.MustParseAddrPort("192.168.0.11:80"))
	server := func(addr netip.AddrPort, mode lvs.Mode, active, inactive int) lvs.RealServerStatus {
		return lvs.RealServerStatus{RealServer: lvs.NewRealServer(addr, mode), ActiveConns: active, InactiveConns: inactive}
	}
	entry := func(s lvs.Service, servers ...lvs.RealServerStatus) lvs.ServiceEntry {
		return lvs.ServiceEntry{ServiceStatus: lvs.ServiceStatus{Service: s}, RealServers: servers}
	}
	var b strings.Builder
	err := List(&b, lvs.Info{Version: "1.2.1", ConnTableSize: 4096}, lvs.Snapshot{Services: []lvs.ServiceEntry{
		entry(lvs.Service{ID: drSite, Scheduler: lvs.RR}, server(rs2, lvs.DR(), 0, 20), server(rs1, lvs.DR(), 1, 0)),
		entry(lvs.Service{ID: natSite, Scheduler: lvs.LC, Persistence: lvs.Persistence{Timeout: 300 * time.Second}},
			server(rs1, lvs.NAT(), 0, 10)),
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"IP Virtual Server version 1.2.1 (size=4096)",
		"Prot LocalAddress:Port Scheduler Flags",
		"  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
		"TCP  192.168.0.11:80 lc persistent 300",
		"  -> 10.168.0.94:80               Masq    1      0          10        ",
		"TCP  10.168.0.91:80 rr",
		"  -> 10.168.0.94:80               Route   1      1          0         ",
		"  -> 10.168.0.95:80               Route   1      0          20        ",
		"",
	}, "\n")
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
