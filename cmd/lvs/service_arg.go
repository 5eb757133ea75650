package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// findService returns the service that an argument means: its identity, its address and
// port, or a port, an address or a beginning that only one service has.
func findService(table lvs.Snapshot, text string) (lvs.ServiceEntry, error) {
	matches := serviceMatcher(text)
	var found []lvs.ServiceEntry
	var names []string
	for _, s := range table.Services {
		if matches(s.ID) {
			found, names = append(found, s), append(names, s.ID.String())
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return lvs.ServiceEntry{}, fmt.Errorf("%q could be %s; name one of them", text, cli.Or(names))
	case len(table.Services) == 0:
		return lvs.ServiceEntry{}, fmt.Errorf("%q is not a service: the table is empty", text)
	}
	for _, s := range table.Services {
		names = append(names, s.ID.String())
	}
	return lvs.ServiceEntry{}, fmt.Errorf("%q is not a service; there are %s", text, some(names))
}

// serviceMatcher returns whether a service is one that an argument may mean. Who gives
// a whole identity means no other service that begins like it.
func serviceMatcher(text string) func(lvs.ServiceID) bool {
	if kind, mark, ok := strings.Cut(text, ":"); ok && strings.HasPrefix(kind, "fwmark") && !strings.HasPrefix(mark, "//") {
		text = kind + "://" + mark
	}
	if id, err := lvs.ParseServiceID(text); err == nil {
		return func(s lvs.ServiceID) bool { return s == id }
	}
	if addr, err := netip.ParseAddrPort(text); err == nil {
		return func(s lvs.ServiceID) bool { return s == lvs.TCP(addr) }
	}
	if matches := addrMatcher(text); matches != nil {
		return func(s lvs.ServiceID) bool { return s.AddrPort().IsValid() && matches(s.AddrPort()) }
	}
	return func(s lvs.ServiceID) bool {
		_, rest, _ := strings.Cut(s.String(), "://")
		return text != "" && (strings.HasPrefix(s.String(), text) || strings.HasPrefix(rest, text))
	}
}

// addrMatcher returns whether an address and port has the port, or the address, that a
// text is; nil if it is neither.
func addrMatcher(text string) func(netip.AddrPort) bool {
	if digits, ok := strings.CutPrefix(text, ":"); ok {
		if port, err := strconv.ParseUint(digits, 10, 16); err == nil {
			return func(a netip.AddrPort) bool { return a.Port() == uint16(port) }
		}
	}
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return func(a netip.AddrPort) bool { return a.Addr() == addr.Unmap() }
	}
	return nil
}

// findServer returns the real server of a service that an argument means: its address
// and port, or one of the two if only one has it.
func findServer(s lvs.ServiceEntry, text string) (lvs.RealServerStatus, error) {
	matches := addrMatcher(text)
	if addr, err := netip.ParseAddrPort(text); err == nil {
		matches = func(a netip.AddrPort) bool { return a == addr }
	}
	var found []lvs.RealServerStatus
	var names, all []string
	for _, r := range s.RealServers {
		all = append(all, r.Addr.String())
		if matches != nil && matches(r.Addr) {
			found, names = append(found, r), append(names, r.Addr.String())
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return lvs.RealServerStatus{}, fmt.Errorf("%q could be %s of %s; name one of them", text, cli.Or(names), s.ID)
	case len(all) == 0:
		return lvs.RealServerStatus{}, fmt.Errorf("%q is not a real server of %s, which has none", text, s.ID)
	}
	return lvs.RealServerStatus{}, fmt.Errorf("%q is not a real server of %s, which has %s", text, s.ID, some(all))
}

// some returns the first of some names, and how many there are besides.
func some(names []string) string {
	const most = 8
	if n := len(names); n > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(", and %d more; see 'lvs show'", n-most)
	}
	return strings.Join(names, ", ")
}

// completeServices returns the services of the table.
func completeServices(ctx context.Context, env *cli.Env, _ []string) (all []string) {
	for _, s := range readForCompletion(ctx, env).Services {
		all = append(all, s.ID.String()+"\t"+string(s.Scheduler))
	}
	return all
}

// completeServers returns the real servers of the service that is the first argument.
func completeServers(ctx context.Context, env *cli.Env, args []string) (all []string) {
	if len(args) == 0 {
		return nil
	}
	s, err := findService(readForCompletion(ctx, env), args[0])
	if err != nil {
		return nil
	}
	for _, r := range s.RealServers {
		all = append(all, fmt.Sprintf("%s\t%s weight %d", r.Addr, r.Mode, r.Weight))
	}
	return all
}

// completeAllServers returns the real servers of all services.
func completeAllServers(ctx context.Context, env *cli.Env, _ []string) (all []string) {
	for _, s := range readForCompletion(ctx, env).Services {
		for _, r := range s.RealServers {
			if name := r.Addr.String(); !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// readForCompletion returns the table, which is empty if it cannot be read.
func readForCompletion(ctx context.Context, env *cli.Env) lvs.Snapshot {
	host, err := env.Host(ctx)
	if err != nil {
		return lvs.Snapshot{}
	}
	table, err := host.Client().Snapshot(ctx)
	if err != nil {
		return lvs.Snapshot{}
	}
	return withoutProbes(table)
}
