package testbed

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// DumpAll returns everything of the namespace that a setup could change, to be
// compared with an earlier dump.
func (ns *Namespace) DumpAll() string {
	ns.t.Helper()
	return ns.dumpNetwork() + ns.dumpFiles("", func(string) bool { return true })
}

// Dump is DumpAll with only the parameters that setups are about. Reading all of them
// takes seconds in some kernels.
func (ns *Namespace) Dump() string {
	ns.t.Helper()
	return ns.dumpNetwork() + ns.dumpParameters()
}

// Show returns what Dump does, as ip(8) shows it. Starting programs takes long in some
// kernels.
func (ns *Namespace) Show() string {
	ns.t.Helper()
	return ns.showNetwork() + ns.dumpParameters()
}

func (ns *Namespace) dumpParameters() (all string) {
	ns.t.Helper()
	for _, folder := range []string{"ipv4/conf/", "ipv6/conf/", "ipv4/ip_forward", "ipv4/vs/conntrack"} {
		all += ns.dumpFiles(folder, func(path string) bool {
			switch filepath.Base(path) {
			case "forwarding", "ip_forward", "accept_redirects", "arp_ignore", "arp_announce", "send_redirects", "rp_filter", "conntrack":
				return true
			}
			return false
		})
	}
	return all
}

// listing is a dump that the kernel gives by route netlink.
type listing struct {
	name           string
	command, reply uint16
	header         int                 // its size
	mask           func(header []byte) // removes what changes automatically
	fleeting       []uint16            // attributes that do
	flags          uint16              // an attribute of flags with one that does
}

var routeListings = []listing{
	{
		name: "link", command: unix.RTM_GETLINK, reply: unix.RTM_NEWLINK, header: unix.SizeofIfInfomsg,
		mask: func(h []byte) { // whether it runs
			flags := binary.NativeEndian.Uint32(h[8:]) &^ (unix.IFF_RUNNING | unix.IFF_LOWER_UP | unix.IFF_DORMANT)
			binary.NativeEndian.PutUint32(h[8:], flags)
		},
		fleeting: []uint16{
			unix.IFLA_STATS, unix.IFLA_STATS64, unix.IFLA_CARRIER_CHANGES, unix.IFLA_CARRIER_UP_COUNT, unix.IFLA_CARRIER_DOWN_COUNT,
			unix.IFLA_PAD, unix.IFLA_QDISC, unix.IFLA_OPERSTATE, unix.IFLA_PERM_ADDRESS, unix.IFLA_AF_SPEC, // the parameters are files too
		},
	},
	{
		name: "address", command: unix.RTM_GETADDR, reply: unix.RTM_NEWADDR, header: unix.SizeofIfAddrmsg,
		mask: func(h []byte) { h[2] &^= unix.IFA_F_TENTATIVE }, fleeting: []uint16{unix.IFA_CACHEINFO}, flags: unix.IFA_FLAGS,
	},
	{name: "route", command: unix.RTM_GETROUTE, reply: unix.RTM_NEWROUTE, header: unix.SizeofRtMsg, fleeting: []uint16{unix.RTA_CACHEINFO, unix.RTA_EXPIRES}},
	{name: "rule", command: unix.RTM_GETRULE, reply: unix.RTM_NEWRULE, header: unix.SizeofRtMsg},
}

// dump returns a line for each thing that the kernel lists.
func (l listing) dump(family byte) (lines []string, err error) {
	request := nl.NewNetlinkRequest(int(l.command), unix.NLM_F_DUMP)
	header := make([]byte, l.header)
	header[0] = family
	request.AddRawData(header)
	messages, err := request.Execute(unix.NETLINK_ROUTE, l.reply)
	if err != nil {
		return nil, fmt.Errorf("listing each %s: %w", l.name, err)
	}
	for _, m := range messages {
		if l.mask != nil {
			l.mask(m[:l.header])
		}
		attrs, err := nl.ParseRouteAttr(m[l.header:])
		if err != nil {
			return nil, err
		}
		line := fmt.Sprintf("%s %x", l.name, m[:l.header])
		for _, a := range attrs {
			switch {
			case slices.Contains(l.fleeting, a.Attr.Type):
				continue
			case l.flags != 0 && a.Attr.Type == l.flags:
				a.Value[0] &^= unix.IFA_F_TENTATIVE
			}
			line += fmt.Sprintf(" %d=%q", a.Attr.Type, a.Value)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines, nil
}

// dumpNetwork returns what the kernel lists of its network as it lists it, unknown
// attributes included.
func (ns *Namespace) dumpNetwork() string {
	ns.t.Helper()
	var all []string
	err := ns.Do(func() error {
		for _, l := range routeListings {
			families := []byte{unix.AF_INET, unix.AF_INET6}
			if l.name == "link" {
				families = []byte{unix.AF_UNSPEC}
			}
			for _, family := range families {
				lines, err := l.dump(family)
				if err != nil {
					return err
				}
				all = append(all, lines...)
			}
		}
		secured, err := dumpIPsec()
		all = append(all, secured...)
		return err
	})
	if err != nil {
		ns.t.Fatal(err)
	}
	dump := strings.Join(all, "\n") + "\n"
	if HasNFT() {
		dump += ns.Run("nft", "list", "ruleset") + "\n"
	}
	if _, err := os.Stat("/sys/module/fou"); err == nil {
		dump += ns.Run("ip", "fou", "show") + ns.Run("ip", "-6", "fou", "show") + "\n"
	}
	return dump
}

// dumpIPsec leaves out counters and times.
func dumpIPsec() (lines []string, err error) {
	states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		lines = append(lines, fmt.Sprint("association ", s.Src, s.Dst, s.Proto, s.Mode, s.Spi, s.Reqid, s.Crypt, s.Auth, s.Aead))
	}
	policies, err := netlink.XfrmPolicyList(netlink.FAMILY_ALL)
	for _, p := range policies {
		p.Index = 0 // another one each time
		lines = append(lines, fmt.Sprint("policy ", p))
	}
	slices.Sort(lines)
	return lines, err
}

var fleeting = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m) *valid_lft .*$|expires \S+| used \d+|permaddr \S+| addrgenmode \S+| tentative| qdisc \S+| state \S+|anti-replay context: .*|lastused .*`)
})

// Steady removes the parts of a listing of ip(8) that differ from one to the next.
func Steady(listing string) string { return fleeting().ReplaceAllString(listing, "") }

// showNetwork is the network as ip(8) shows it.
func (ns *Namespace) showNetwork() string {
	ns.t.Helper()
	var b strings.Builder
	for _, batch := range [][]string{
		{"-d", "link", "xfrm state"},
		{"-d", "xfrm policy"}, // which comes out empty behind the other
		{"-4", "addr", "route show table all", "rule"},
		{"-6", "addr", "route show table all", "rule"},
	} {
		b.WriteString(Steady(ns.Batch(batch[1:], batch[0])) + "\n")
	}
	if HasNFT() {
		b.WriteString(ns.Run("nft", "list", "ruleset") + "\n")
	}
	if _, err := os.Stat("/sys/module/fou"); err == nil {
		b.WriteString(ns.Run("ip", "fou", "show") + ns.Run("ip", "-6", "fou", "show") + "\n")
	}
	return b.String()
}

// dumpFiles has those parameters below a folder of /proc/sys/net that are meant.
func (ns *Namespace) dumpFiles(folder string, of func(path string) bool) string {
	ns.t.Helper()
	var b strings.Builder
	err := ns.Do(func() error {
		return filepath.WalkDir("/proc/sys/net/"+folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || fleetingFile(path) {
				return err
			}
			if d.IsDir() {
				if d.Name() == "neigh" {
					return filepath.SkipDir
				}
				return nil
			}
			if !of(path) {
				return nil
			}
			text, err := os.ReadFile(path)
			if err == nil {
				fmt.Fprintf(&b, "%s = %s", path, text)
			}
			return nil // some can only be written
		})
	})
	if err != nil {
		ns.t.Fatal(err)
	}
	return b.String()
}

// fleetingFile reports whether a file changes automatically. A tunnel that was up once
// keeps its IPv6 parameters.
func fleetingFile(path string) bool {
	return strings.HasPrefix(path, "/proc/sys/net/ipv6/conf/tunl0/") || strings.HasPrefix(path, "/proc/sys/net/ipv6/conf/gre0/") ||
		strings.Contains(path, "stable_secret") || strings.Contains(path, "netfilter/nf_conntrack_count") || strings.Contains(path, "/vs/sync_qlen_max")
}

// Neutral removes from what [Namespace.Show] returns the differences between ip(8) and
// package lvs that are on purpose: who made a route, and details of tunnels that only
// matter when sending.
func Neutral(dump string) string {
	dump = regexp.MustCompile(` proto (static|boot)| (nopmtudisc|hoplimit \S+|encaplimit \S+|tclass \S+|flowlabel \S+|ttl \S+|\(flowlabel.*)|link/\S+ \S+ brd \S+|inet6 fe80\S+|local fe80\S+|fe80::\S*|multicast \S+`).ReplaceAllString(dump, "")
	lines := strings.Split(dump, "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}
