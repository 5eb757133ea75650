package conformance

import (
	"time"

	"github.com/golvs/lvs"
)

// schedulerExchanged is proved by traffic through a lab, in a kernel with several CPUs:
// here nothing is sent at the same time.
const schedulerExchanged = "For a moment, while the kernel exchanges the scheduler, new connections that need one are refused."

// noteEdits change the fields of a service.
var noteEdits = []noteCase{
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
		notes:  "Templates of another mask do not count, so persistence lets go of 3 clients, whose next connections are scheduled again.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(3), "ABA") },
	},
	{
		name: "persistence timeout", service: lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: lvs.RR, Persistence: lvs.Persistence{Timeout: 1000 * time.Second}},
		weights: []int{1, 1}, clients: 2,
		change: editing(func(s *lvs.Service) { s.Persistence.Timeout = 100 * time.Second }),
		notes:  "2 clients keep the old timeout until their templates end.",
		after: func(n *noteTrial) {
			n.is("new ones", n.each(2), "BA")
			all, err := lvs.CollectConnections(n.host.Connections(groundContext(n), lvs.ConnectionFilter{}))
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
