package lvs

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// State reads what [Host.Check] needs to know of this host. Pass it to Check there, or as
// a peer on another host. State changes nothing. Reading the table needs the privilege:
// the error matches [ErrPermission] without it. Other parts that cannot be read are listed
// in Unread.
func (h *Host) State(ctx context.Context) (f HostState, err error) {
	for _, part := range []func(context.Context, *HostState) error{
		h.observe, h.readParameters, h.readName, h.readTable, h.readListeners, h.readClients,
	} {
		if err := part(ctx, &f); err != nil {
			return HostState{}, err
		}
	}
	return f, nil
}

// observe reads the network.
func (h *Host) observe(ctx context.Context, f *HostState) error {
	o, err := within(ctx, func() (netstate.Observed, error) { return h.network.Observe(ctx) })
	if err != nil {
		return resourceError(OpReadHost, nil, err)
	}
	for _, one := range o.Resources {
		f.Resources = append(f.Resources, plainResource(resourceFrom(one)))
	}
	for _, v := range o.Interfaces {
		f.Interfaces = append(f.Interfaces, InterfaceState(v))
	}
	for _, v := range o.Addresses {
		f.Addresses = append(f.Addresses, AddressState(v))
	}
	for _, v := range o.Routes {
		f.Routes = append(f.Routes, RouteEntry(v))
	}
	for _, v := range o.Rules {
		f.Rules = append(f.Rules, RuleEntry(v))
	}
	for _, v := range o.Neighbours {
		f.Neighbours = append(f.Neighbours, Neighbour(v))
	}
	for _, v := range o.Chains {
		f.Chains = append(f.Chains, FirewallChain(v))
	}
	for _, v := range o.ChainRules {
		f.FirewallRules = append(f.FirewallRules, FirewallRule(v))
	}
	for _, v := range o.Unread {
		f.Unread = append(f.Unread, Unread(v))
	}
	return nil
}

// Sysctls of each interface that matter to IPVS.
var (
	observedParameters4 = []string{
		"accept_local", "arp_announce", "arp_filter", "arp_ignore", "disable_policy", "disable_xfrm", "forwarding",
		"proxy_arp", "route_localnet", "rp_filter", "send_redirects",
	}
	observedParameters6 = []string{"disable_ipv6", "disable_policy", "forwarding", "hop_limit", "proxy_ndp"}
)

func (h *Host) readParameters(ctx context.Context, f *HostState) error {
	var keys []SysctlKey
	for _, p := range Parameters() {
		keys = append(keys, p.Key)
	}
	keys = append(keys, sysctlDefaultTTL, sysctlSomaxconn)
	names := []string{"all", "default"}
	for _, i := range f.Interfaces {
		names = append(names, i.Name)
	}
	for _, name := range names {
		for _, key := range observedParameters4 {
			keys = append(keys, InterfaceSysctl(name, key, false))
		}
		for _, key := range observedParameters6 {
			keys = append(keys, InterfaceSysctl(name, key, true))
		}
		keys = append(keys, sysctlSolicit(name, false), sysctlSolicit(name, true))
	}
	return h.addSysctls(ctx, f, keys)
}

// addSysctls reads sysctls, and leaves out those that the kernel does not have.
func (h *Host) addSysctls(ctx context.Context, f *HostState, keys []SysctlKey) error {
	var paths []string
	for _, key := range keys {
		path, err := key.path()
		if err != nil {
			return err.about(OpReadHost, string(key))
		}
		paths = append(paths, path)
	}
	all, err := h.readFiles(ctx, paths)
	if err != nil {
		return err
	}
	for i, c := range all {
		switch {
		case c.err == nil:
			f.Resources = append(f.Resources, Sysctl{keys[i], strings.TrimSpace(string(c.text))})
		case !errors.Is(c.err, fs.ErrNotExist):
			return c.err
		}
	}
	return nil
}

// readName reads the kernel's release, and the host's name or, without one, its first
// address that other hosts can reach.
func (h *Host) readName(ctx context.Context, f *HostState) error {
	if release, err := h.KernelRelease(ctx); err == nil {
		f.Release = release
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	text, err := h.readFile(ctx, "/proc/sys/kernel/hostname")
	if err == nil {
		f.Name = strings.TrimSpace(string(text))
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, a := range resourcesOf[Address](*f) {
		if a.Interface != "lo" {
			f.Name = a.Prefix.Addr().String()
			return nil
		}
	}
	return nil
}

// readTable reads the IPVS table. A real server may have no IPVS.
func (h *Host) readTable(ctx context.Context, f *HostState) (err error) {
	table, err := h.client.Snapshot(ctx)
	f.Services = slices.DeleteFunc(table.Services, func(e ServiceEntry) bool { return e.ID.IsProbe() })
	if errors.Is(err, ErrUnavailable) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.Daemons, err = h.client.SyncDaemons(ctx); err != nil {
		return err
	}
	if f.Timeouts, err = h.client.Timeouts(ctx); err != nil {
		return err
	}
	info, err := h.client.Info(ctx)
	f.ConnTableSize = info.ConnTableSize
	return err
}

// Limits of what is read about connections.
const (
	mostConnections = 100_000
	mostClients     = 1000
)

// readClients reads which clients have connections, unless there are too many.
func (h *Host) readClients(ctx context.Context, f *HostState) error {
	total := 0
	for _, e := range f.Services {
		for _, s := range e.RealServers {
			total += int(s.ActiveConns) + int(s.InactiveConns)
		}
	}
	switch {
	case total == 0:
		return nil
	case total > mostConnections:
		f.Unread = append(f.Unread, Unread{"clients", fmt.Sprintf("there are %d connections", total), "ipvsadm -L -n -c"})
		return nil
	}
	seen := make(map[netip.Addr]bool)
	for c, err := range h.Connections(ctx, ConnectionFilter{Templates: ConnectionsOnly}) {
		if err != nil {
			return err
		}
		if a := c.Client.Addr(); !seen[a] {
			seen[a] = true
			f.Clients = append(f.Clients, a)
		}
		if len(seen) == mostClients {
			break
		}
	}
	slices.SortFunc(f.Clients, netip.Addr.Compare)
	return nil
}

// readListeners reads which programs listen.
func (h *Host) readListeners(ctx context.Context, f *HostState) error {
	files := []struct {
		path     string
		protocol Protocol
		state    string // of a socket that listens, or is not connected
	}{
		{"/proc/net/tcp", ProtocolTCP, "0A"}, {"/proc/net/tcp6", ProtocolTCP, "0A"},
		{"/proc/net/udp", ProtocolUDP, "07"}, {"/proc/net/udp6", ProtocolUDP, "07"},
	}
	for i, file := range files {
		text, err := h.readFile(ctx, file.path)
		switch {
		case err == nil:
			f.Listeners = append(f.Listeners, parseListeners(string(text), file.protocol, file.state)...)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		case i == 0: // IPv6 may be missing
			f.Unread = append(f.Unread, Unread{"listeners", "no file " + file.path, "ss -lntu"})
			return nil
		}
	}
	text, err := h.readFile(ctx, "/proc/net/sctp/eps")
	if err == nil {
		f.Listeners = append(f.Listeners, parseSCTPListeners(string(text))...)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// parseListeners parses the sockets of a state as /proc lists them.
func parseListeners(text string, protocol Protocol, state string) (all []Listener) {
	for _, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != state {
			continue
		}
		if a, ok := parseSocketAddr(f[1]); ok && a.Port() != 0 {
			all = append(all, Listener{protocol, a, parseSocketUser(f, 7)})
		}
	}
	return all
}

// parseSocketUser parses the user of a socket; a line without one is root's.
func parseSocketUser(fields []string, at int) uint32 {
	if len(fields) <= at {
		return 0
	}
	user, _ := strconv.ParseUint(fields[at], 10, 32)
	return uint32(user)
}

// parseSocketAddr parses an address whose 32-bit words are in the machine's byte order.
func parseSocketAddr(s string) (netip.AddrPort, bool) {
	addr, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(addr)
	number, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	a, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), ok
}

// parseSCTPListeners parses the endpoints of SCTP, whose lines end in addresses.
func parseSCTPListeners(text string) (all []Listener) {
	for i, line := range strings.Split(text, "\n") {
		f := strings.Fields(line)
		if i == 0 || len(f) < 9 {
			continue
		}
		port, err := strconv.ParseUint(f[5], 10, 16)
		for _, addr := range f[8:] {
			if a, aerr := netip.ParseAddr(addr); err == nil && aerr == nil {
				all = append(all, Listener{ProtocolSCTP, netip.AddrPortFrom(a.Unmap(), uint16(port)), parseSocketUser(f, 6)})
			}
		}
	}
	return all
}

const localRouteTable = 255 // the routing table local
