package conformance

import (
	"strings"
	"time"

	"github.com/golvs/lvs"
)

func noteBy(s lvs.Scheduler) lvs.Service { return lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: s} }

func noteDatagramsBy(s lvs.Scheduler) lvs.Service {
	return lvs.Service{ID: lvs.UDP(noteVIP), Scheduler: s}
}

// noteLoads change the real servers of schedulers that balance loads, or go round.
var noteLoads = []noteCase{
	{
		name: "rr and a new server", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 2, change: adding(1),
		notes: "No client moves: rr picks it when its turn comes.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BA")
			n.is("new ones", n.each(3), "CBA")
		},
	},
	{
		name: "rr and a removed server", service: noteBy(lvs.RR), weights: []int{1, 1, 1}, clients: 1, change: removing(1),
		notes: "It has no connections now.\nNew connections go to the other servers.",
		after: func(n *noteTrial) { n.is("new ones", n.each(4), "ACAC") },
	},
	{
		name: "rr and a weight", service: noteBy(lvs.RR), weights: []int{1, 1}, change: weighing(0, 3),
		notes: "rr does not count weights, so nothing changes.",
		after: func(n *noteTrial) { n.is("new ones", n.each(4), "BABA") },
	},
	{
		name: "wrr and a new server", service: noteBy(lvs.WRR), weights: []int{1, 1}, clients: 1, change: adding(1),
		notes: "wrr starts its round over from the newest server.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CBA") },
	},
	{
		name: "wrr and a threshold", service: noteBy(lvs.WRR), weights: []int{1, 1, 1}, clients: 1,
		change: func(s *lvs.TableService) { s.RealServers[0].UpperThreshold = 100 },
		notes:  "wrr starts its round over from the newest server.\nIt gets new connections until it has 100.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(3), "CBA") },
	},
	{
		name: "wrr and a removed server", service: noteBy(lvs.WRR), weights: []int{1, 1, 1}, clients: 2, change: removing(0),
		notes: "It has no connections now.\nwrr starts its round over from the newest server.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "CB") },
	},
	{
		name: "lc and a new server", service: noteBy(lvs.LC), weights: []int{1, 1}, clients: 20, change: adding(3),
		notes: "lc sends it about the next 10 new connections in a row, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 10) },
	},
	{
		name: "lc and a weight", service: noteBy(lvs.LC), weights: []int{1, 1}, clients: 2, change: weighing(0, 5),
		notes: "lc does not count weights, so nothing changes.",
		after: func(n *noteTrial) { n.is("new ones", n.each(4), "BABA") },
	},
	{
		name: "wlc and a new server", service: noteBy(lvs.WLC), weights: []int{1, 1}, clients: 20, change: adding(3),
		notes: "wlc sends it about the next 30 new connections in a row, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 30) },
	},
	{
		name: "wlc and a new server without load", service: noteBy(lvs.WLC), weights: []int{1, 1}, change: adding(1),
		notes: "No client moves: wlc balances it with the others.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CBA") },
	},
	{
		name: "wlc and a weight", service: noteBy(lvs.WLC), weights: []int{1, 1}, clients: 8, change: weighing(0, 3),
		notes: "No connection moves: wlc balances the loads by the new weights with those that come.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABABABA")
			n.is("new ones", n.each(8), "AAAAAAAA")
			n.is("further ones", n.each(4), "BAAA")
		},
	},
	{
		name: "wlc of datagrams and a new server", service: noteDatagramsBy(lvs.WLC), weights: []int{1, 1}, clients: 20, change: adding(2),
		notes: "wlc sends it about the next 20 new connections in a row, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 20) },
	},
	{
		name: "sed and a new server", service: noteBy(lvs.SED), weights: []int{1, 1}, clients: 20, change: adding(2),
		notes: "sed sends it about the next 21 new connections in a row, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 21) },
	},
	{
		name: "nq and a new server", service: noteBy(lvs.NQ), weights: []int{1, 1}, clients: 20, change: adding(2),
		notes: "nq sends it about the next 21 new connections in a row, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 21) },
	},
	{
		name: "sed of datagrams", service: noteDatagramsBy(lvs.SED), weights: []int{2, 1}, clients: 3, change: adding(3),
		notes: "sed sends all new connections to 10.2.0.12:80, and no longer to 10.2.0.10:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CCC") },
	},
	{
		name: "nq of datagrams", service: noteDatagramsBy(lvs.NQ), weights: []int{2, 1}, clients: 3, change: adding(1),
		notes: "nq sends all new connections to 10.2.0.12:80, and no longer to 10.2.0.11:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CCC") },
	},
	{
		name: "ovf of datagrams", service: noteDatagramsBy(lvs.OVF), weights: []int{2, 1}, clients: 3, change: adding(1),
		notes: "ovf still sends all new connections to 10.2.0.10:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "wlc of one-packet", service: lvs.Service{ID: lvs.UDP(noteVIP), Scheduler: lvs.WLC, OnePacket: true}, weights: []int{5, 1},
		change: adding(1),
		notes:  "wlc sends all new connections to 10.2.0.12:80, and no longer to 10.2.0.11:80.",
		after:  func(n *noteTrial) { n.is("datagrams", n.each(4), "CCCC") },
	},
	{
		name: "fo and a heavier server", service: noteBy(lvs.FO), weights: []int{2, 1}, clients: 2, change: adding(3),
		notes: "fo sends all new connections to 10.2.0.12:80, and no longer to 10.2.0.10:80.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AA")
			n.is("new ones", n.each(3), "CCC")
		},
	},
	{
		name: "fo and a lighter server", service: noteBy(lvs.FO), weights: []int{2, 1}, clients: 2, change: weighing(1, 0),
		notes: "fo still sends all new connections to 10.2.0.10:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "ovf and a heavier server", service: noteBy(lvs.OVF), weights: []int{2, 1}, clients: 2, change: adding(3),
		notes: "ovf prefers it until it has more than 3 active connections.",
		after: func(n *noteTrial) { n.is("new ones", n.each(5), "CCCCA") },
	},
	{
		name: "ovf and a lighter server", service: noteBy(lvs.OVF), weights: []int{3, 2}, clients: 1, change: adding(1),
		notes: "ovf picks it when the servers of higher weight have more active connections than their weight.",
		after: func(n *noteTrial) { n.is("new ones", n.each(8), "AAABBBCC") },
	},
	{
		name: "ovf and a weight", service: noteBy(lvs.OVF), weights: []int{3, 2}, clients: 1, change: weighing(1, 5),
		notes: "No connection moves: ovf fills the servers in the order of the new weights.",
		after: func(n *noteTrial) { n.is("new ones", n.each(7), "BBBBBBA") },
	},
	{
		name: "lblc and a new server", service: noteBy(lvs.LBLC), weights: []int{100, 100}, clients: 2, change: adding(100),
		notes: "Destinations keep the servers that they have; it gets others, and those whose server is too busy.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "lblc and a removed server", service: noteBy(lvs.LBLC), weights: []int{100, 100, 100}, clients: 2, change: removing(2),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\nlblc gives the destinations that it had to other servers.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "lblc and a lower weight", service: noteBy(lvs.LBLC), weights: []int{100, 100}, clients: 3, change: weighing(1, 1),
		notes: "Destinations keep the servers that they have, until one has more active connections than its weight and another is less than half full.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "lblcr and a new server", service: noteBy(lvs.LBLCR), weights: []int{100, 100}, clients: 2, change: adding(100),
		notes: "Destinations keep the servers that they have; it gets others, and those whose server is too busy.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "lblcr and a quiesced server", service: noteBy(lvs.LBLCR), weights: []int{100, 100}, clients: 2, change: weighing(1, 0),
		notes: "lblcr gives the destinations that it had to other servers.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "no scheduler", service: noteBy(lvs.NoScheduler), weights: []int{1}, change: adding(1),
		notes: "Without a scheduler the service refuses new connections, as before.",
		after: func(n *noteTrial) { n.is("new ones", n.each(1), "-") },
	},
	{
		name: "thresholds lowered below the connections", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 8,
		change: func(s *lvs.TableService) { s.RealServers[1].UpperThreshold = 4 },
		notes:  "It has 4 connections, so it gets no new ones until it has fewer than 3.",
		older:  "It has 4 connections, so after at most one more it gets none until it has fewer than 3.",
		after: func(n *noteTrial) {
			got := n.each(4)
			if b := strings.Count(got, "B"); b > 1 || n.Release().CountsTotals() && b > 0 {
				n.Errorf("new ones: %s", got)
			}
			n.is("further ones", n.each(2), "AA")
		},
	},
	{
		name: "thresholds raised", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 8,
		server: func(r *lvs.RealServer) { r.UpperThreshold = 4 },
		change: func(s *lvs.TableService) { s.RealServers[1].UpperThreshold = 8 },
		before: func(n *noteTrial) { n.is("new ones", n.each(1), "-") },
		notes:  "It gets new connections until it has 8.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(5), "BBBB-") },
	},
	{
		name: "thresholds raised a little", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 8,
		server: func(r *lvs.RealServer) { r.UpperThreshold = 4 },
		change: func(s *lvs.TableService) { s.RealServers[1].UpperThreshold = 5 },
		notes:  "It gets new connections until it has 5; if it is full already, none until it has fewer than 4.",
		older:  "It gets new connections until it has 5.",
		after: func(n *noteTrial) {
			want := "B-"
			if n.Release().CountsTotals() {
				want = "--"
			}
			n.is("new ones", n.each(2), want)
		},
	},
	{
		name: "thresholds removed", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 8,
		server: func(r *lvs.RealServer) { r.UpperThreshold = 4 },
		change: func(s *lvs.TableService) { s.RealServers[1].UpperThreshold = 0 },
		notes:  "It gets new connections, however many it has.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "thresholds and persistence", service: noteTied, weights: []int{1, 1}, clients: 4,
		change: func(s *lvs.TableService) { s.RealServers[1].UpperThreshold = 1 },
		notes:  "It has 2 connections, so it gets no new ones until it has fewer than 1. Clients that persistence ties to it reach it nevertheless.",
		older:  "It has 2 connections, so after at most one more it gets none until it has fewer than 1. Clients that persistence ties to it reach it nevertheless.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(4), "BABA") },
	},
}

// flooded holds that the next connections all go to one server, and then some to others.
func (n *noteTrial) flooded(server string, count int) {
	n.Helper()
	got := n.each(count + 4)
	if first := strings.IndexFunc(got, func(r rune) bool { return string(r) != server }); first < count-1 || first > count+2 {
		n.Errorf("new ones: %s, want about %d of %s first", got, count, server)
	}
}

// schedulerExchanged is proved by traffic through a lab, in a kernel with several CPUs:
// here nothing is sent at the same time.
const schedulerExchanged = "For a moment, while the kernel exchanges the scheduler, new connections that need one are refused."

// noteEdits change a service, or how a real server is reached.
var noteEdits = []noteCase{
	{
		name: "mode", service: noteBy(lvs.WLC), weights: []int{1}, clients: 2,
		change: func(s *lvs.TableService) { s.RealServers[0].Mode = lvs.DR() },
		notes:  "Packets of its 2 connections go by nat, and new ones by dr.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AA")
			n.is("new ones", n.each(2), "==")
		},
	},
	{
		name: "scheduler", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 2, change: editing(func(s *lvs.Service) { s.Scheduler = lvs.WRR }),
		notes: "Existing connections stay; wrr starts its round at the newest server.\n" + schedulerExchanged,
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BA")
			n.is("new ones", n.each(2), "BA")
		},
	},
	{
		name: "scheduler that counts", service: noteBy(lvs.FO), weights: []int{2, 1}, clients: 4, change: editing(func(s *lvs.Service) { s.Scheduler = lvs.LC }),
		notes: "Existing connections stay, and count for what lc picks next.\n" + schedulerExchanged,
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AAAA")
			n.is("new ones", n.each(4), "BBBB")
		},
	},
	{
		name: "scheduler that hashes", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 6, change: editing(func(s *lvs.Service) { s.Scheduler = lvs.SH }),
		notes: "Existing connections stay; sh gives each client the server of its hash, whatever server it had.\n" + schedulerExchanged,
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABABA")
			n.is("new ones twice", n.each(6), n.each(6))
		},
	},
	{
		name: "scheduler that remembers", service: noteBy(lvs.RR), weights: []int{10, 10}, clients: 1, change: editing(func(s *lvs.Service) { s.Scheduler = lvs.LBLC }),
		notes: "Existing connections stay; lblc remembers no server of a destination yet.\n" + schedulerExchanged,
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "scheduler none", service: noteBy(lvs.RR), weights: []int{1}, clients: 2, change: editing(func(s *lvs.Service) { s.Scheduler = lvs.NoScheduler }),
		notes: "Existing connections stay, and new ones are refused with ICMP port unreachable.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AA")
			n.is("new ones", n.each(2), "--")
		},
	},
	{
		name: "scheduler again", service: noteBy(lvs.NoScheduler), weights: []int{1}, change: editing(func(s *lvs.Service) { s.Scheduler = lvs.RR }),
		notes: "New connections are no longer refused: rr picks servers for them.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "AA") },
	},
	{
		name: "persistence on", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 3,
		change: editing(func(s *lvs.Service) { s.Persistence.Timeout = time.Minute }),
		notes:  "Existing connections stay; each client is tied to the server that rr picks for its next one.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BAB")
			n.is("new ones", n.each(3), "ABA")
			n.is("further ones", n.each(3), "ABA")
		},
	},
	{
		name: "persistence off", service: noteTied, weights: []int{1, 1}, clients: 3,
		change: editing(func(s *lvs.Service) { s.Persistence = lvs.Persistence{} }),
		notes:  "Persistence lets go of 3 clients; rr picks servers for their next connections.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BAB")
			n.is("new ones", n.each(3), "ABA")
		},
	},
	{
		name: "persistence of networks", service: noteTied, weights: []int{1, 1}, clients: 3,
		change: editing(func(s *lvs.Service) { s.Persistence.Mask = lvs.PrefixMask(24) }),
		notes:  "Templates of another mask do not count, so persistence lets go of 3 clients.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(3), "ABA") },
	},
	{
		name: "persistence timeout", service: lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 1000 * time.Second}},
		weights: []int{1, 1}, clients: 2,
		change: editing(func(s *lvs.Service) { s.Persistence.Timeout = 100 * time.Second }),
		notes:  "Templates of 2 clients keep the old timeout until they end.",
		after: func(n *noteTrial) {
			n.is("new ones", n.each(2), "BA")
			all, err := n.host.Connections(groundContext(n))
			must(n, err)
			for _, c := range all {
				if c.IsTemplate() && c.Expires < 900*time.Second {
					n.Errorf("a template expires in %s", c.Expires)
				}
			}
		},
	},
	{
		name: "one-packet on", service: noteDatagramsBy(lvs.RR), weights: []int{1, 1}, clients: 2, change: editing(func(s *lvs.Service) { s.OnePacket = true }),
		before: func(n *noteTrial) {
			must(n, n.host.Client().SetTimeouts(groundContext(n), lvs.Timeouts{UDP: 2 * time.Second}))
		},
		notes: "Flows that exist go on until they have been silent for the UDP timeout; all other datagrams are scheduled one by one.",
		after: func(n *noteTrial) {
			n.is("flows", n.goOn()+n.goOn(), "BABA")
			n.Wait(3 * time.Second)
			n.is("flows after a pause", n.goOn()+n.goOn()+n.goOn(), "BABABA")
			p := n.conns[0]
			n.is("datagrams of one flow", n.sent([]packet{p, p, p}), "BAB")
		},
	},
	{
		name: "one-packet off", service: lvs.Service{ID: lvs.UDP(noteVIP), Scheduler: lvs.RR, OnePacket: true}, weights: []int{1, 1}, clients: 1,
		change: editing(func(s *lvs.Service) { s.OnePacket = false }),
		notes:  "The next datagram of each client port opens a flow, which stays on its server.",
		after:  func(n *noteTrial) { n.is("a flow", n.goOn()+n.goOn()+n.goOn(), "AAA") },
	},
	{
		name: "several fields of a service", service: noteBy(lvs.RR), weights: []int{1, 1}, clients: 2,
		change: editing(func(s *lvs.Service) { s.Scheduler, s.Persistence.Timeout = lvs.FO, time.Minute }),
		notes: "Existing connections stay, and count for what fo picks next.\n" + schedulerExchanged + "\n" +
			"Existing connections stay; each client is tied to the server that fo picks for its next one.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "BB") },
	},
}
