package demo

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// table returns what the director balances. It has something of everything.
func table() lvs.Table {
	return lvs.Table{Services: []lvs.TableService{
		service(lvs.Service{ID: web, Scheduler: lvs.WRR},
			server("10.168.0.94:80", lvs.DR(), 3), server("10.168.0.95:80", lvs.DR(), 2),
			server("10.168.0.96:80", lvs.DR(), 1), server("10.168.0.97:80", lvs.DR(), 2)),
		service(lvs.Service{ID: secure, Scheduler: lvs.WLC, Persistence: lvs.Persistence{Timeout: 5 * time.Minute}},
			server("10.168.0.94:443", lvs.DR(), 2), server("10.168.0.95:443", lvs.DR(), 2), server("10.168.0.96:443", lvs.DR(), 1)),
		service(lvs.Service{ID: database, Scheduler: lvs.LC},
			server("172.16.0.11:5432", lvs.NAT(), 1), server("172.16.0.12:5432", lvs.NAT(), 1),
			limited(server("172.16.0.13:5432", lvs.NAT(), 1), 20, 18)),
		service(lvs.Service{ID: names, Scheduler: lvs.RR, OnePacket: true},
			server("172.16.0.53:53", lvs.NAT(), 1), server("172.16.0.54:53", lvs.NAT(), 1)),
		service(lvs.Service{ID: files, Scheduler: lvs.SH, SchedulerFlags: lvs.HashFallback},
			server("10.20.0.11:8080", lvs.IPIP(), 1), server("10.20.0.12:8080", lvs.GUE(5555), 1)),
		service(lvs.Service{ID: web6, Scheduler: lvs.MH},
			server("[2001:db8:a8::94]:80", lvs.DR(), 2), server("[2001:db8:a8::95]:80", lvs.DR(), 1)),
		service(lvs.Service{ID: marked, Scheduler: lvs.WLC},
			server("10.168.0.100:0", lvs.DR(), 1), server("10.168.0.101:0", lvs.DR(), 1)),
		service(lvs.Service{ID: signals, Scheduler: lvs.RR},
			server("10.20.0.11:2905", lvs.IPIP(), 1), server("10.20.0.12:2905", lvs.IPIP(), 0)),
		service(lvs.Service{ID: mail, Scheduler: lvs.WLC},
			server("10.168.0.102:25", lvs.DR(), 1), server("10.168.0.103:25", lvs.DR(), 1)),
	}}
}

func service(s lvs.Service, servers ...lvs.RealServer) lvs.TableService {
	return lvs.TableService{Service: s, RealServers: servers}
}

func server(addr string, mode lvs.Mode, weight int) lvs.RealServer {
	s := lvs.NewRealServer(netip.MustParseAddrPort(addr), mode)
	s.Weight = weight
	return s
}

// limited sets the thresholds of a server, which is closed at the upper one.
func limited(s lvs.RealServer, upper, lower int) lvs.RealServer {
	s.UpperThreshold, s.LowerThreshold = upper, lower
	return s
}
