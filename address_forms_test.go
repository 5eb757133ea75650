package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// addressForms returns other forms of a value that is an address or has one, by what
// they are.
func addressForms(v any) map[string]any {
	mapped := func(a netip.Addr) netip.Addr { return netip.AddrFrom16(a.As16()) }
	switch v := v.(type) {
	case netip.Addr:
		if v.Is4() {
			return map[string]any{"mapped": mapped(v), "zero": netip.Addr{}}
		}
		return map[string]any{"zone": v.WithZone("eth0"), "zero": netip.Addr{}}
	case netip.AddrPort:
		forms := map[string]any{}
		for name, a := range addressForms(v.Addr()) {
			forms[name] = netip.AddrPortFrom(a.(netip.Addr), v.Port())
		}
		return forms
	case netip.Prefix:
		forms := map[string]any{"negative": netip.PrefixFrom(v.Addr(), -1), "long": netip.PrefixFrom(v.Addr(), 129), "zero": netip.Prefix{}}
		if v.Addr().Is4() {
			forms["mapped"] = netip.PrefixFrom(mapped(v.Addr()), v.Bits()+96)
		}
		if !v.IsSingleIP() {
			forms["host bits"] = netip.PrefixFrom(v.Addr().Next(), v.Bits())
		}
		return forms
	}
	return nil
}

// eachAddress calls fn for each address in a value, with its field and a function that
// replaces it.
func eachAddress(v reflect.Value, path string, fn func(path string, field reflect.Value)) {
	if v.CanInterface() && addressForms(v.Interface()) != nil {
		fn(path, v)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			eachAddress(v.Field(i), strings.TrimPrefix(path+"."+v.Type().Field(i).Name, "."), fn)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachAddress(v.Index(i), fmt.Sprintf("%s[%d]", path, i), fn)
		}
	}
}

var index = regexp.MustCompile(`\[\d+\]`)

// An address of IPv4 in the form of IPv6 is that of IPv4, or is refused with its field,
// and so are zones, host bits and lengths that cannot be.
func TestAddressForms(t *testing.T) {
	ctx := context.Background()
	_, h := simulatedHost(t)
	sim := newSimLab(t, SimOptions{})
	plan := func(s Setup, err error) (string, error) {
		if err != nil {
			return "", err
		}
		p, err := h.Plan(ctx, s)
		return p.String(), err
	}
	try := func(v any) (string, error) {
		switch v := v.(type) {
		case Resource:
			return plan(Setup{{Want: v}}, nil)
		case interface{ Setup() (Setup, error) }:
			return plan(v.Setup())
		case Flow:
			x, err := sim.Host().Explain(ctx, v)
			if _, cerr := sim.Connect(v); err == nil && errors.Is(cerr, ErrInvalid) {
				return "", fmt.Errorf("explained, but not connected: %w", cerr)
			}
			return x.String(), err
		case SimPacket:
			got, err := sim.Deliver(v)
			return got.String(), err
		case RealServer:
			return tryServer(sim.client, v)
		case SyncDaemon:
			c := h.Client()
			if err := c.StartSyncDaemon(ctx, v); err != nil {
				return "", err
			}
			all, err := c.SyncDaemons(ctx)
			must(t, err)
			return fmt.Sprint(all), c.StopSyncDaemon(ctx, v.Role)
		}
		return "", fmt.Errorf("no way to try %T", v)
	}
	port := func(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 80) }
	for _, sample := range []any{
		Link{Name: "t4", Kind: "gre", Local: local4, Remote: router4, Up: true},
		Link{Name: "t6", Kind: "ip6gre", Local: local6, Remote: router6, Up: true},
		Address{Interface: "eth0", Prefix: hostPrefix(vip4), Broadcast: vip4}, Address{Interface: "eth0", Prefix: hostPrefix(vip6)},
		Route{To: inner5, Via: router4, Source: local4, Interface: "eth0"}, Route{To: inner7, Via: router6, Source: local6, Interface: "eth0"},
		Rule{Priority: 9, Table: 9, From: inner4, To: inner5}, Rule{Priority: 9, Table: 9, From: inner7, To: inner7, IPv6: true},
		SourceNAT{From: inner4, To: inner5, Source: local4},
		IPsecPolicy{From: hostPrefix(local4), To: inner4, SPI: 256}, IPsecPolicy{From: hostPrefix(local6), To: inner7, SPI: 256},
		IPsecAssociation{From: local4, To: router4, SPI: 256, Key: testKey(3)}, IPsecAssociation{From: local6, To: router6, SPI: 256, Key: testKey(3)},
		DRDirector{VIP: vip4, Interface: "eth0"}, DRDirector{VIP: vip6, Interface: "eth0"}, DRRealServer{VIP: vip4}, DRRealServer{VIP: vip6},
		NATDirector{VIP: vip4, Interface: "eth0", Network: inner4, FullNAT: true, Source: local4}, NATRealServer{Director: router4, Clients: []netip.Prefix{inner5}},
		NATRealServer{Director: router6, Clients: []netip.Prefix{inner7}},
		TunnelDirector{VIP: vip4, Interface: "eth0", Servers: []netip.Addr{netip.MustParseAddr("10.99.0.1")}, Via: router4},
		TunnelRealServer{VIP: vip4, Mode: IPIP(), Local: local4, MSS: 1400, Gateway: router4, Interface: "eth0"},
		TunnelDirector{VIP: vip4, Interface: "eth0", IPsec: []IPsecTunnel{{Director: local4, Server: router4, Inner: netip.MustParseAddr("10.99.0.9"), SPI: 300, Key: testKey(3)}}},
		TunnelRealServer{VIP: vip4, IPsec: IPsecTunnel{Director: router4, Server: local4, Inner: netip.MustParseAddr("10.99.0.9"), SPI: 300, Key: testKey(3)}},
		Flow{Client: port(router4), VIP: port(vip4)}, Flow{Client: port(router6), VIP: port(vip6)},
		SimPacket{Protocol: ProtocolUDP, Source: port(router4), Destination: port(vip4)}, SimPacket{Protocol: ProtocolUDP, Source: port(router6), Destination: port(vip6)},
		RealServer{Addr: port(router4)}, RealServer{Addr: port(router6)}, SyncDaemon{Role: SyncMaster, Interface: "eth0", Group: netip.MustParseAddr("224.0.0.81")},
		SyncDaemon{Role: SyncMaster, Interface: "eth0", Group: netip.MustParseAddr("ff02::81")},
	} {
		want, err := try(sample)
		if err != nil {
			t.Errorf("%T %+v is not a sample: %v", sample, sample, err)
			continue
		}
		changed := reflect.New(reflect.TypeOf(sample)).Elem()
		changed.Set(reflect.ValueOf(sample))
		eachAddress(changed, "", func(path string, field reflect.Value) {
			was := field.Interface()
			for name, form := range addressForms(was) {
				field.Set(reflect.ValueOf(form))
				got, err := try(changed.Interface())
				var bad *Error
				switch named := errors.As(err, &bad) && errors.Is(err, ErrInvalid); {
				case named && (name == "zero" || bad.Field != "" && strings.Contains(index.ReplaceAllString(path, ""), bad.Field)):
				case err == nil && (name == "zero" || got == want):
				default:
					t.Errorf("%T.%s, %s %v: %v %q", sample, path, name, form, err, got)
				}
			}
			field.Set(reflect.ValueOf(was))
		})
	}
}

// tryServer does with a real server what a client can, and returns how it is listed.
func tryServer(c *Client, s RealServer) (string, error) {
	ctx := context.Background()
	web := TCP(netip.AddrPortFrom(vip4, 80))
	if a := s.Addr.Addr(); a.Is6() && !a.Is4In6() {
		web = TCP(netip.AddrPortFrom(vip6, 80))
	}
	if err := c.AddService(ctx, Service{ID: web, Scheduler: RR}); err != nil {
		return "", err
	}
	defer func() { _ = c.RemoveService(ctx, web) }()
	if err := c.AddRealServer(ctx, web, s); err != nil {
		return "", err
	}
	if err := c.SetWeight(ctx, web, s.Addr, 7); err != nil {
		return "", err
	}
	one, err := c.RealServer(ctx, web, s.Addr)
	if err != nil {
		return "", err
	}
	all, err := c.RealServers(ctx, web)
	if err != nil {
		return "", err
	}
	return fmt.Sprint(one, all), c.RemoveRealServer(ctx, web, s.Addr)
}
