package conformance

import (
	"time"

	"github.com/golvs/lvs"
)

// noteServices add and remove services.
var noteServices = []noteCase{
	{
		name: "removed service", service: noteWeb, weights: []int{1, 1}, clients: 4,
		notes: "Packets of its 4 connections are dropped, without an error to the client.\nNew connections go to the director's own stack.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "----")
			n.is("new ones", n.each(2), "..")
		},
	},
	{
		name: "removed service of datagrams", service: noteDNS, weights: []int{1, 1}, clients: 4,
		notes: "Datagrams of its 4 flows are dropped, each flow's until the UDP timeout after the last one that was forwarded.\n" +
			"New flows go to the director's own stack.",
		after: func(n *noteTrial) {
			n.is("flows", n.goOn(), "----")
			n.is("new ones", n.each(2), "..")
		},
	},
	{
		name: "removed service of datagrams with expire_nodest_conn", sysctls: map[string]int{"expire_nodest_conn": 1},
		service: noteDNS, weights: []int{1, 1}, clients: 4,
		notes: "IPVS ends its 4 flows.\nNew flows go to the director's own stack.",
		after: func(n *noteTrial) { n.is("flows", n.goOn(), "....") },
	},
	{
		name: "removed last service", alone: true, service: noteWeb, weights: []int{1, 1}, clients: 4,
		notes: "It is the last IPv4 service, so IPVS leaves packets of its 4 connections to the director's own stack, which resets TCP.\n" +
			"New connections go to the director's own stack.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "....")
			n.is("new ones", n.each(2), "..")
		},
	},
	{
		name: "removed service beside one of all ports", service: noteWeb, weights: []int{1}, clients: 2,
		before: func(n *noteTrial) {
			must(n, n.host.Client().Do(groundContext(n), noteCatchAll()...))
		},
		want: func(all *[]lvs.TableService) {
			*all = append((*all)[1:], lvs.TableService{Service: catchAll(), RealServers: []lvs.RealServer{catchAllServer()}})
		},
		notes: "Packets of its 2 connections are dropped, without an error to the client.\nNew connections go to tcp://10.1.254.1:0.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "--")
			n.is("new ones", n.each(2), "CC")
		},
	},
	{
		name: "added service", service: lvs.Service{ID: lvs.TCP(addrAt("10.1.254.3:80"))},
		before: func(n *noteTrial) {
			n.service = noteWeb
			n.is("connections of the director", n.each(2), "..")
		},
		want:  func(all *[]lvs.TableService) { *all = append(*all, lvs.TableService{Service: noteWeb}) },
		notes: "New connections come here, and no longer to the director's own stack; they are refused until a real server is added.",
		after: func(n *noteTrial) {
			n.is("connections of the director", n.goOn(), "..")
			n.is("new ones", n.each(2), "--")
		},
	},
	{
		name: "added service beside one of all ports", service: lvs.Service{ID: lvs.TCP(addrAt("10.1.254.3:80"))},
		before: func(n *noteTrial) {
			n.service = noteWeb
			must(n, n.host.Client().Do(groundContext(n), noteCatchAll()...))
			n.is("connections of the service of all ports", n.each(2), "CC")
		},
		want: func(all *[]lvs.TableService) {
			*all = append(*all, lvs.TableService{Service: noteWeb},
				lvs.TableService{Service: catchAll(), RealServers: []lvs.RealServer{catchAllServer()}})
		},
		notes: "New connections to port 80 come here, and no longer to tcp://10.1.254.1:0; they are refused until a real server is added.",
		after: func(n *noteTrial) {
			n.is("connections of the service of all ports", n.goOn(), "CC")
			n.is("new ones", n.each(2), "--")
		},
	},
}

// catchAll is a service of all ports of the VIP.
func catchAll() lvs.Service {
	return lvs.Service{ID: lvs.TCP(addrAt("10.1.254.1:0")), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute}}
}

func catchAllServer() lvs.RealServer { return lvs.NewRealServer(addrAt("10.2.0.12:0"), lvs.NAT()) }

func noteCatchAll() []lvs.Change {
	s := catchAll()
	return []lvs.Change{lvs.AddService(s), lvs.AddRealServer(s.ID, catchAllServer())}
}
