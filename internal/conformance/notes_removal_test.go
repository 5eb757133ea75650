package conformance

import (
	"time"

	"github.com/golvs/lvs"
)

var (
	noteWeb  = lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: lvs.WLC}
	noteDNS  = lvs.Service{ID: lvs.UDP(noteVIP), Scheduler: lvs.RR}
	noteTied = lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: time.Minute}}
)

// noteRemovals remove real servers at once.
var noteRemovals = []noteCase{
	{
		name: "removed server", service: noteWeb, weights: []int{1, 1}, clients: 4, change: removing(0),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\n" +
			"New connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "B-B-")
			n.is("new ones", n.each(4), "BBBB")
		},
	},
	{
		name: "removed server with expire_nodest_conn", sysctls: map[string]int{"expire_nodest_conn": 1},
		service: noteWeb, weights: []int{1, 1}, clients: 4, change: removing(0),
		notes: "IPVS ends its 2 connections, and leaves further packets to the director's own stack, which resets TCP.\n" +
			"New connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "B.B.")
			n.is("new ones", n.each(4), "BBBB")
		},
	},
	{
		name: "removed server of datagrams", service: noteDNS, weights: []int{1, 1}, clients: 4, change: removing(0),
		before: func(n *noteTrial) {
			must(n, n.host.Client().SetTimeouts(groundContext(n), lvs.Timeouts{UDP: 2 * time.Second}))
			n.is("flows", n.goOn(), "BABA") // the timeout begins with the next datagram
		},
		notes: "Datagrams of its 2 flows are dropped, each flow's until the UDP timeout after the last one that was forwarded.\n" +
			"New flows go to the other servers.",
		after: func(n *noteTrial) {
			n.is("flows", n.goOn(), "B-B-")
			n.Wait(time.Second)
			n.is("flows after a second", n.goOn(), "B-B-")
			n.Wait(2 * time.Second)
			n.is("flows after three seconds", n.goOn(), "BBBB")
		},
	},
	{
		name: "removed server of datagrams with expire_nodest_conn", sysctls: map[string]int{"expire_nodest_conn": 1},
		service: noteDNS, weights: []int{1, 1}, clients: 4, change: removing(0),
		notes: "IPVS ends its 2 flows, and the next datagrams are scheduled again.\nNew flows go to the other servers.",
		after: func(n *noteTrial) { n.is("flows", n.goOn(), "BBBB") },
	},
	{
		name: "removed only server", service: noteWeb, weights: []int{1, 0}, clients: 2, change: removing(0),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\n" +
			"No server with a weight is left. New connections are refused with ICMP port unreachable.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "--") },
	},
	{
		name: "removed server without connections", service: noteWeb, weights: []int{1, 1}, change: removing(0),
		notes: "It has no connections now.\nNew connections go to the other servers.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "BB") },
	},
	{
		name: "removed server of persistent clients", service: noteTied, weights: []int{1, 1}, clients: 4, change: removing(0),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\n" +
			"Persistence lets go of 2 clients, whose next connections are scheduled again.\n" +
			"New connections of new clients go to the other servers.",
		after: func(n *noteTrial) { n.is("new ones", n.each(4), "BBBB") },
	},
	{
		name: "another port of a server", service: noteWeb, weights: []int{1}, clients: 2,
		change: func(s *lvs.TableService) { s.RealServers[0].Addr = addrAt("10.2.0.10:1080") },
		notes: "wlc sends new connections to it first, about 2 of them, until its load is that of the others.\n" +
			"Packets of its 2 connections are dropped, without an error to the client.\n" +
			"10.2.0.10:1080 is another server to the kernel, and has none of its connections.\n" +
			"New connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "--")
			n.is("new ones", n.each(2), "aa")
		},
	},
	{
		name: "another port of a server with expire_nodest_conn", sysctls: map[string]int{"expire_nodest_conn": 1},
		service: noteWeb, weights: []int{1}, clients: 2,
		change: func(s *lvs.TableService) { s.RealServers[0].Addr = addrAt("10.2.0.10:1080") },
		notes: "wlc sends new connections to it first, about 2 of them, until its load is that of the others.\n" +
			"IPVS ends its 2 connections, and leaves further packets to the director's own stack, which resets TCP.\n" +
			"10.2.0.10:1080 is another server to the kernel, and has none of its connections.\n" +
			"New connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "..")
			n.is("new ones", n.each(2), "aa")
		},
	},
	{
		name: "another port of a server of datagrams with expire_nodest_conn", sysctls: map[string]int{"expire_nodest_conn": 1},
		service: noteDNS, weights: []int{1}, clients: 2,
		change: func(s *lvs.TableService) { s.RealServers[0].Addr = addrAt("10.2.0.10:1080") },
		notes: "rr picks it in its turn.\n" +
			"IPVS ends its 2 flows, and the next datagrams are scheduled again.\n" +
			"10.2.0.10:1080 is another server to the kernel, and has none of its flows.\n" +
			"New flows go to the other servers.",
		after: func(n *noteTrial) { n.is("the next datagrams", n.goOn(), "aa") },
	},
	{
		name: "exact order", service: noteWeb, weights: []int{1, 1}, clients: 4, options: lvs.TableOptions{ExactOrder: true},
		change: func(s *lvs.TableService) { s.RealServers[0], s.RealServers[1] = s.RealServers[1], s.RealServers[0] },
		notes: "Packets of its 2 connections are dropped until it is added again.\n" +
			"New connections go to the other servers.\n" +
			"It comes back with those of its connections that are left.\nwlc balances it with the others.",
		after: func(n *noteTrial) { n.is("connections", n.goOn(), "BABA") },
	},
	{
		name: "exact order with expire_nodest_conn", sysctls: map[string]int{"expire_nodest_conn": 1},
		service: noteWeb, weights: []int{1, 1}, clients: 4, options: lvs.TableOptions{ExactOrder: true},
		change: func(s *lvs.TableService) { s.RealServers[0], s.RealServers[1] = s.RealServers[1], s.RealServers[0] },
		notes: "IPVS may end its 2 connections before it is added again.\nNew connections go to the other servers.\n" +
			"It comes back with those of its connections that are left.\nwlc balances it with the others.",
		after: func(n *noteTrial) {
			if got := n.goOn(); got != "BABA" && got != "B.B." {
				n.Errorf("connections: %s", got)
			}
		},
	},
	{
		name: "ended connections of a removed server", service: noteWeb, weights: []int{1, 1}, clients: 2, change: removing(0),
		before: func(n *noteTrial) {
			p := n.conns[1]
			p.tcp = flagRST
			n.is("a reset", n.sent([]packet{p}), "A")
		},
		notes: "Packets of its 1 connection are dropped, without an error to the client.\n" +
			"New connections go to the other servers.",
		after: func(n *noteTrial) {
			p := n.conns[1]
			p.tcp = flagSYN
			n.is("a new connection from the old port", n.sent([]packet{p}), "B")
		},
	},
}

// noteDrains let connections of real servers end.
var noteDrains = []noteCase{
	{
		name: "drained server", service: noteWeb, weights: []int{1, 1}, clients: 4, change: removing(0),
		options: lvs.TableOptions{Drain: time.Minute},
		notes:   "It keeps its 2 connections; what is left at the deadline is cut.\nNew connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABA")
			n.is("new ones", n.each(4), "BBBB")
			n.endDrains()
			n.is("connections at the deadline", n.goOn(), "B-B-")
		},
	},
	{
		name: "drained server of datagrams", service: noteDNS, weights: []int{1, 1}, clients: 4, change: removing(0),
		options: lvs.TableOptions{Drain: time.Minute}, sysctls: map[string]int{"expire_nodest_conn": 1},
		before: func(n *noteTrial) {
			must(n, n.host.Client().SetTimeouts(groundContext(n), lvs.Timeouts{UDP: 2 * time.Second}))
		},
		notes: "It keeps its 2 flows for as long as clients keep sending; what is left at the deadline is cut.\n" +
			"New flows go to the other servers.",
		after: func(n *noteTrial) {
			for range 4 {
				n.is("flows", n.goOn(), "BABA")
				n.Wait(time.Second)
			}
			n.endDrains()
			n.is("flows at the deadline", n.goOn(), "BBBB")
		},
	},
	{
		name: "drained server of persistent clients", service: noteTied, weights: []int{1, 1}, clients: 4, change: removing(0),
		options: lvs.TableOptions{Drain: time.Minute},
		notes: "It keeps its 2 connections; what is left at the deadline is cut.\n" +
			"Persistence keeps sending it new connections of 2 clients.\nNew connections of new clients go to the other servers.",
		after: func(n *noteTrial) {
			n.is("new ones", n.each(4), "BABA")
			n.is("those of new clients", n.open(10, 11), "BB")
			n.endDrains()
			n.is("new ones at the deadline", n.each(4), "BBBB")
		},
	},
	{
		name: "drained server with expire_quiescent_template", service: noteTied, weights: []int{1, 1}, clients: 4, change: removing(0),
		options: lvs.TableOptions{Drain: time.Minute}, sysctls: map[string]int{"expire_quiescent_template": 1},
		notes: "It keeps its 2 connections; what is left at the deadline is cut.\n" +
			"Persistence lets go of 2 clients, whose next connections are scheduled again.\nNew connections of new clients go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABA")
			n.is("new ones", n.each(4), "BBBB")
		},
	},
	{
		name: "quiesced server", service: noteWeb, weights: []int{1, 1}, clients: 4, change: weighing(1, 0),
		notes: "New connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABA")
			n.is("new ones", n.each(4), "AAAA")
		},
	},
	{
		name: "quiesced server without conn_reuse_mode", service: noteWeb, weights: []int{1, 1}, clients: 4, change: weighing(1, 0),
		sysctls: map[string]int{"conn_reuse_mode": 0},
		notes: "While net.ipv4.vs.conn_reuse_mode and net.ipv4.vs.expire_nodest_conn are 0, " +
			"a client that uses a port again keeps reaching it.\nNew connections go to the other servers.",
		after: func(n *noteTrial) {
			end, again := n.conns[0], n.conns[0]
			end.tcp, again.tcp = flagRST, flagSYN
			n.is("a reset, and a new connection from the same port", n.sent([]packet{end, again}), "BB")
		},
	},
	{
		name: "quiesced server with conn_reuse_mode", service: noteWeb, weights: []int{1, 1}, clients: 4, change: weighing(1, 0),
		notes: "New connections go to the other servers.",
		after: func(n *noteTrial) {
			end, again := n.conns[0], n.conns[0]
			end.tcp, again.tcp = flagRST, flagSYN
			n.is("a reset, and a new connection from the same port", n.sent([]packet{end, again}), "BA")
		},
	},
	{
		name: "server usable again", service: noteWeb, weights: []int{0}, change: weighing(0, 1),
		before: func(n *noteTrial) { n.is("new ones", n.each(2), "--") },
		notes:  "It is the only usable server, so new connections are no longer refused.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(2), "AA") },
	},
	{
		name: "drained service", service: noteWeb, weights: []int{1, 1}, clients: 4,
		options: lvs.TableOptions{Drain: time.Minute},
		notes: "It keeps its 4 connections; what is left at the deadline is cut.\n" +
			"New connections are refused with ICMP port unreachable while it drains.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABA")
			n.is("new ones", n.each(2), "--")
			n.endDrains()
			n.is("connections at the deadline", n.goOn(), "----")
			n.is("new ones then", n.each(2), "..")
		},
	},
	{
		name: "drained service of persistent clients", service: noteTied, weights: []int{1, 1}, clients: 2,
		options: lvs.TableOptions{Drain: time.Minute},
		notes: "It keeps its 2 connections; what is left at the deadline is cut.\n" +
			"Persistence keeps sending it new connections of 2 clients.\n" +
			"New connections of new clients are refused with ICMP port unreachable while it drains.",
		after: func(n *noteTrial) {
			n.is("new ones", n.each(2), "BA")
			n.is("those of new clients", n.open(10, 11), "--")
		},
	},
}
