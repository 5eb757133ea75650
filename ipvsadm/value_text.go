package ipvsadm

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
)

// serviceOption returns the option of a service with an address.
func serviceOption(id lvs.ServiceID) string {
	switch id.Protocol() {
	case lvs.ProtocolUDP:
		return "-u "
	case lvs.ProtocolSCTP:
		return "--sctp-service "
	}
	return "-t "
}

// markFamily returns what is behind a firewall mark for IPv6.
func markFamily(id lvs.ServiceID) string {
	if id.Is6() {
		return " -6"
	}
	return ""
}

// markText returns a firewall mark as ipvsadm prints it: as a number with a sign.
func markText(mark uint32, unsigned bool) string {
	if unsigned {
		return strconv.FormatUint(uint64(mark), 10)
	}
	return strconv.Itoa(int(int32(mark)))
}

// namedAddrPort returns an address and a port by their names, as far as they have one.
func namedAddrPort(names Names, a netip.AddrPort, p lvs.Protocol) string {
	if names == nil {
		return addrPortText(a)
	}
	host, ok := names.Host(a.Addr())
	if !ok {
		host = addrText(a.Addr())
	}
	port, ok := names.PortName(a.Port(), p)
	if !ok {
		port = strconv.Itoa(int(a.Port()))
	}
	if a.Addr().Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + port
}

func addrPortText(a netip.AddrPort) string {
	port := ":" + strconv.Itoa(int(a.Port()))
	if a.Addr().Is6() {
		return "[" + addrText(a.Addr()) + "]" + port
	}
	return addrText(a.Addr()) + port
}

// addrText writes an address as the C library does: it ends like an IPv4 address if
// only the last 32 bits are set, and some of the first 16 of these.
func addrText(a netip.Addr) string {
	if b := a.As16(); a.Is6() && [12]byte(b[:12]) == [12]byte{} && b[12]|b[13] != 0 {
		return "::" + netip.AddrFrom4([4]byte(b[12:])).String()
	}
	return a.String()
}

// maskText writes an IPv4 mask with dots, and an IPv6 mask as its length; "" for a mask
// of the whole address.
func maskText(id lvs.ServiceID, m lvs.Mask) string {
	whole := 32
	if id.Is6() {
		whole = 128
	}
	n, ok := m.Bits()
	switch {
	case ok && n == whole:
		return ""
	case ok && !id.Is6():
		return net.IP(net.CIDRMask(n, whole)).String()
	}
	return strings.TrimPrefix(m.String(), "/")
}
