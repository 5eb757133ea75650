package lvs

import (
	"context"
	"net/netip"
	"testing"
)

// A client uses a port for connections to two VIPs, which have one NAT server. With
// conntrack=1 netfilter cannot tell the answers apart, and drops the second one.
// Linux 6.1 lets datagrams pass.
func TestExplainClash(t *testing.T) {
	ctx := context.Background()
	client := netip.MustParseAddrPort("10.9.0.1:4000")
	vips := []netip.AddrPort{netip.MustParseAddrPort("10.1.0.1:80"), netip.MustParseAddrPort("10.1.0.2:80")}
	for name, c := range map[string]struct {
		kernel string
		id     func(netip.AddrPort) ServiceID
		want   Reason
	}{
		"tcp, 6.1": {"6.1.176", TCP, ReasonConntrack}, "udp, 6.1": {"6.1.176", UDP, ReasonScheduled},
		"tcp": {"7.2.7", TCP, ReasonConntrack}, "udp": {"7.2.7", UDP, ReasonConntrack},
	} {
		t.Run(name, func(t *testing.T) {
			l := newSimLab(t, SimOptions{Kernel: c.kernel})
			must(t, l.Host().SetSysctl(ctx, "net.ipv4.vs.conntrack", "1"))
			l.track()
			for _, vip := range vips {
				must(t, l.client.Do(ctx, AddService(Service{ID: c.id(vip), Scheduler: RR}),
					AddRealServer(c.id(vip), NewRealServer(netip.MustParseAddrPort("10.2.0.1:80"), NAT()))))
			}
			l.wants(l.first(Flow{Protocol: c.id(vips[0]).Protocol(), Client: client, VIP: vips[0]}), ActionForwarded, ReasonScheduled)
			second := Flow{Protocol: c.id(vips[1]).Protocol(), Client: client, VIP: vips[1]}
			h := l.Host()
			known, err := h.Explain(ctx, second)
			must(t, err)
			live, err := liveHost(h, "7\n").Explain(ctx, second)
			must(t, err)
			fate := l.first(second)
			if fate.Reason != c.want || !known.Certain || known.Verdicts[0] != fate {
				t.Errorf("the fate is %s, want %q; explained as\n%s", fate, c.want, known)
			}
			if want := c.want == ReasonScheduled; live.Certain != want {
				t.Errorf("certain %t on a live host, want %t:\n%s", live.Certain, want, live)
			}
		})
	}
}

// Where netfilter has no entries, nothing is in the way of a new connection.
func TestExplainWithoutEntries(t *testing.T) {
	ctx := context.Background()
	l := newSimLab(t, SimOptions{})
	must(t, l.Host().SetSysctl(ctx, "net.ipv4.vs.conntrack", "1"))
	l.serve(Service{ID: simWeb, Scheduler: LC}, NAT(), 1)
	f := l.flow()
	for entries, certain := range map[string]bool{"0\n": true, "1\n": false} {
		x, err := liveHost(l.Host(), entries).Explain(ctx, f)
		if must(t, err); x.Certain != certain || x.Verdicts[0].Reason != ReasonScheduled {
			t.Errorf("with %q entries:\n%s", entries, x)
		}
	}
	conn, err := l.Connect(f)
	must(t, err)
	must(t, conn.Reset())
	for entries, certain := range map[string]bool{"0\n": true, "1\n": false} {
		x, err := liveHost(l.Host(), entries).Explain(ctx, f)
		if must(t, err); x.Certain != certain || x.Ended == "" {
			t.Errorf("with %q entries after the connection ended:\n%s", entries, x)
		}
	}
}

// track makes netfilter track connections, as FTP by NAT does.
func (l *simLab) track() {
	ftp := TCP(netip.MustParseAddrPort("10.1.254.250:21"))
	must(l, l.client.Do(context.Background(), AddService(Service{ID: ftp, Scheduler: RR}),
		AddRealServer(ftp, NewRealServer(netip.MustParseAddrPort("10.2.0.99:21"), NAT()))))
}

// liveHost hides that a host is simulated, and has so many entries of netfilter's.
func liveHost(h *Host, entries string) *Host {
	h.guard.files = countedFiles{h.guard.files, entries}
	return h
}

type countedFiles struct {
	files
	entries string
}

func (c countedFiles) ReadFile(path string) ([]byte, error) {
	if path == "/proc/sys/net/netfilter/nf_conntrack_count" {
		return []byte(c.entries), nil
	}
	return c.files.ReadFile(path)
}
