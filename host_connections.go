package lvs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// ConnectionFilter selects connections. The zero value selects all.
type ConnectionFilter struct {
	Service    ServiceID      // of this service; zero: of any
	RealServer netip.AddrPort // to this real server; port 0: to any port of it; zero: to any
	Client     netip.Prefix   // from these clients; zero: from any
	States     []ConnState    // in one of these states; none: in any
	Templates  TemplateFilter // whether persistence templates are among them

	// Origin selects by origin, or, with [AnyOrigin], reads it. The kernel lists origins
	// in another file, which has no engine data: with an Origin here, Engine and Data of
	// a [Connection] are empty.
	Origin ConnOrigin
}

// AnyOrigin selects connections of any origin in a [ConnectionFilter].
const AnyOrigin ConnOrigin = "any"

// TemplateFilter selects between connections and persistence templates.
type TemplateFilter string

// The values of a [TemplateFilter].
const (
	AllEntries      TemplateFilter = ""            // both
	ConnectionsOnly TemplateFilter = "connections" // no templates
	TemplatesOnly   TemplateFilter = "templates"   // templates alone
)

// Connections returns the kernel's connection table, in no particular order. While
// connections come and go, the kernel may omit entries, or list them twice. The error
// matches [ErrUnavailable] if the kernel has no IPVS, and [errors.ErrUnsupported] if an
// entry cannot be understood; it comes with the last pair.
func (h *Host) Connections(ctx context.Context, f ConnectionFilter) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		const path = "/proc/net/ip_vs_conn"
		text, err := h.readFile(ctx, path)
		if errors.Is(err, fs.ErrNotExist) {
			err = (&Error{kind: ErrUnavailable, cause: fs.ErrNotExist, hint: hintNoIPVS}).about(OpReadHost, path)
		}
		if err != nil {
			yield(Connection{}, err)
			return
		}
		for i, line := range strings.Split(string(text), "\n") {
			if i == 0 || line == "" {
				continue
			}
			c, err := parseConnection(line)
			if err != nil {
				yield(c, (&Error{kind: errors.ErrUnsupported, cause: err}).about(OpReadHost, fmt.Sprintf("%s, line %d", path, i+1)))
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// CollectConnections returns all connections of a sequence, or its error.
func CollectConnections(all iter.Seq2[Connection, error]) ([]Connection, error) {
	var list []Connection
	for c, err := range all {
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// CountConnections returns how many connections of a sequence have each key, or the error of the sequence. It keeps keys and counts alone.
func CountConnections[K comparable](all iter.Seq2[Connection, error], key func(Connection) K) (map[K]int, error) {
	counts := map[K]int{}
	for c, err := range all {
		if err != nil {
			return nil, err
		}
		counts[key(c)]++
	}
	return counts, nil
}

func parseConnection(line string) (c Connection, err error) {
	f := strings.Fields(line)
	if len(f) < 9 {
		return c, fmt.Errorf("%q has %d fields, want 9 or more", line, len(f))
	}
	if c.Protocol, err = parseListedProtocol(f[0]); err != nil {
		return c, err
	}
	for i, to := range []*netip.AddrPort{&c.Client, &c.VIP, &c.Server} {
		if *to, err = parseHexAddrPort(f[1+2*i], f[2+2*i]); err != nil {
			return c, err
		}
	}
	c.State = ConnState(f[7])
	seconds, err := strconv.ParseUint(f[8], 10, 32)
	if err != nil {
		return c, fmt.Errorf("%q is not a number of seconds", f[8])
	}
	c.Expires = time.Duration(seconds) * time.Second
	if len(f) > 9 {
		c.Engine = f[9]
		c.Data = strings.Join(f[10:], " ")
	}
	return c, nil
}

// parseListedProtocol reads a protocol as /proc has it.
func parseListedProtocol(s string) (Protocol, error) {
	if p, ok := parseProtocol(strings.ToLower(s)); ok {
		return p, nil
	}
	if s == "IP" {
		return 0, nil
	}
	number, ok := strings.CutPrefix(s, "IP_")
	n, err := strconv.ParseUint(number, 10, 16)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not a protocol", s)
	}
	return Protocol(n), nil
}

// parseHexAddrPort reads an address as /proc has it: IPv4 in eight hexadecimal
// digits, IPv6 written out.
func parseHexAddrPort(addr, port string) (netip.AddrPort, error) {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		raw, _ := hex.DecodeString(addr)
		if len(raw) != 4 {
			return netip.AddrPort{}, fmt.Errorf("%q is not an address", addr)
		}
		a = netip.AddrFrom4([4]byte(raw))
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not a port", port)
	}
	return netip.AddrPortFrom(a, uint16(p)), nil
}

// owns reports whether a connection is that of the flow.
func (f Flow) owns(c Connection) bool {
	return c.Protocol == f.Protocol && c.Client == f.Client && c.VIP == f.VIP
}
