package simnet

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/golvs/lvs/internal/netstate"
	"github.com/golvs/lvs/internal/proctext"
)

// params are the parameters of /proc/sys/net: by path, below that folder.
type params struct {
	values map[string]string
	// own are IPv4 parameters of an interface that no longer follow default:
	// those that were written, and all once it has an address.
	own        map[string]bool
	interfaces []string
}

const (
	sysNet    = "/proc/sys/net/"
	conf4     = "ipv4/conf/"
	conf6     = "ipv6/conf/"
	ipForward = "ipv4/ip_forward"
	leastMTU6 = 1280
)

// Those that each interface has, with the defaults of a new namespace. The IPv6 MTU
// of an interface is that of its link.
var (
	interfaceParams4 = map[string]string{
		"accept_local": "0", "accept_redirects": "1", "accept_source_route": "1", "arp_announce": "0", "arp_filter": "0",
		"arp_ignore": "0", "disable_policy": "0", "disable_xfrm": "0", "forwarding": "0", "log_martians": "0",
		"promote_secondaries": "0", "proxy_arp": "0", "route_localnet": "0", "rp_filter": "0", "secure_redirects": "1",
		"send_redirects": "1", "shared_media": "1", "src_valid_mark": "0",
	}
	interfaceParams6 = map[string]string{
		"accept_dad": "1", "accept_ra": "1", "accept_redirects": "1", "autoconf": "1", "disable_ipv6": "0",
		"forwarding": "0", "hop_limit": "64", "mtu": "1280", "proxy_ndp": "0",
	}
)

func newParams() params {
	p := params{values: make(map[string]string), own: make(map[string]bool)}
	for _, name := range []string{"all", "default"} {
		for key, value := range interfaceParams4 {
			p.values[conf4+name+"/"+key] = value
		}
		for key, value := range interfaceParams6 {
			p.values[conf6+name+"/"+key] = value
		}
	}
	p.values[conf4+"all/accept_source_route"] = "0"
	p.values[conf6+"all/accept_dad"] = "0"
	return p
}

// addInterface gives a new interface the values of default.
func (p *params) addInterface(l netstate.Link) {
	p.interfaces = append(p.interfaces, l.Name)
	p.inherit(conf4, l.Name)
	p.fit(l)
	if l.Name == "lo" {
		for _, path := range []string{conf4 + "lo/disable_policy", conf4 + "lo/disable_xfrm"} {
			p.values[path], p.own[path] = "1", true
		}
	}
}

func (p *params) inherit(folder, name string) {
	for path, value := range maps.Clone(p.values) {
		if key, ok := strings.CutPrefix(path, folder+"default/"); ok {
			p.values[folder+name+"/"+key] = value
		}
	}
}

// fit makes the IPv6 parameters of an interface fit its MTU: below the minimum of IPv6
// it has none.
func (p *params) fit(l netstate.Link) {
	folder := conf6 + l.Name + "/"
	_, exists := p.values[folder+"mtu"]
	switch {
	case l.MTU < leastMTU6:
		p.forget(folder)
		return
	case !exists:
		p.inherit(conf6, l.Name)
		if noARP(l) {
			p.values[folder+"accept_dad"] = "-1"
		}
	}
	p.values[folder+"mtu"] = strconv.Itoa(l.MTU)
}

// noARP reports whether an interface has no neighbours to ask for.
func noARP(l netstate.Link) bool { return l.Kind != "device" || l.Name == "lo" }

func (p *params) removeInterface(name string) {
	p.interfaces = slices.DeleteFunc(p.interfaces, func(i string) bool { return i == name })
	p.forget(conf4 + name + "/")
	p.forget(conf6 + name + "/")
}

func (p *params) forget(folder string) {
	maps.DeleteFunc(p.values, func(path, _ string) bool { return strings.HasPrefix(path, folder) })
	maps.DeleteFunc(p.own, func(path string, _ bool) bool { return strings.HasPrefix(path, folder) })
}

// settle makes an interface that has got an IPv4 address keep its values when
// default changes.
func (p *params) settle(name string, ipv4 bool) {
	for key := range interfaceParams4 {
		if ipv4 {
			p.own[conf4+name+"/"+key] = true
		}
	}
}

func (p *params) dump() []string {
	var all []string
	for path, value := range p.values {
		all = append(all, sysNet+path+" = "+value)
	}
	return all
}

// read returns the value of a parameter. ip_forward is another name of the
// forwarding of all.
func (p *params) read(path string) (string, bool) {
	if path == ipForward {
		path = conf4 + "all/forwarding"
	}
	value, ok := p.values[path]
	return value, ok
}

// limits returns the least and the greatest value of a parameter, of an interface
// whose MTU is given.
func limits(path string, mtu int) (low, high int) {
	switch path[strings.LastIndexByte(path, '/')+1:] {
	case "hop_limit":
		return 1, 255
	case "mtu":
		return leastMTU6, mtu
	}
	return math.MinInt32, math.MaxInt32
}

func (p *params) write(path, text string, mtu int) error {
	if path == ipForward {
		path = conf4 + "all/forwarding"
	}
	was, ok := p.values[path]
	if !ok {
		return syscall.ENOENT
	}
	all, err := proctext.Ints(text, 1)
	if len(all) == 0 {
		return err
	}
	if low, high := limits(path, mtu); all[0] < low || all[0] > high {
		return syscall.EINVAL
	}
	value := strconv.Itoa(all[0])
	p.values[path] = value
	p.own[path] = true
	switch {
	case path == conf4+"all/forwarding" && value != was:
		p.forward(conf4, value)
		p.values[conf4+"all/accept_redirects"] = not(value)
	case path == conf6+"all/forwarding" && value != was:
		p.forward(conf6, value)
	case strings.HasPrefix(path, conf4+"default/"):
		p.follow(strings.TrimPrefix(path, conf4+"default/"), value)
	}
	return nil
}

// forward turns forwarding on or off everywhere.
func (p *params) forward(folder, value string) {
	if folder == conf4 {
		value = not(not(value))
	}
	for _, name := range append([]string{"default"}, p.interfaces...) {
		p.values[folder+name+"/forwarding"] = value
		p.own[folder+name+"/forwarding"] = true
	}
}

// follow makes those interfaces follow default that have nothing of their own.
func (p *params) follow(key, value string) {
	for _, name := range p.interfaces {
		if path := conf4 + name + "/" + key; !p.own[path] {
			p.values[path] = value
		}
	}
}

func not(value string) string {
	if value == "0" {
		return "1"
	}
	return "0"
}

// mtuOf returns the MTU of the interface that a parameter is of. All and default
// have none.
func (n *Network) mtuOf(path string) int {
	if part := strings.Split(path, "/"); len(part) == 4 {
		if l := n.link(part[2]); l != nil {
			return l.MTU
		}
	}
	return math.MaxInt32
}

// isFolder reports whether parameters are below a path.
func (n *Network) isFolder(path string) bool {
	below := strings.TrimPrefix(strings.TrimSuffix(path, "/")+"/", sysNet)
	for name := range n.params.values {
		if strings.HasPrefix(name, below) {
			return true
		}
	}
	return strings.HasPrefix(sysNet, below)
}

// ReadFile reads a parameter of /proc/sys/net.
func (n *Network) ReadFile(path string) ([]byte, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if name, ok := strings.CutPrefix(path, sysNet); ok {
		if value, ok := n.params.read(name); ok {
			return []byte(value + "\n"), nil
		}
	}
	if n.isFolder(path) {
		return nil, syscall.EISDIR
	}
	return nil, syscall.ENOENT
}

// WriteFile writes a parameter of /proc/sys/net.
func (n *Network) WriteFile(path string, data []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	name, ok := strings.CutPrefix(path, sysNet)
	if ok {
		if err := n.params.write(name, string(data), n.mtuOf(name)); err != syscall.ENOENT {
			return err
		}
	}
	if n.isFolder(path) {
		return syscall.EISDIR
	}
	return syscall.ENOENT
}
