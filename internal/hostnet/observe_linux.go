package hostnet

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/mdlayher/netlink"
	rtnetlink "github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/golvs/lvs/internal/netstate"
)

// Limits of what is listed. What is beyond is said to be unread.
const (
	mostRoutes     = 200_000
	mostNeighbours = 20_000
	mostChainRules = 100_000
)

// observer lists the parts of a namespace.
type observer struct {
	*Network
	found netstate.Observed
	names map[int]string // of interfaces
}

// Observe returns what the namespace has. A part that cannot be read is among
// the unread; the error is that of a part without which nothing can be said.
func (n *Network) Observe(ctx context.Context) (netstate.Observed, error) {
	o := observer{Network: n, names: make(map[int]string)}
	for _, part := range []func() error{
		o.interfaces, o.state, o.addressStates, o.routeEntries, o.ruleEntries, o.neighbours, o.trafficControl, o.policyRules, o.firewall,
	} {
		if err := context.Cause(ctx); err != nil {
			return netstate.Observed{}, err
		}
		if err := part(); err != nil {
			return netstate.Observed{}, err
		}
	}
	return o.found, nil
}

func (o *observer) unread(what, command string, why any) {
	o.found.Unread = append(o.found.Unread, netstate.Unread{What: what, Why: fmt.Sprint(why), Command: command})
}

func (o *observer) state() (err error) {
	if o.found.Resources, err = o.List(); err != nil {
		return err
	}
	policies, err := o.Policies()
	for _, p := range policies {
		o.found.Resources = append(o.found.Resources, p)
	}
	if err != nil {
		o.unread("policies", "ip xfrm policy", err)
	}
	return nil
}

func (o *observer) interfaces() error {
	links, err := retry(o.routes.LinkList)
	if err != nil {
		return err
	}
	for _, l := range links {
		o.names[l.Attrs().Index] = l.Attrs().Name
	}
	for _, l := range links {
		a := l.Attrs()
		i := netstate.Interface{
			Name: a.Name, Kind: linkOf(l).Kind, Up: a.Flags&net.FlagUp != 0, Carrier: a.Flags&net.FlagUp != 0 && a.RawFlags&unix.IFF_LOWER_UP != 0,
			NoARP: a.RawFlags&unix.IFF_NOARP != 0, Loopback: a.Flags&net.FlagLoopback != 0,
			MAC: a.HardwareAddr.String(), Master: o.names[a.MasterIndex], XDP: a.Xdp != nil && a.Xdp.Attached,
		}
		if slices.Contains([]string{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"}, i.Kind) && a.NetNsID < 0 {
			i.Below = o.names[a.ParentIndex]
		}
		i.Inner, i.Keyed, i.Ordered = takesOut(l)
		if m, ok := l.(*rtnetlink.Macvlan); ok {
			i.Takes = m.Mode == rtnetlink.MACVLAN_MODE_PASSTHRU
		}
		o.found.Interfaces = append(o.found.Interfaces, i)
	}
	return nil
}

func (o *observer) addressStates() error {
	list, err := retry(func() ([]rtnetlink.Addr, error) { return o.routes.AddrList(nil, rtnetlink.FAMILY_ALL) })
	for _, a := range list {
		s := netstate.AddressState{
			Interface: o.names[a.LinkIndex], Prefix: prefixOf(a.IPNet), Duplicate: a.Flags&unix.IFA_F_DADFAILED != 0,
			Tentative: a.Flags&unix.IFA_F_TENTATIVE != 0 && a.Flags&unix.IFA_F_OPTIMISTIC == 0,
		}
		if s.Interface != "" && (s.Duplicate || s.Tentative) {
			o.found.Addresses = append(o.found.Addresses, s)
		}
	}
	return err
}

var routeTypes = map[int]string{
	unix.RTN_UNICAST: "", unix.RTN_LOCAL: "local", unix.RTN_BROADCAST: "broadcast", unix.RTN_BLACKHOLE: "blackhole",
	unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
}

func (o *observer) routeEntries() error {
	for _, family := range []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()} {
		list, err := retry(func() ([]rtnetlink.Route, error) {
			return o.routes.RouteListFiltered(familyOf(family), &rtnetlink.Route{Table: unix.RT_TABLE_UNSPEC}, rtnetlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return err
		}
		for _, r := range list {
			if r.Type == unix.RTN_MULTICAST || r.Type == unix.RTN_ANYCAST || r.Flags&unix.RTNH_F_DEAD != 0 {
				continue
			}
			if len(o.found.Routes) == mostRoutes {
				o.unread("routes", "ip route show table all", fmt.Sprintf("there are more than %d", mostRoutes))
				return nil
			}
			o.found.Routes = append(o.found.Routes, o.byHops(r, family)...)
		}
	}
	return nil
}

func (o *observer) routeEntry(r rtnetlink.Route, family netip.Addr) netstate.RouteEntry {
	kind, known := routeTypes[r.Type]
	if !known {
		kind = "other"
	}
	e := netstate.RouteEntry{
		To: prefixOf(r.Dst), Table: r.Table, Metric: r.Priority, Type: kind, Via: addrOf(r.Gw), Interface: o.names[r.LinkIndex],
		Source: addrOf(r.Src), MTU: r.MTU, AdvMSS: r.AdvMSS, HopLimit: r.Hoplimit, ByKernel: r.Protocol == unix.RTPROT_KERNEL,
		Partial: r.Encap != nil || r.Via != nil || r.Tos != 0 || !known,
	}
	if r.Dst == nil {
		e.To = defaultOf(family)
	}
	return e
}

// byHops returns a route once for each of its next hops.
func (o *observer) byHops(r rtnetlink.Route, family netip.Addr) (all []netstate.RouteEntry) {
	e := o.routeEntry(r, family)
	if len(r.MultiPath) == 0 {
		return []netstate.RouteEntry{e}
	}
	for _, hop := range r.MultiPath {
		if hop.Flags&unix.RTNH_F_DEAD != 0 {
			continue
		}
		one := e
		one.Via, one.Interface, one.Weight = addrOf(hop.Gw), o.names[hop.LinkIndex], hop.Hops+1
		one.Partial = e.Partial || hop.Encap != nil || hop.Via != nil
		all = append(all, one)
	}
	return all
}

// ruleEntries reads the rules' actions, which the package for netlink leaves out.
func (o *observer) ruleEntries() error {
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		header := make([]byte, unix.SizeofRtMsg)
		header[0] = family
		messages, err := o.dump(unix.NETLINK_ROUTE, unix.RTM_GETRULE, header)
		if err != nil {
			return fmt.Errorf("rules: %w", err)
		}
		for _, m := range messages {
			if e, ok := ruleEntry(m.Data); ok {
				o.found.Rules = append(o.found.Rules, e)
			}
		}
	}
	return nil
}

var ruleActions = map[byte]string{
	nl.FR_ACT_TO_TBL: "", nl.FR_ACT_GOTO: "goto", nl.FR_ACT_NOP: "nop", nl.FR_ACT_BLACKHOLE: "blackhole",
	nl.FR_ACT_UNREACHABLE: "unreachable", nl.FR_ACT_PROHIBIT: "prohibit",
}

// Parts of rules that the package for system calls does not have.
const (
	ruleInvert       = 0x2 // FIB_RULE_INVERT
	ruleFromPortMask = 28  // FRA_SPORT_MASK
	ruleToPortMask   = 29  // FRA_DPORT_MASK
)

func ruleEntry(data []byte) (e netstate.RuleEntry, ok bool) {
	if len(data) < unix.SizeofRtMsg {
		return e, false
	}
	attrs, err := netlink.NewAttributeDecoder(data[unix.SizeofRtMsg:])
	if err != nil {
		return e, false
	}
	toBits, fromBits := int(data[1]), int(data[2])
	e.IPv6, e.Table = data[0] == unix.AF_INET6, int(data[4])
	action, known := ruleActions[data[7]]
	e.Action, e.Partial = action, !known || data[3] != 0
	e.Not = binary.NativeEndian.Uint32(data[8:])&ruleInvert != 0
	for attrs.Next() {
		switch value := attrs.Bytes(); attrs.Type() {
		case nl.FRA_DST:
			e.To = prefixFrom(value, toBits)
		case nl.FRA_SRC:
			e.From = prefixFrom(value, fromBits)
		case nl.FRA_IIFNAME:
			e.In = text(value)
		case nl.FRA_OIFNAME:
			e.Out = text(value)
		case nl.FRA_PRIORITY:
			e.Priority = int(attrs.Uint32())
		case nl.FRA_FWMARK:
			e.Mark = attrs.Uint32()
		case nl.FRA_FWMASK:
			e.Mask = attrs.Uint32()
		case nl.FRA_TABLE:
			e.Table = int(attrs.Uint32())
		case nl.FRA_GOTO:
			e.Goto = int(attrs.Uint32())
		case nl.FRA_SUPPRESS_PREFIXLEN:
			if n := int32(attrs.Uint32()); n >= 0 {
				e.Shortest = int(n) + 1
			}
		case unix.FRA_IP_PROTO:
			e.Protocol = attrs.Uint8()
		case unix.FRA_SPORT_RANGE:
			e.FromPorts = rangeOf[uint16](value)
		case unix.FRA_DPORT_RANGE:
			e.ToPorts = rangeOf[uint16](value)
		case unix.FRA_UID_RANGE:
			e.Users = rangeOf[uint32](value)
		case unix.FRA_L3MDEV:
			e.VRF = attrs.Uint8() != 0
		case ruleFromPortMask, ruleToPortMask:
			e.Partial = e.Partial || attrs.Uint16() != 0xffff
		case nl.FRA_PROTOCOL, unix.RTA_UNSPEC:
		case nl.FRA_SUPPRESS_IFGROUP, nl.FRA_FLOW:
			e.Partial = e.Partial || attrs.Type() == nl.FRA_SUPPRESS_IFGROUP && attrs.Uint32() != 0xffffffff
		default:
			e.Partial = true
		}
	}
	return e, attrs.Err() == nil
}

// rangeOf reads both ends of a range.
func rangeOf[N uint16 | uint32](raw []byte) [][2]N {
	var ends [2]N
	if _, err := binary.Decode(raw, binary.NativeEndian, &ends); err != nil {
		return nil
	}
	return [][2]N{ends}
}

func prefixFrom(raw []byte, bits int) netip.Prefix {
	a, _ := netip.AddrFromSlice(raw)
	return netip.PrefixFrom(a, bits)
}

// text cuts a name of the kernel's at its end.
func text(raw []byte) string {
	if i := slices.Index(raw, 0); i >= 0 {
		raw = raw[:i]
	}
	return string(raw)
}

var neighbourStates = map[int]string{
	unix.NUD_INCOMPLETE: "incomplete", unix.NUD_REACHABLE: "reachable", unix.NUD_STALE: "stale", unix.NUD_DELAY: "delay",
	unix.NUD_PROBE: "probe", unix.NUD_FAILED: "failed", unix.NUD_NOARP: "noarp", unix.NUD_PERMANENT: "permanent",
}

func (o *observer) neighbours() error {
	for _, proxies := range []bool{false, true} {
		list, err := retry(func() ([]rtnetlink.Neigh, error) {
			if proxies {
				return o.routes.NeighProxyList(0, 0)
			}
			return o.routes.NeighList(0, 0)
		})
		if err != nil {
			o.unread("neighbours", "ip neigh", err)
			return nil
		}
		for _, e := range list {
			if len(o.found.Neighbours) == mostNeighbours {
				o.unread("neighbours", "ip neigh", fmt.Sprintf("there are more than %d", mostNeighbours))
				return nil
			}
			a, ok := netip.AddrFromSlice(e.IP)
			if name := o.names[e.LinkIndex]; ok && name != "" && !a.IsMulticast() && neighbourStates[e.State] != "noarp" {
				o.found.Neighbours = append(o.found.Neighbours, netstate.Neighbour{
					Interface: name, Addr: a.Unmap(), MAC: e.HardwareAddr.String(), State: neighbourStates[e.State], Proxy: proxies,
				})
			}
		}
	}
	return nil
}

// dump asks the kernel for a list, over a socket of its own. One that changes
// while it is read is read again.
func (n *Network) dump(protocol int, kind uint16, data []byte) ([]netlink.Message, error) {
	conn, err := netlink.Dial(protocol, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	all, err := retry(func() ([]netlink.Message, error) {
		return conn.Execute(netlink.Message{Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | netlink.Dump}, Data: data})
	})
	var op *netlink.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return all, err
}

// readFile reads a file of the namespace's /proc/net. None is an empty one.
func (n *Network) readFile(name string) ([]byte, error) {
	data, err := os.ReadFile("/proc/thread-self/net/" + name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
