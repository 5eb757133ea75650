package main

import (
	"net/netip"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// filter returns what the flags select.
func (c *conns) filter() (f lvs.ConnectionFilter, err error) {
	if c.service != "" {
		if f.Service, err = parseConnsService(c.service); err != nil {
			return f, err
		}
	}
	if c.server != "" {
		if f.RealServer, err = parseConnsServer(c.server); err != nil {
			return f, err
		}
	}
	if c.client != "" {
		if f.Client, err = parseConnsClient(c.client); err != nil {
			return f, err
		}
	}
	if c.states != "" {
		for state := range strings.SplitSeq(c.states, ",") {
			f.States = append(f.States, lvs.ConnState(strings.ToUpper(strings.TrimSpace(state))))
		}
	}
	f.Templates = map[string]lvs.TemplateFilter{"no": lvs.ConnectionsOnly, "only": lvs.TemplatesOnly}[c.templates]
	f.Origin = map[string]lvs.ConnOrigin{"any": lvs.AnyOrigin, "local": lvs.OriginLocal, "sync": lvs.OriginSync}[c.origin]
	return f, nil
}

// parseConnsService parses a service. An address and a port alone are those of TCP.
func parseConnsService(text string) (lvs.ServiceID, error) {
	full := text
	if !strings.Contains(full, "://") {
		full = "tcp://" + full
	}
	id, err := lvs.ParseServiceID(full)
	if err != nil {
		return id, cli.Usagef(`-service %q is not a service, such as "tcp://10.168.0.91:80", "10.168.0.91:80" or "fwmark://7"`, text)
	}
	return id, nil
}

func parseConnsServer(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	server, err := netip.ParseAddrPort(text)
	if err != nil {
		return server, cli.Usagef(`-server %q is not a real server, such as "10.168.0.94" or "[2001:db8::94]:80"`, text)
	}
	return server, nil
}

func parseConnsClient(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	client, err := netip.ParsePrefix(text)
	if err != nil {
		return client, cli.Usagef(`-client %q is not a prefix or an address, such as "192.0.2.0/24" or "2001:db8::1"`, text)
	}
	return client, nil
}
