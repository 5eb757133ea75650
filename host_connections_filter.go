package lvs

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// ConnectionFilter selects connections that match all of its fields. The zero value
// selects all. A filter that can select nothing, such as one with a client and a service
// of different address families, is refused with [ErrInvalid], so that an empty result
// always means that there are no such connections.
type ConnectionFilter struct {
	// Service selects connections by protocol, VIP and port, which is what the kernel
	// lists: it does not tell the service. The zero value selects those of any.
	//
	// Port 0 selects every port of the VIP, also those that have a service of their own.
	// With port 21, templates of every port are among the connections, since the kernel
	// keeps those of FTP so. A firewall mark selects only the templates of its persistent
	// service: connections have the address that their packets were sent to, and not the
	// mark.
	Service ServiceID

	RealServer netip.AddrPort // to this real server; port 0: to any port of it; zero: to any

	// Client selects connections from these clients, and templates of networks that have
	// some of them. The zero value selects those of any. The kernel lists the first address
	// of a network without its length, which is looked up in the table of services as it is
	// now. Of a template that has no service there, such as one from a sync daemon, only
	// the first address counts.
	Client netip.Prefix

	States    []ConnState    // in one of these states; none: in any
	Templates TemplateFilter // whether persistence templates are among them

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

// path returns the file that lists what the filter needs.
func (f *ConnectionFilter) path() string {
	if f.Origin == OriginUnknown {
		return connectionsPath
	}
	return originsPath
}

// connectionSelector is a filter that was found to be good.
type connectionSelector struct {
	ConnectionFilter
	vip   netip.Addr    // of Service, or its mark as the kernel lists it
	masks templateMasks // for Client
}

// compile refuses filters that can select nothing.
func (f ConnectionFilter) compile() (connectionSelector, error) {
	f.RealServer = unmap(f.RealServer)
	if a := f.Client.Addr(); a.Is4In6() && f.Client.Bits() >= 96 {
		f.Client = netip.PrefixFrom(a.Unmap(), f.Client.Bits()-96)
	}
	for _, check := range []func() *Error{f.checkService, f.checkRealServer, f.checkClient, f.checkTemplates, f.checkStates, f.checkOrigin} {
		if err := check(); err != nil {
			return connectionSelector{}, err
		}
	}
	s := connectionSelector{ConnectionFilter: f, vip: f.Service.vip.Addr()}
	if mark := f.Service.mark; mark != 0 {
		s.vip = listedMark(mark, f.Service.Is6())
	}
	return s, nil
}

// listedMark returns a mark in the place of an address, where the kernel lists it.
func listedMark(mark uint32, is6 bool) netip.Addr {
	var raw [16]byte
	binary.BigEndian.PutUint32(raw[:], mark)
	if is6 {
		return netip.AddrFrom16(raw)
	}
	return netip.AddrFrom4([4]byte(raw[:4]))
}

func (f *ConnectionFilter) checkService() *Error {
	if f.Service == (ServiceID{}) {
		return nil
	}
	err := validateID(f.Service)
	if err != nil {
		err.Field = "Service"
	}
	return err
}

func (f *ConnectionFilter) checkRealServer() *Error {
	switch a := f.RealServer.Addr(); {
	case f.RealServer == (netip.AddrPort{}):
		return nil
	case !a.IsValid():
		return invalid("RealServer", "has the port %d and no address", f.RealServer.Port())
	case a.Zone() != "":
		return invalid("RealServer", "IPVS has no zones, and %s has one", a)
	}
	return nil
}

func (f *ConnectionFilter) checkClient() *Error {
	switch a := f.Client.Addr(); {
	case f.Client == (netip.Prefix{}):
		return nil
	case !f.Client.IsValid():
		return invalid("Client", "%s is not a prefix", f.Client)
	case a.Is4In6():
		return invalid("Client", "%s is part of the IPv4 addresses in IPv6: write it as an IPv4 prefix", f.Client)
	case f.Service.IsValid() && a.Is6() != f.Service.Is6():
		return invalid("Client", "%s is %s, and clients of %s are %s", f.Client, familyName(a.Is6()), f.Service, familyName(f.Service.Is6()))
	}
	return nil
}

func (f *ConnectionFilter) checkTemplates() *Error {
	switch f.Templates {
	case AllEntries, TemplatesOnly:
		return nil
	case ConnectionsOnly:
		if f.Service.mark != 0 {
			return invalid("Templates", "only templates of %s can be told from others: connections are listed without the mark", f.Service)
		}
		return nil
	}
	return invalid("Templates", "%q is not %q, %q or empty", f.Templates, ConnectionsOnly, TemplatesOnly)
}

func (f *ConnectionFilter) checkStates() *Error {
	possible := f.possibleStates()
	for _, s := range f.States {
		if !slices.Contains(possible, s) {
			return invalid("States", "%q is not a state that the selected entries can have: %q", s, possible)
		}
	}
	return nil
}

// possibleStates returns the states of what the other fields select.
func (f *ConnectionFilter) possibleStates() (all []ConnState) {
	if f.Templates != ConnectionsOnly {
		all = append(all, templateStates...)
	}
	if f.Templates == TemplatesOnly || f.Service.mark != 0 {
		return all
	}
	for _, p := range []Protocol{ProtocolTCP, ProtocolUDP, ProtocolSCTP} {
		if !f.Service.IsValid() || f.Service.protocol == p {
			all = append(all, connStates[p]...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (f *ConnectionFilter) checkOrigin() *Error {
	switch f.Origin {
	case OriginUnknown, OriginLocal, OriginSync, AnyOrigin:
		return nil
	}
	return invalid("Origin", "%q is not %q, %q, %q or empty", f.Origin, OriginLocal, OriginSync, AnyOrigin)
}

// has reports whether a connection is selected.
func (s *connectionSelector) has(c *Connection) bool {
	return s.hasService(c) && s.hasRealServer(c) && s.hasClient(c) &&
		(len(s.States) == 0 || slices.Contains(s.States, c.State)) &&
		(s.Templates == AllEntries || c.IsTemplate() == (s.Templates == TemplatesOnly)) &&
		(s.Origin == OriginUnknown || s.Origin == AnyOrigin || s.Origin == c.Origin)
}

const portFTP = 21

func (s *connectionSelector) hasService(c *Connection) bool {
	port := s.Service.vip.Port()
	switch {
	case !s.Service.IsValid():
		return true
	case c.Protocol != s.Service.protocol || c.VIP.Addr() != s.vip:
		return false
	case c.IsTemplate() && c.VIP.Port() == 0:
		return port == 0 || port == portFTP
	}
	return port == 0 || port == c.VIP.Port()
}

// needsMasks reports whether templates are selected by their clients.
func (s *connectionSelector) needsMasks() bool {
	return s.Client.IsValid() && s.Templates != ConnectionsOnly
}

func (s *connectionSelector) hasClient(c *Connection) bool {
	return !s.Client.IsValid() || s.Client.Contains(c.Client.Addr()) || c.IsTemplate() && s.masks.covers(c, s.Client)
}

func (s *connectionSelector) hasRealServer(c *Connection) bool {
	want := s.RealServer
	return !want.IsValid() || want.Addr() == c.Server.Addr() && (want.Port() == 0 || want.Port() == c.Server.Port())
}
