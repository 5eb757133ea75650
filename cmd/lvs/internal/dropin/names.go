package dropin

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golvs/lvs"
)

// How long names are looked up: one of them, and all together. What has not been found
// by then is printed as a number.
const (
	lookupTime  = 2 * time.Second
	lookupTimes = 10 * time.Second
)

// Names looks up names as the C library does, in /etc/hosts, the DNS and /etc/services.
type Names struct {
	ctx      context.Context
	services func() services
	hosts    map[netip.Addr]string // "" has no name
	left     time.Duration
}

// NewNames returns names that are looked up until the context ends.
func NewNames(ctx context.Context) *Names {
	return &Names{ctx: ctx, services: sync.OnceValue(readServices), hosts: map[netip.Addr]string{}, left: lookupTimes}
}

// Addr returns the IPv4 address of a host: ipvsadm looks up no other.
func (n *Names) Addr(host string) (found netip.Addr, ok bool) {
	if strings.Trim(host, "0123456789.") == "" || strings.Contains(host, ":") {
		return found, false // part of an address
	}
	n.lookup(func(ctx context.Context) {
		all, err := net.DefaultResolver.LookupNetIP(ctx, "ip4", host)
		if err == nil && len(all) > 0 {
			found, ok = all[0].Unmap(), true
		}
	})
	return found, ok
}

// Host returns the name of an address.
func (n *Names) Host(a netip.Addr) (string, bool) {
	name, known := n.hosts[a]
	if !known {
		n.lookup(func(ctx context.Context) {
			all, err := net.DefaultResolver.LookupAddr(ctx, a.String())
			if err == nil && len(all) > 0 {
				name = strings.TrimSuffix(all[0], ".")
			}
		})
		n.hosts[a] = name
	}
	return name, name != ""
}

// lookup gives a lookup its time.
func (n *Names) lookup(f func(context.Context)) {
	if n.left <= 0 {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, min(lookupTime, n.left))
	defer cancel()
	start := time.Now()
	f(ctx)
	n.left -= time.Since(start)
}

// Port returns the port of a name.
func (n *Names) Port(name string, p lvs.Protocol) (uint16, bool) {
	if p == 0 {
		p = lvs.ProtocolTCP
	}
	port, ok := n.services().ports[service{p.String(), name, 0}]
	return port, ok
}

// PortName returns the name of a port.
func (n *Names) PortName(port uint16, p lvs.Protocol) (string, bool) {
	name, ok := n.services().names[service{p.String(), "", port}]
	return name, ok
}

// service is a key of services.
type service struct {
	protocol, name string
	port           uint16
}

// services are the lines of /etc/services, by name and by port.
type services struct {
	ports map[service]uint16
	names map[service]string
}

func readServices() services {
	text, err := os.ReadFile("/etc/services")
	if err != nil {
		return services{}
	}
	return parseServices(string(text))
}

// parseServices reads lines such as "http 80/tcp www # WorldWideWeb". Others are ignored.
func parseServices(text string) services {
	s := services{map[service]uint16{}, map[service]string{}}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		digits, protocol, _ := strings.Cut(fields[1], "/")
		port, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			continue
		}
		if by := (service{protocol, "", uint16(port)}); s.names[by] == "" {
			s.names[by] = fields[0]
		}
		for i, name := range fields {
			if by := (service{protocol, name, 0}); i != 1 && s.ports[by] == 0 {
				s.ports[by] = uint16(port)
			}
		}
	}
	return s
}
