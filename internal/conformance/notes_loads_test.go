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
		notes: "rr picks it in its turn.",
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
		notes: "wrr starts its round over at the newest server.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CBA") },
	},
	{
		name: "wrr and a threshold", service: noteBy(lvs.WRR), weights: []int{1, 1, 1}, clients: 1,
		change: func(s *lvs.TableService) { s.RealServers[0].UpperThreshold = 100 },
		notes:  "wrr starts its round over at the newest server.\nIt gets new connections until it has 100.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(3), "CBA") },
	},
	{
		name: "wrr and a removed server", service: noteBy(lvs.WRR), weights: []int{1, 1, 1}, clients: 2, change: removing(0),
		notes: "It has no connections now.\nwrr starts its round over at the newest server.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "CB") },
	},
	{
		name: "lc and a new server", service: noteBy(lvs.LC), weights: []int{1, 1}, clients: 20, change: adding(3),
		notes: "lc sends new connections to it first, about 10 of them, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 10) },
	},
	{
		name: "lc and a weight", service: noteBy(lvs.LC), weights: []int{1, 1}, clients: 2, change: weighing(0, 5),
		notes: "lc does not count weights, so nothing changes.",
		after: func(n *noteTrial) { n.is("new ones", n.each(4), "BABA") },
	},
	{
		name: "wlc and a new server", service: noteBy(lvs.WLC), weights: []int{1, 1}, clients: 20, change: adding(3),
		notes: "wlc sends new connections to it first, about 30 of them, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 30) },
	},
	{
		name: "wlc and two new servers", service: noteBy(lvs.WLC), weights: []int{1, 1}, clients: 20,
		change: func(s *lvs.TableService) { adding(1)(s); adding(1)(s) },
		notes: "wlc sends new connections to it first, about 10 of them, until its load is that of the others.\n" +
			"wlc sends new connections to it first, about 10 of them, until its load is that of the others.",
		after: func(n *noteTrial) { n.is("new ones", n.each(20), strings.Repeat("DC", 10)) },
	},
	{
		name: "wlc and a new server without load", service: noteBy(lvs.WLC), weights: []int{1, 1}, change: adding(1),
		notes: "wlc balances it with the others.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CBA") },
	},
	{
		name: "wlc and a weight", service: noteBy(lvs.WLC), weights: []int{1, 1}, clients: 8, change: weighing(0, 3),
		notes: "Existing connections stay; wlc balances new ones by the new weights.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "BABABABA")
			n.is("new ones", n.each(8), "AAAAAAAA")
			n.is("further ones", n.each(4), "BAAA")
		},
	},
	{
		name: "wlc of datagrams and a new server", service: noteDatagramsBy(lvs.WLC), weights: []int{1, 1}, clients: 20, change: adding(2),
		notes: "wlc sends new flows to it first, about 20 of them, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 20) },
	},
	{
		name: "sed and a new server", service: noteBy(lvs.SED), weights: []int{1, 1}, clients: 20, change: adding(2),
		notes: "sed sends new connections to it first, about 21 of them, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 21) },
	},
	{
		name: "nq and a new server", service: noteBy(lvs.NQ), weights: []int{1, 1}, clients: 20, change: adding(2),
		notes: "nq sends new connections to it first, about 21 of them, until its load is that of the others.",
		after: func(n *noteTrial) { n.flooded("C", 21) },
	},
	{
		name: "sed of datagrams", service: noteDatagramsBy(lvs.SED), weights: []int{2, 1}, clients: 3, change: adding(3),
		notes: "sed sends all new flows to 10.2.0.12:80, and no longer to 10.2.0.10:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CCC") },
	},
	{
		name: "nq of datagrams", service: noteDatagramsBy(lvs.NQ), weights: []int{2, 1}, clients: 3, change: adding(1),
		notes: "nq sends all new flows to 10.2.0.12:80, and no longer to 10.2.0.11:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "CCC") },
	},
	{
		name: "ovf of datagrams", service: noteDatagramsBy(lvs.OVF), weights: []int{2, 1}, clients: 3, change: adding(1),
		notes: "ovf still sends all new flows to 10.2.0.10:80.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "wlc of one-packet", service: lvs.Service{ID: lvs.UDP(noteVIP), Scheduler: lvs.WLC, OnePacket: true}, weights: []int{5, 1},
		change: adding(1),
		notes:  "wlc sends all datagrams to 10.2.0.12:80, and no longer to 10.2.0.11:80.",
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
		name: "fo and a threshold", service: noteBy(lvs.FO), weights: []int{2, 1}, clients: 2,
		change: func(s *lvs.TableService) { adding(3)(s); s.RealServers[2].UpperThreshold = 2 },
		notes:  "fo sends all new connections to 10.2.0.12:80, and no longer to 10.2.0.10:80, until it is full.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(4)[2:], "AA") },
	},
	{
		name: "fo with persistence", clients: 2, weights: []int{2, 1}, change: weighing(1, 3),
		service: lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: lvs.FO, Persistence: lvs.Persistence{Timeout: time.Minute}},
		notes:   "fo sends all new connections of new clients to 10.2.0.11:80, and no longer to 10.2.0.10:80.",
		after:   func(n *noteTrial) { n.is("new ones", n.open(0, 1, 2, 3), "AABB") },
	},
	{
		name: "twos and a new server", service: noteBy(lvs.TWOS), weights: []int{1, 1}, change: adding(1),
		notes: "twos draws it by its weight.",
		after: func(n *noteTrial) { n.is("servers of new ones", letters(n.each(60)), "ABC") },
	},
	{
		name: "twos and a weight", service: noteBy(lvs.TWOS), weights: []int{1, 1}, clients: 20, change: weighing(0, 100),
		notes: "Existing connections stay; twos draws by the new weights.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), n.first)
			if got := n.each(60); strings.Count(got, "B") > 15 {
				n.Errorf("new ones: %s", got)
			}
		},
	},
	{
		name: "twos and a quiesced server", service: noteBy(lvs.TWOS), weights: []int{1, 1}, clients: 6, change: weighing(0, 0),
		notes: "New connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), n.first)
			n.is("new ones", n.each(6), "BBBBBB")
		},
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
		notes: "Existing connections stay; ovf fills the servers in the order of the new weights.",
		after: func(n *noteTrial) { n.is("new ones", n.each(7), "BBBBBBA") },
	},
	{
		name: "lblc and a new server", service: noteBy(lvs.LBLC), weights: []int{100, 100}, clients: 2, change: adding(100),
		notes: "Destinations keep their servers; it gets new ones, and those whose server is too busy.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "lblc and a removed server", service: noteBy(lvs.LBLC), weights: []int{100, 100, 100}, clients: 2, change: removing(2),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\nlblc gives the destinations that it has to other servers.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "lblc and a lower weight", service: noteBy(lvs.LBLC), weights: []int{100, 100}, clients: 3, change: weighing(1, 1),
		notes: "Destinations keep their servers, until one has more active connections than its weight and another fewer than half of its own.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "lblcr and a new server", service: noteBy(lvs.LBLCR), weights: []int{100, 100}, clients: 2, change: adding(100),
		notes: "Destinations keep their servers; it gets new ones, and those whose server is too busy.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "BBB") },
	},
	{
		name: "lblcr and a quiesced server", service: noteBy(lvs.LBLCR), weights: []int{100, 100}, clients: 2, change: weighing(1, 0),
		notes: "lblcr gives the destinations that it has to other servers.",
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
