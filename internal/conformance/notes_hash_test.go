package conformance

import (
	"math"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// hashSample is how many clients show whether the shares of notes are right.
const hashSample = 240

func noteHashed(s lvs.Scheduler, f lvs.SchedulerFlags) lvs.Service {
	return lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: s, SchedulerFlags: f}
}

// noteHashes change services whose schedulers hash.
var noteHashes = []noteCase{
	{
		name: "mh and a new server", service: noteHashed(lvs.MH, 0), weights: []int{1, 1, 1, 1}, clients: hashSample, change: adding(1),
		notes: "About 42.4 % of clients move to another server.",
		after: func(n *noteTrial) { n.shares(0.424, 0, 0) },
	},
	{
		name: "mh and a removed server", service: noteHashed(lvs.MH, 0), weights: []int{1, 1, 1, 1, 1}, clients: hashSample, change: removing(4),
		notes: "Packets of its 47 connections are dropped, without an error to the client.\nAbout 42.4 % of clients move to another server.",
		after: func(n *noteTrial) { n.shares(0.424, 0, 0) },
	},
	{
		name: "mh and a weight", service: noteHashed(lvs.MH, 0), weights: []int{1, 1, 1, 1}, clients: hashSample, change: weighing(0, 2),
		notes: "About 34.2 % of clients move to another server.",
		after: func(n *noteTrial) { n.shares(0.342, 0, 0) },
	},
	{
		name: "mh and a quiesced server", service: noteHashed(lvs.MH, 0), weights: []int{1, 1, 1, 1}, clients: hashSample, change: weighing(0, 0),
		notes: "About 25.0 % of clients are refused, because mh has no fallback.",
		after: func(n *noteTrial) {
			now := n.shares(0, 0.25, 0)
			n.is("clients", now, replaced(n.first, "A", "-"))
		},
	},
	{
		name: "mh with fallback and a quiesced server", service: noteHashed(lvs.MH, lvs.HashFallback), weights: []int{1, 1, 1, 1}, clients: hashSample,
		change: weighing(0, 0),
		notes:  "About 25.0 % of clients move to another server.",
		after: func(n *noteTrial) {
			now := n.shares(0.25, 0, 0)
			for i := range now {
				if n.first[i] != 'A' && now[i] != n.first[i] {
					n.Errorf("client %d moved from %c to %c", i, n.first[i], now[i])
				}
			}
		},
	},
	{
		name: "mh and a server usable again", service: noteHashed(lvs.MH, 0), weights: []int{1, 1, 1, 1}, clients: hashSample, change: weighing(0, 1),
		before: func(n *noteTrial) {
			r := noteServer(n.service.ID, 0, 0)
			must(n, n.host.Client().UpdateRealServer(groundContext(n), n.service.ID, r))
		},
		notes: "Which clients move depends on the weight that a server of weight 0 had before, which the kernel does not show.",
		after: func(n *noteTrial) { n.is("clients", n.each(hashSample), n.first) },
	},
	{
		name: "mh with ports and a new server", service: noteHashed(lvs.MH, lvs.HashPort), weights: []int{1, 1, 1, 1}, change: adding(1),
		notes: "About 42.4 % of client ports move to another server.",
		after: func(n *noteTrial) { n.is("a client's servers", letters(n.open(make([]int, 60)...)), "ABCDE") },
	},
	{
		name: "sh and a new server", service: noteHashed(lvs.SH, 0), weights: []int{1, 1, 1, 1}, clients: hashSample, change: adding(1),
		notes: "About 81.2 % of clients move to another server.",
		after: func(n *noteTrial) { n.shares(0.812, 0, 0) },
	},
	{
		name: "sh and a quiesced server", service: noteHashed(lvs.SH, 0), weights: []int{1, 1, 1, 1}, clients: hashSample, change: weighing(0, 0),
		notes: "About 25.0 % of clients are refused, because sh has no fallback.",
		after: func(n *noteTrial) { n.is("clients", n.shares(0, 0.25, 0), replaced(n.first, "A", "-")) },
	},
	{
		name: "sh and a quiesced server of a weight", service: noteHashed(lvs.SH, 0), weights: []int{5, 5, 5, 5}, clients: hashSample, change: weighing(0, 0),
		notes: "About 63.3 % of clients move to another server, and 6.2 % of all are refused, because sh has no fallback.",
		after: func(n *noteTrial) { n.shares(0.633, 0.062, 0) },
	},
	{
		name: "sh with fallback and a quiesced server", service: noteHashed(lvs.SH, lvs.HashFallback), weights: []int{1, 1, 1, 1}, clients: hashSample,
		change: weighing(0, 0),
		notes:  "About 25.0 % of clients move to another server.",
		after:  func(n *noteTrial) { n.shares(0.25, 0, 0) },
	},
	{
		name: "sh and a server usable again", service: noteHashed(lvs.SH, 0), weights: []int{0, 1, 1, 1}, change: weighing(0, 1),
		before: func(n *noteTrial) { n.first = n.each(hashSample) },
		notes:  "About 25.0 % of clients are no longer refused.",
		after:  func(n *noteTrial) { n.shares(0, 0, 0.25) },
	},
	{
		name: "sh and a weight beyond the table", service: noteHashed(lvs.SH, 0), weights: []int{100, 100, 100, 100}, clients: hashSample, change: removing(0),
		notes: "It has no connections now.\nNo client moves: sh fills its table as before.",
		after: func(n *noteTrial) { n.is("clients", n.shares(0, 0, 0), n.first) },
	},
	{
		name: "sh with persistence and a new server", clients: hashSample / 2, weights: []int{1, 1, 1, 1}, change: adding(1),
		service: lvs.Service{ID: lvs.TCP(noteVIP), Scheduler: lvs.SH, Persistence: lvs.Persistence{Timeout: time.Minute}},
		notes:   "About 81.2 % of clients that persistence does not tie move to another server.",
		after:   func(n *noteTrial) { n.is("clients", n.each(hashSample/2), n.first) },
	},
	{
		name: "dh and a new server", service: noteHashed(lvs.DH, 0), weights: []int{1, 1}, clients: 3, change: adding(1),
		notes: "dh sends all new connections to 10.2.0.11:80, to which 10.1.254.1 hashes now.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3)+n.first, "BBBAAA") },
	},
	{
		name: "dh and a quiesced server", service: noteHashed(lvs.DH, 0), weights: []int{1, 1}, clients: 3, change: weighing(0, 0),
		notes: "dh refuses all new connections, because 10.1.254.1 hashes to a server of weight 0.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "---") },
	},
	{
		name: "dh and another quiesced server", service: noteHashed(lvs.DH, 0), weights: []int{1, 1}, clients: 3, change: weighing(1, 0),
		notes: "dh still sends all new connections to 10.2.0.10:80, to which 10.1.254.1 hashes.",
		after: func(n *noteTrial) { n.is("new ones", n.each(3), "AAA") },
	},
	{
		name: "fallback on", service: noteHashed(lvs.SH, 0), weights: []int{0, 1}, change: editing(func(s *lvs.Service) { s.SchedulerFlags = lvs.HashFallback }),
		before: func(n *noteTrial) { n.is("kinds of clients", letters(n.each(50)), "-B") },
		notes:  "From now on, new connections of a client whose server has weight 0 or is full go to another one.",
		after:  func(n *noteTrial) { n.is("kinds of clients", letters(n.each(50)), "B") },
	},
	{
		name: "fallback off", service: noteHashed(lvs.MH, lvs.HashFallback), weights: []int{1, 1}, clients: 50,
		change: func(s *lvs.TableService) { s.SchedulerFlags, s.RealServers[0].Weight = 0, 0 },
		notes: "From now on, new connections of a client whose server has weight 0 or is full are refused.\n" +
			"About 50.0 % of clients are refused, because mh has no fallback.",
		after: func(n *noteTrial) { n.is("clients", n.each(50), replaced(n.first, "A", "-")) },
	},
	{
		name: "port on", service: noteHashed(lvs.SH, 0), weights: []int{1, 1}, clients: 1, change: editing(func(s *lvs.Service) { s.SchedulerFlags = lvs.HashPort }),
		notes: "sh hashes the client's port too, so a client's next connections go to several servers.",
		after: func(n *noteTrial) { n.is("a client's servers", letters(n.open(make([]int, 20)...)), "AB") },
	},
	{
		name: "port and fallback on", service: noteHashed(lvs.SH, 0), weights: []int{1, 0, 1}, clients: 1,
		change: editing(func(s *lvs.Service) { s.SchedulerFlags = lvs.HashPort | lvs.HashFallback }),
		notes: "sh hashes the client's port too, so a client's next connections go to several servers. " +
			"From now on, new connections of a client whose server has weight 0 or is full go to another one.",
		after: func(n *noteTrial) { n.is("a client's servers", letters(n.open(make([]int, 30)...)), "AC") },
	},
	{
		name: "port off", service: noteHashed(lvs.MH, lvs.HashPort), weights: []int{1, 1}, clients: 1, change: editing(func(s *lvs.Service) { s.SchedulerFlags = 0 }),
		notes: "mh hashes the address alone, so a client's next connections go to one server.",
		after: func(n *noteTrial) {
			n.is("number of a client's servers", letters(n.open(make([]int, 20)...)), letters(n.open(0)))
		},
	},
}

// letters returns which letters there are.
func letters(s string) string {
	var b strings.Builder
	for _, r := range "-.=ABCDEFGHIJ" {
		if strings.ContainsRune(s, r) {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// shares holds how many of the sampled clients move, are refused, and are no longer
// refused, and returns where all reach now.
func (n *noteTrial) shares(moved, refused, accepted float64) string {
	n.Helper()
	now := n.each(len(n.first))
	counts := make(map[string]int)
	for i := range now {
		switch {
		case now[i] == n.first[i]:
		case now[i] == '-':
			counts["refused"]++
		case n.first[i] == '-':
			counts["accepted"]++
		default:
			counts["moved"]++
		}
	}
	for what, want := range map[string]float64{"moved": moved, "refused": refused, "accepted": accepted} {
		share := float64(counts[what]) / float64(len(now))
		if math.Abs(share-want) > 0.09 || want == 0 && share > 0 {
			n.Errorf("%.3f of %d clients are %s, want %.3f", share, len(now), what, want)
		}
	}
	return now
}
