package lvs

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"strings"

	"github.com/golvs/lvs/internal/hostnet"
)

// HostFacts are what [Host.Check] on another host wants to know of a host. They
// marshal to JSON, to be sent there, and hold no secrets: the network's set-up,
// some parameters, and the table.
type HostFacts struct {
	// Name is by which findings name the host: what it calls itself, or one of its
	// addresses. The caller may choose another.
	Name string

	Facts    []Fact         // links, addresses, routes, rules, receive ports and parameters
	Services []ServiceEntry // its IPVS table
}

// Facts returns what other hosts want to know of this one, for their
// [Host.Check]. It takes the privilege to read the table: [ErrPermission].
func (h *Host) Facts(ctx context.Context) (f HostFacts, err error) {
	all, err := within(ctx, h.network.List)
	if err != nil {
		return f, settingError("list", nil, err)
	}
	for _, one := range all {
		f.Facts = append(f.Facts, factOf(one))
	}
	if err := h.addParameters(ctx, &f); err != nil {
		return f, err
	}
	if f.Name, err = h.name(ctx, f); err != nil {
		return f, err
	}
	f.Services, err = h.client.Snapshot(ctx)
	if errors.Is(err, ErrUnavailable) { // as on a real server, which takes none
		err = nil
	}
	return f, err
}

// addParameters adds those that peers ask for.
func (h *Host) addParameters(ctx context.Context, f *HostFacts) error {
	keys := []string{VSConntrack.Key, VSSloppyTCP.Key}
	names := []string{"all"}
	for _, l := range factsOf[Link](*f) {
		if l.Up { // no packets come by others
			names = append(names, l.Name)
		}
	}
	for _, name := range names {
		for _, key := range []string{"arp_ignore", "arp_announce", "rp_filter"} {
			keys = append(keys, InterfaceSysctl(name, key, false))
		}
	}
	for _, key := range keys {
		found, err := h.find(ctx, Sysctl{Key: key})
		if err != nil {
			return err
		}
		if found != nil {
			f.Facts = append(f.Facts, found)
		}
	}
	return nil
}

// name returns what the host calls itself, or its first address that others can
// reach.
func (h *Host) name(ctx context.Context, f HostFacts) (string, error) {
	text, err := h.readFile(ctx, "/proc/sys/kernel/hostname")
	if err == nil {
		return strings.TrimSpace(string(text)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	for _, a := range factsOf[Address](f) {
		if a.Interface != "lo" {
			return a.Prefix.Addr().String(), nil
		}
	}
	return "", nil
}

type hostFactsJSON struct {
	Name     string         `json:"name"`
	Facts    []*oneFact     `json:"facts"`
	Services []ServiceEntry `json:"services"`
}

// MarshalJSON writes the facts as [Setting.MarshalJSON] does.
func (f HostFacts) MarshalJSON() ([]byte, error) {
	out := hostFactsJSON{Name: f.Name, Services: f.Services}
	for _, one := range f.Facts {
		out.Facts = append(out.Facts, wrapFact(one))
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *HostFacts) UnmarshalJSON(text []byte) error {
	var in hostFactsJSON
	if err := json.Unmarshal(text, &in); err != nil {
		return err
	}
	var all []Fact
	for _, one := range in.Facts {
		fact, err := one.fact()
		if err != nil {
			return err
		}
		if fact == nil {
			return invalid("facts", "one of them is nothing").about("parse", "facts of a host")
		}
		all = append(all, fact)
	}
	*f = HostFacts{Name: in.Name, Facts: all, Services: in.Services}
	return nil
}

// factsOf returns the facts of a kind.
func factsOf[T Fact](f HostFacts) (all []T) {
	for _, one := range f.Facts {
		if t, ok := one.(T); ok {
			all = append(all, t)
		}
	}
	return all
}

// sysctl returns a parameter, "" if it is not known.
func (f HostFacts) sysctl(key string) string {
	for _, s := range factsOf[Sysctl](f) {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

// interfaceSysctl returns the value that counts for an interface where it is the
// greater of its own and that of all. They are of one digit each.
func (f HostFacts) interfaceSysctl(iface, name string) string {
	return max(f.sysctl(InterfaceSysctl(iface, name, false)), f.sysctl(InterfaceSysctl("all", name, false)))
}

// having returns the addresses of the host that are a.
func (f HostFacts) having(a netip.Addr) (all []Address) {
	for _, own := range factsOf[Address](f) {
		if own.Prefix.Addr() == a {
			all = append(all, own)
		}
	}
	return all
}

// networks returns the addresses of the host that have a network around them with
// a in it.
func (f HostFacts) networks(a netip.Addr) (all []Address) {
	for _, own := range factsOf[Address](f) {
		if !own.Prefix.IsSingleIP() && own.Prefix.Masked().Contains(a) {
			all = append(all, own)
		}
	}
	return all
}

// mtu returns that of an interface, 0 if it is not known.
func (f HostFacts) mtu(iface string) int {
	for _, l := range factsOf[Link](f) {
		if l.Name == iface {
			return l.MTU
		}
	}
	return 0
}

// route returns the route that a packet takes.
func (f HostFacts) route(to, from netip.Addr) (Route, bool) {
	var routes []hostnet.Route
	for _, r := range factsOf[Route](f) {
		routes = append(routes, hostnet.Route(r))
	}
	var rules []hostnet.Rule
	for _, r := range factsOf[Rule](f) {
		rules = append(rules, hostnet.Rule(r))
	}
	r, ok := hostnet.Lookup(routes, rules, to, from)
	return Route(r), ok
}

// isSame tells whether facts are of this host: no other one has the addresses by
// which it is in its networks.
func (f HostFacts) isSame(other HostFacts) bool {
	same := false
	for _, a := range factsOf[Address](other) {
		if a.Interface == "lo" || a.Prefix.IsSingleIP() || a.Prefix.Addr().IsLinkLocalUnicast() {
			continue
		}
		if same = len(f.having(a.Prefix.Addr())) > 0; !same {
			return false
		}
	}
	return same
}
