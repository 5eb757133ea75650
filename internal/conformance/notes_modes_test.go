package conformance

import (
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// noteModes change how a real server is reached.
var noteModes = []noteCase{
	{
		name: "mode", service: noteBy(lvs.WLC), weights: []int{1}, clients: 2,
		change: func(s *lvs.TableService) { s.RealServers[0].Mode = lvs.DR() },
		notes:  "Packets of its 2 connections still go by nat, and new ones by dr.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AA")
			n.is("new ones", n.each(2), "==")
		},
	},
	{
		name: "a tunnel into another", service: noteBy(lvs.WLC), weights: []int{1}, clients: 2,
		server: func(r *lvs.RealServer) { r.Mode = lvs.GUE(6080) },
		change: func(s *lvs.TableService) { s.RealServers[0].Mode = lvs.GRE(lvs.TunnelChecksum) },
		before: func(n *noteTrial) { n.all("connections", n.conns, "by gue to 10.2.0.10") },
		notes:  "Packets of its 2 connections go by gre+csum from now on, too.",
		after: func(n *noteTrial) {
			n.all("connections", n.conns, "by gre to 10.2.0.10")
			n.all("a new one", []packet{n.fresh(0)}, "by gre to 10.2.0.10")
		},
	},
	{
		name: "a tunnel into dr", service: noteBy(lvs.WLC), weights: []int{1}, clients: 2,
		server: func(r *lvs.RealServer) { r.Mode = lvs.GUE(6080) },
		change: func(s *lvs.TableService) { s.RealServers[0].Mode = lvs.DR() },
		before: func(n *noteTrial) { n.all("connections", n.conns, "by gue to 10.2.0.10") },
		notes:  "Packets of its 2 connections still go by ipip, and new ones by dr.",
		after: func(n *noteTrial) {
			n.all("connections", n.conns, "by ipip to 10.2.0.10")
			n.is("new ones", n.each(2), "==")
		},
	},
	{
		name: "dr into a tunnel", service: noteBy(lvs.WLC), weights: []int{1}, clients: 2,
		server: func(r *lvs.RealServer) { r.Mode = lvs.DR() },
		change: func(s *lvs.TableService) { s.RealServers[0].Mode = lvs.GRE() },
		notes:  "Packets of its 2 connections still go by dr, and new ones by gre.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "==")
			n.all("a new one", []packet{n.fresh(0)}, "by gre to 10.2.0.10")
		},
	},
	{
		name: "a mode without connections", service: noteBy(lvs.WLC), weights: []int{1},
		change: func(s *lvs.TableService) { s.RealServers[0].Mode = lvs.DR() },
		notes:  "It has no connections now.",
		after:  func(n *noteTrial) { n.is("new ones", n.each(2), "==") },
	},
}

// noteWeb6 is a service of IPv6, noteMarked one of a firewall mark.
var (
	noteWeb6   = lvs.Service{ID: lvs.TCP(addrAt("[fd00:1::fe]:80")), Scheduler: lvs.WLC}
	noteMarked = lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.WLC}
)

// noteFamilies are of services that are not of an IPv4 address.
var noteFamilies = []noteCase{
	{
		name: "removed server of IPv6", service: noteWeb6, weights: []int{1, 1}, clients: 4, change: removing(0),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\nNew connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "B-B-")
			n.is("new ones", n.each(4), "BBBB")
		},
	},
	{
		name: "quiesced only server of IPv6", service: noteWeb6, weights: []int{1}, clients: 2, change: weighing(0, 0),
		notes: "No server with a weight is left. New connections are refused with ICMPv6 port unreachable.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AA")
			n.is("new ones", n.each(2), "--")
		},
	},
	{
		name: "removed last service of IPv6", service: noteWeb6, weights: []int{1, 1}, clients: 2,
		notes: "It is the last IPv6 service, so IPVS leaves packets of its 2 connections to the director's own stack, which resets TCP.\n" +
			"New connections go to the director's own stack.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "..")
			n.is("new ones", n.each(2), "..")
		},
	},
	{
		name: "removed server of a mark", service: noteMarked, weights: []int{1, 1}, clients: 4, change: removing(0),
		notes: "Packets of its 2 connections are dropped, without an error to the client.\nNew connections go to the other servers.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "B-B-")
			n.is("new ones", n.each(4), "BBBB")
		},
	},
	{
		name: "quiesced only server of a mark", service: noteMarked, weights: []int{1}, clients: 2, change: weighing(0, 0),
		notes: "No server with a weight is left. New connections are refused with ICMP port unreachable.",
		after: func(n *noteTrial) { n.is("new ones", n.each(2), "--") },
	},
	{
		name: "quiesced only server of a mark with cache_bypass", service: noteMarked, weights: []int{1}, clients: 2, change: weighing(0, 0),
		sysctls: map[string]int{"cache_bypass": 1},
		notes:   "No server with a weight is left. New connections go on to their original destinations.",
		after:   func(n *noteTrial) { n.is("new ones", n.each(2), "==") },
	},
	{
		name: "drained service of a mark with cache_bypass", service: noteMarked, weights: []int{1}, clients: 2, sysctls: map[string]int{"cache_bypass": 1},
		options: lvs.TableOptions{Drain: time.Minute},
		notes: "It keeps its 2 connections; what is left at the deadline is cut.\n" +
			"New connections go on to their original destinations while it drains.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "AA")
			n.is("new ones", n.each(2), "==")
		},
	},
	{
		name: "removed service of a mark", service: noteMarked, weights: []int{1}, clients: 2,
		notes: "Packets of its 2 connections are dropped, without an error to the client.\n" +
			"New connections with the mark go to the service of their address, or to the director's own stack if there is none.",
		after: func(n *noteTrial) {
			n.is("connections", n.goOn(), "--")
			n.is("new ones", n.each(2), "..")
		},
	},
}

// all holds that all packets are seen to leave the same way.
func (n *noteTrial) all(what string, packets []packet, want string) {
	n.Helper()
	for _, fate := range n.Send(packets) {
		if !strings.HasSuffix(fate, want) {
			n.Errorf("%s: %s, want %s", what, fate, want)
		}
	}
}
