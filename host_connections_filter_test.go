package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// filterListing has a row for each thing that filters tell apart. Names in front are for
// the test.
const filterListing = `
web    TCP C0000201 9C40 0AA8005B 0050 0AA8005E 0050 ESTABLISHED LOCAL      899
tls    TCP C0000201 9C41 0AA8005B 01BB 0AA8005E 01BB TIME_WAIT   SYNC        12
dns    UDP C0000302 9C40 0AA8005B 0035 0AA8005F 0035 UDP         LOCAL      299
web6   TCP fd00:0001:0000:0000:0000:0000:0000:0001 9C40 fd00:0001:0000:0000:0000:0000:0000:0002 0050 0AA8005E 0050 SYN_RECV    LOCAL       59
sctp   SCTP C0000201 9C40 0AA8005B 0050 0AA8005E 0050 COOKIE      LOCAL       59
tweb   TCP C0000200 0000 0AA8005B 0050 0AA8005E 0050 ASSURED     LOCAL      299
tall   TCP C0000200 0000 0AA8005B 0000 0AA8005E 0000 NONE        LOCAL      299
tmark  IP  C0000200 0000 00000009 0000 0AA8005E 0000 NONE        LOCAL      299
tmark6 IP  fd00:0001:0000:0000:0000:0000:0000:0000 0000 0000:0009:0000:0000:0000:0000:0000:0000 0000 0AA8005E 0000 NONE        LOCAL      299
ftp    TCP C0000201 0000 0AA8005B C001 0AA8005E C001 LISTEN      LOCAL      119
`

// filtered returns the names of the rows that a filter selects.
func filtered(t *testing.T, f ConnectionFilter) string {
	t.Helper()
	text, names := originsHeader, []string{}
	for line := range strings.Lines(strings.TrimSpace(filterListing) + "\n") {
		name, row, _ := strings.Cut(line, " ")
		names, text = append(names, name), text+strings.TrimLeft(row, " ")
	}
	h, _ := textHost(t, text)
	every, err := readConnections(strings.NewReader(text))
	must(t, err)
	if f.Origin == OriginUnknown {
		f.Origin = AnyOrigin // the listing has origins
	}
	var selected []string
	for c, err := range h.Connections(t.Context(), f) {
		must(t, err)
		for i := range every {
			if every[i] == c {
				selected = append(selected, names[i])
			}
		}
	}
	return strings.Join(selected, " ")
}

func TestConnectionFilter(t *testing.T) {
	const vip = "10.168.0.91"
	service := MustParseServiceID
	for _, test := range []struct {
		filter ConnectionFilter
		want   string
	}{
		{ConnectionFilter{}, "web tls dns web6 sctp tweb tall tmark tmark6 ftp"},
		{ConnectionFilter{Service: service("tcp://" + vip + ":80")}, "web tweb"},
		{ConnectionFilter{Service: service("tcp://" + vip + ":443")}, "tls"},
		{ConnectionFilter{Service: service("tcp://" + vip + ":21")}, "tall"},
		{ConnectionFilter{Service: service("tcp://" + vip + ":0")}, "web tls tweb tall ftp"},
		{ConnectionFilter{Service: service("udp://" + vip + ":53")}, "dns"},
		{ConnectionFilter{Service: service("sctp://" + vip + ":80")}, "sctp"},
		{ConnectionFilter{Service: service("tcp://[fd00:1::2]:80")}, "web6"},
		{ConnectionFilter{Service: FWMark(9)}, "tmark"},
		{ConnectionFilter{Service: FWMark6(9)}, "tmark6"},
		{ConnectionFilter{Service: FWMark(8)}, ""},
		{ConnectionFilter{RealServer: addrPort("10.168.0.95:53")}, "dns"},
		{ConnectionFilter{RealServer: addrPort("10.168.0.94:0"), Templates: ConnectionsOnly}, "web tls web6 sctp ftp"},
		{ConnectionFilter{RealServer: addrPort("[::ffff:10.168.0.94]:443")}, "tls"},
		{ConnectionFilter{Client: netip.MustParsePrefix("192.0.2.0/24"), Templates: ConnectionsOnly}, "web tls sctp ftp"},
		{ConnectionFilter{Client: netip.MustParsePrefix("192.0.3.77/24")}, "dns"},
		{ConnectionFilter{Client: netip.MustParsePrefix("::ffff:192.0.3.0/120")}, "dns"},
		{ConnectionFilter{Client: netip.MustParsePrefix("::/0")}, "web6 tmark6"},
		{ConnectionFilter{Client: netip.MustParsePrefix("0.0.0.0/0"), Templates: TemplatesOnly}, "tweb tall tmark"},
		{ConnectionFilter{States: []ConnState{StateUDP, StateTimeWait, "COOKIE"}}, "tls dns sctp"},
		{ConnectionFilter{States: []ConnState{StateAssured}}, "tweb"},
		{ConnectionFilter{Origin: OriginSync}, "tls"},
		{ConnectionFilter{Origin: OriginLocal, Service: service("tcp://" + vip + ":80"), Templates: ConnectionsOnly}, "web"},
	} {
		if got := filtered(t, test.filter); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.filter, got, test.want)
		}
	}
}

// A filter that can select nothing is refused, before anything is read.
func TestConnectionFilterRefused(t *testing.T) {
	web := TCP(addrPort("10.168.0.91:80"))
	for _, test := range []struct {
		filter ConnectionFilter
		field  string
	}{
		{ConnectionFilter{Service: TCP(addrPort("0.0.0.0:80"))}, "Service"},
		{ConnectionFilter{Service: NewServiceID(99, addrPort("10.168.0.91:80"))}, "Service"},
		{ConnectionFilter{RealServer: netip.AddrPortFrom(netip.Addr{}, 80)}, "RealServer"},
		{ConnectionFilter{RealServer: addrPort("[fe80::1%eth0]:80")}, "RealServer"},
		{ConnectionFilter{Client: netip.PrefixFrom(netip.MustParseAddr("10.0.0.0"), 33)}, "Client"},
		{ConnectionFilter{Client: netip.MustParsePrefix("::ffff:0:0/90")}, "Client"},
		{ConnectionFilter{Client: netip.MustParsePrefix("fd00::/8"), Service: web}, "Client"},
		{ConnectionFilter{Client: netip.MustParsePrefix("10.0.0.0/8"), Service: FWMark6(9)}, "Client"},
		{ConnectionFilter{States: []ConnState{StateEstablished, "established"}}, "States"},
		{ConnectionFilter{States: []ConnState{""}}, "States"},
		{ConnectionFilter{States: []ConnState{StateUDP}, Service: web}, "States"},
		{ConnectionFilter{States: []ConnState{StateEstablished}, Templates: TemplatesOnly}, "States"},
		{ConnectionFilter{States: []ConnState{StateEstablished}, Service: FWMark(9)}, "States"},
		{ConnectionFilter{States: []ConnState{StateAssured}, Templates: ConnectionsOnly}, "States"},
		{ConnectionFilter{Templates: "no"}, "Templates"},
		{ConnectionFilter{Templates: ConnectionsOnly, Service: FWMark(9)}, "Templates"},
		{ConnectionFilter{Origin: "sync"}, "Origin"},
	} {
		h, f := textHost(t, connectionsHeader)
		all, err := CollectConnections(h.Connections(t.Context(), test.filter))
		var known *Error
		if !errors.Is(err, ErrInvalid) || !errors.As(err, &known) || known.Field != test.field || f.opened != 0 {
			t.Errorf("%+v: got %v, %v; want ErrInvalid of %s", test.filter, all, err, test.field)
		}
	}
}

// The file that a filter needs is read, and no other.
func TestConnectionOrigins(t *testing.T) {
	s := dnsLab(t)
	for origin, want := range map[ConnOrigin]ConnOrigin{OriginUnknown: "", AnyOrigin: OriginLocal, OriginLocal: OriginLocal} {
		all, err := CollectConnections(s.Host().Connections(t.Context(), ConnectionFilter{Origin: origin}))
		if err != nil || len(all) != 2 || all[0].Origin != want {
			t.Errorf("origin %q: got %v, %v", origin, all, err)
		}
	}
	if all, err := CollectConnections(s.Host().Connections(t.Context(), ConnectionFilter{Origin: OriginSync})); err != nil || len(all) != 0 {
		t.Errorf("from sync daemons: %v, %v", all, err)
	}
}

// dnsLab has two clients in one network.
func dnsLab(t *testing.T) *Simulator {
	t.Helper()
	s, err := NewSimulator(SimOptions{})
	must(t, err)
	dns := UDP(addrPort("10.168.0.91:53"))
	must(t, s.Client().Do(context.Background(), AddService(Service{ID: dns, Scheduler: RR}), AddRealServer(dns, NewRealServer(addrPort("10.168.0.95:53"), DR()))))
	for i := range 2 {
		_, err := s.Deliver(SimPacket{Protocol: ProtocolUDP, Source: addrPort(fmt.Sprintf("192.0.2.%d:40000", i+1)), Destination: dns.AddrPort()})
		must(t, err)
	}
	return s
}

func TestCountConnections(t *testing.T) {
	h, f := textHost(t, connectionsHeader+webRow+webRow+
		strings.Replace(webRow, "C0000201", "C0000301", 1)+
		"TCP fd00:0001:0000:0000:0000:0000:0000:0001 9C40 fd00:0001:0000:0000:0000:0000:0000:0002 0050 0AA8005E 0050 TIME_WAIT        59\n")
	all := h.Connections(t.Context(), ConnectionFilter{})
	servers, err := CountConnections(all, ByServer)
	must(t, err)
	states, err := CountConnections(all, ByState)
	must(t, err)
	clients, err := CountConnections(all, ByClient(24, 64))
	must(t, err)
	whole, err := CountConnections(all, ByClient(-1, 200))
	must(t, err)
	for name, diff := range map[string]string{
		"servers": cmp.Diff(map[netip.AddrPort]int{addrPort("10.168.0.94:80"): 4}, servers, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })),
		"states":  cmp.Diff(map[ConnState]int{StateEstablished: 3, StateTimeWait: 1}, states),
		"clients": cmp.Diff("map[192.0.2.0/24:2 192.0.3.0/24:1 fd00:1::/64:1]", fmt.Sprint(clients)),
		"whole":   cmp.Diff("map[192.0.2.1/32:2 192.0.3.1/32:1 fd00:1::1/128:1]", fmt.Sprint(whole)),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	f.text += "rubbish\n"
	if counts, err := CountConnections(all, ByState); err == nil || counts != nil {
		t.Errorf("of a listing that breaks off: %v, %v", counts, err)
	}
}

func TestConnectionsDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	if _, err := CollectConnections(dnsLab(t).Host().Connections(ctx, ConnectionFilter{})); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
}
