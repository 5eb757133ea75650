package main

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// ground is where the story takes place: a director and its clients.
type ground struct {
	director               *lvs.Client
	everyone, first, fresh crowd

	// connect lets a client connect to a VIP, and returns which server it got.
	connect func(ctx context.Context, from netip.Addr, to netip.AddrPort) (string, error)

	// resume sends a packet on each open connection to a VIP, and returns which
	// servers got them. It is nil where connections are closed at once.
	resume func(to netip.AddrPort) (answers, error)

	wait  func(time.Duration) error // nil where time cannot be made to pass
	close func()

	before map[lvs.ServiceID]answers // what clients got the last time
}

// crowd is a number of clients that connect equally often.
type crowd struct {
	clients []netip.Addr
	each    int
}

// addresses returns n addresses in a row.
func addresses(first string, n int) []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr(first)}
	for len(all) < n {
		all = append(all, all[len(all)-1].Next())
	}
	return all
}

// answers are the servers that each client got, one for each connection.
type answers map[netip.Addr][]string

// tally counts connections by server.
func (a answers) tally() map[string]int {
	t := make(map[string]int)
	for _, servers := range a {
		for _, s := range servers {
			t[s]++
		}
	}
	return t
}

// visit lets a crowd connect to a service, one client after the other, and reports
// which servers got the connections.
func (s *story) visit(ctx context.Context, site lvs.ServiceID, who crowd) error {
	now := make(answers)
	for _, client := range who.clients {
		for i := range who.each {
			server, err := s.connect(ctx, client, site.AddrPort())
			if err != nil {
				return fmt.Errorf("connection %d of %s to %s: %w", i+1, client, site.AddrPort(), err)
			}
			now[client] = append(now[client], server)
		}
	}
	s.report(site, now)
	return nil
}

// report writes the share of each server, and how many clients got another server
// than the last time.
func (s *story) report(site lvs.ServiceID, now answers) {
	const bar = 40
	t := now.tally()
	total := 0
	for _, n := range t {
		total += n
	}
	s.say("    %s, %s connections", site.AddrPort(), thousands(total))
	for _, server := range slices.Sorted(maps.Keys(t)) {
		share := float64(t[server]) / float64(total)
		s.say("      %-12s %7s  %5.1f %%  %s", server, thousands(t[server]), 100*share, strings.Repeat("#", int(share*bar+0.5)))
	}
	if again, moved := compare(s.before[site], now); again > 1 {
		s.say("      %s of %s returning clients moved to another server", thousands(moved), thousands(again))
	}
	if s.before == nil {
		s.before = make(map[lvs.ServiceID]answers)
	}
	s.before[site] = now
	if s.visited != nil {
		s.visited(site, now)
	}
}

// compare counts the clients that came again, and those among them that got another
// server.
func compare(before, now answers) (again, moved int) {
	for client, servers := range now {
		if had := before[client]; had != nil {
			again++
			if had[len(had)-1] != servers[0] {
				moved++
			}
		}
	}
	return again, moved
}

// thousands writes a number with commas.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
