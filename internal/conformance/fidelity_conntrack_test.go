package conformance

import (
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
)

// conntracked are histories in which a client uses its port again, or its server
// goes, while conntrack=1. Netfilter takes an entry away when a SYN comes that
// can only begin a connection, and keeps it otherwise: then the kernel drops the
// SYN, and the client's next one finds a server.
func conntracked() map[string]history {
	web := keyOf("tcp 10.1.254.1:80")
	dns := keyOf("udp 10.1.254.1:53")
	client := func(flags uint8) packet {
		return packet{protocol: protocolTCP, tcp: flags, from: at("10.1.9.1:1001"), to: at("10.1.254.1:80")}
	}
	server := func(flags uint8) packet { // of NAT
		return packet{protocol: protocolTCP, tcp: flags, from: at("10.2.0.10:80"), to: at("10.1.9.1:1001")}
	}
	answer := packet{protocol: protocolUDP, from: at("10.2.0.10:53"), to: at("10.1.9.1:1001")}
	query := packet{protocol: protocolUDP, from: at("10.1.9.1:1001"), to: at("10.1.254.1:53")}
	const syn, synAck, ack, fin, rst, rstAck = flagSYN, flagSYN | flagACK, flagACK, flagFIN | flagACK, flagRST, flagRST | flagACK
	again := history{client(syn), settle, client(syn), settle}
	serve := func(method uint32) history {
		return history{
			serviceCall(cNewService, serviceOf("tcp 10.1.254.1:80")),
			serviceCall(cNewDest, web, destOf("10.2.0.10:80").set(dMethod, u32(method))),
		}
	}
	// of returns a history of a client of NAT that has a connection.
	of := func(then ...step) history {
		return slices.Concat(serve(masquerade), history{client(syn), server(synAck), client(ack)}, then, again)
	}
	evenFinWait, nodest := requirement{"conn_reuse_mode", 3}, requirement{"expire_nodest_conn", 1}
	quiesce := serviceCall(cSetDest, web, destOf("10.2.0.10:80").set(dMethod, u32(masquerade)).set(dWeight, u32(0)))
	remove := serviceCall(cDelDest, web, destOf("10.2.0.10:80"))
	return map[string]history{
		"direct: reset":                           slices.Concat(serve(direct), history{client(syn), client(ack), client(rst)}, again),
		"direct: reset in SYN_RECV":               slices.Concat(serve(direct), history{client(syn), client(rst)}, again),
		"direct: closing":                         slices.Concat(history{evenFinWait}, serve(direct), history{client(syn), client(ack), client(fin)}, again),
		"direct: reset after closing":             slices.Concat(history{evenFinWait}, serve(direct), history{client(syn), client(ack), client(fin), client(rst)}, again),
		"tunnel: reset":                           slices.Concat(serve(tunnel), history{client(syn), client(ack), client(rst)}, again),
		"the client closes first":                 of(client(fin), server(ack), server(fin), client(ack)),
		"the server closes first":                 of(server(fin), client(ack), client(fin), server(ack)),
		"FIN without ACK":                         of(client(flagFIN), server(flagFIN)),
		"refused":                                 slices.Concat(serve(masquerade), history{client(syn), server(rstAck)}, again),
		"the client resets":                       of(client(rst)),
		"the client resets with ACK":              of(client(rstAck)),
		"the server resets":                       of(server(rst)),
		"the server resets, and the client waits": of(server(rst), wait(8*time.Second)),
		"the client resets, and then the server":  of(client(rst), server(rst)),
		"closing, and the server resets":          of(client(fin), server(rst)),
		"half open, the server resets":            slices.Concat(serve(masquerade), history{client(syn), server(synAck), server(rst)}, again),
		"half open, the client resets":            slices.Concat(serve(masquerade), history{client(syn), server(synAck), client(rst)}, again),
		"the server is quiesced":                  slices.Concat(history{nodest}, of(quiesce)),
		"the server goes":                         slices.Concat(history{nodest}, of(remove, wait(200*time.Millisecond))),
		"conntrack is turned on later":            slices.Concat(history{requirement{"conntrack", 0}}, of(server(rst), requirement{"conntrack", 1})),
		"conntrack is turned off later":           of(server(rst), requirement{"conntrack", 0}),
		// The entry that a passed packet leaves is not IPVS's to delete.
		"IPVS passed the port on before": slices.Concat(history{requirement{"conntrack", 0}, client(syn)}, serve(masquerade), history{client(syn), server(fin)}, again),
		"IPVS knew the port before":      slices.Concat(history{requirement{"conntrack", 0}}, serve(masquerade), history{client(syn), server(fin)}, again),
		"direct: reset after an answer": slices.Concat(serve(direct), history{
			client(syn), packet{protocol: protocolTCP, tcp: ack, from: at("10.1.254.1:80"), to: at("10.1.9.1:1001")}, client(rst), client(syn), settle, client(rst),
		}, again),
		// So is that of a connection of one packet, whose answers are the client's as
		// those of the connection after it would be.
		"one packet, and then NAT": {
			serviceCall(cNewService, serviceOf("udp 10.1.254.1:53").set(sFlags, flagBytes(4))),
			serviceCall(cNewDest, dns, destOf("10.2.0.10:53").set(dMethod, u32(masquerade))),
			query, serviceCall(cSetService, serviceOf("udp 10.1.254.1:53")), query, answer, query, answer,
		},
		"one packet, and then direct": {
			serviceCall(cNewService, serviceOf("udp 10.1.254.1:53").set(sFlags, flagBytes(4))),
			serviceCall(cNewDest, dns, destOf("10.2.0.10:53").set(dMethod, u32(direct))),
			query, serviceCall(cSetService, serviceOf("udp 10.1.254.1:53")), query,
			packet{protocol: protocolUDP, from: at("10.1.254.1:53"), to: at("10.1.9.1:1001")}, query,
		},
		"the VIP sends to a client of NAT": {
			serviceCall(cNewService, serviceOf("udp 10.1.254.1:53")),
			serviceCall(cNewDest, dns, destOf("10.2.0.10:53").set(dMethod, u32(masquerade))),
			query, packet{protocol: protocolUDP, from: at("10.1.254.1:53"), to: at("10.1.9.1:1001")}, answer, query,
		},
		"a datagram's server goes": {
			nodest, serviceCall(cNewService, serviceOf("udp 10.1.254.1:53")),
			serviceCall(cNewDest, dns, destOf("10.2.0.10:53")), serviceCall(cNewDest, dns, destOf("10.2.0.11:53")),
			query, query, serviceCall(cDelDest, dns, destOf("10.2.0.10:53")), serviceCall(cDelDest, dns, destOf("10.2.0.11:53")),
			serviceCall(cNewDest, dns, destOf("10.2.0.12:53")), wait(200 * time.Millisecond), query, settle, query, settle,
		},
	}
}

// ftpByNAT makes netfilter track IPv4 connections: FTP by NAT is the only thing
// for which IPVS asks that.
var ftpByNAT = history{
	serviceCall(cNewService, serviceOf("tcp 10.1.254.250:21")),
	serviceCall(cNewDest, keyOf("tcp 10.1.254.250:21"), destOf("10.2.0.99:21").set(dMethod, u32(masquerade))),
}

// What netfilter tracks, and what not, decides which ports can be used again.
func TestFidelityConntrack(t *testing.T) {
	open := openFidelity(t)
	for name, h := range conntracked() {
		on := history{requirement{"conntrack", 1}}
		for tracking, h := range map[string]history{
			"tracked":   slices.Concat(on, ftpByNAT, h),
			"untracked": slices.Concat(on, h),
		} {
			t.Run(tracking+"/"+name, func(t *testing.T) {
				t.Parallel()
				if difference, _ := attempt(t, open, h); difference != "" {
					t.Error(difference)
				}
			})
		}
	}
}

// With conntrack=1 the simulator drops what the kernel drops, and nothing else.
func TestSimulatorConntrack(t *testing.T) {
	dropped := map[string]bool{
		"direct: closing": true, "FIN without ACK": true, "the server resets": true, "half open, the server resets": true,
		"the server resets, and the client waits": true, "the server is quiesced": true, "conntrack is turned off later": true, "the client resets, and then the server": true,
		"IPVS passed the port on before": true, "one packet, and then NAT": true, "the VIP sends to a client of NAT": true,
	}
	for name, h := range conntracked() {
		s := openSimulatorSide(t, release.Release{Major: 6, Minor: 12, Patch: 117})
		p := newPlayer(t, s)
		var stopped bool
		for _, step := range slices.Concat(history{requirement{"conntrack", 1}}, ftpByNAT, h) {
			switch step := step.(type) {
			case control:
				p.call([]control{step})
			case requirement:
				p.set(step)
			case wait:
				p.Wait(time.Duration(step))
			case packet:
				_, v := s.deliver(step)
				stopped = stopped || v.Reason == simipvs.Conntracked
			}
		}
		if stopped != dropped[name] {
			t.Errorf("%s: dropped is %t, want %t", name, stopped, dropped[name])
		}
	}
}
