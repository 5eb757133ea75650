package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

const (
	drRequests     = 40
	perNATClient   = 2
	requestTimeout = 10 * time.Second
)

// Clients of the NAT service. It knows a client by its address, so it takes
// several addresses to see several clients.
var (
	firstClients = addresses("192.168.0.101", 10)
	newClients   = addresses("192.168.0.111", 10)
)

// addresses returns n addresses in a row.
func addresses(first string, n int) []netip.Addr {
	all := []netip.Addr{netip.MustParseAddr(first)}
	for len(all) < n {
		all = append(all, all[len(all)-1].Next())
	}
	return all
}

// tally counts answers by the server that gave them.
type tally map[string]int

func (t tally) String() string {
	total, parts := 0, []string{}
	for _, server := range slices.Sorted(maps.Keys(t)) {
		total += t[server]
		parts = append(parts, fmt.Sprintf("%d by %s", t[server], server))
	}
	return fmt.Sprintf("%d answers: %s", total, strings.Join(parts, ", "))
}

// visitDR sends requests from one client, which has an address beside the
// servers'.
func (q *quickstart) visitDR(ctx context.Context) error {
	// The system chooses the source, and with it ports that do not soon come
	// again. With one that does, the director would take the request for a part
	// of the earlier connection, and the shares would not be exact.
	answers, err := q.visit(ctx, drSite, []netip.Addr{{}}, drRequests)
	if err != nil {
		return err
	}
	q.report(drSite, answers)
	return nil
}

// visitNAT sends requests from several clients.
func (q *quickstart) visitNAT(ctx context.Context, clients []netip.Addr) error {
	answers, err := q.visit(ctx, natSite, clients, perNATClient)
	if err != nil {
		return err
	}
	q.report(natSite, answers)
	return nil
}

func (q *quickstart) report(site lvs.ServiceID, answers tally) {
	q.say("    %s  %s", site.VIP(), answers)
	if q.visited != nil {
		q.visited(site, answers)
	}
}

// visit sends n requests from each client, one after the other, and counts who
// answered.
func (q *quickstart) visit(ctx context.Context, site lvs.ServiceID, clients []netip.Addr, n int) (tally, error) {
	answers := tally{}
	for _, client := range clients {
		for i := range n {
			who, err := q.get(ctx, client, site.VIP())
			if err != nil {
				return nil, fmt.Errorf("request %d to %s: %w", i+1, site.VIP(), err)
			}
			answers[who]++
		}
	}
	return answers, nil
}

// get sends one request to a VIP and returns which server answered. Every
// request is a connection of its own, for it is connections that IPVS balances.
func (q *quickstart) get(ctx context.Context, from netip.Addr, vip netip.AddrPort) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	browser := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return q.lab.dial(ctx, from, vip)
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+vip.String(), nil)
	if err != nil {
		return "", err
	}
	response, err := browser.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	return string(body), cmp.Or(err, response.Body.Close())
}
