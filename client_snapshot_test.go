package lvs

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/golvs/lvs/internal/genl"
)

// snapshotLab has three services of two servers each.
func snapshotLab(t *testing.T) (l *simLab, ids []ServiceID) {
	t.Helper()
	l = newSimLab(t, SimOptions{})
	for i := range 3 {
		id := benchService(i)
		ids = append(ids, id)
		must(t, l.client.Do(t.Context(), AddService(Service{ID: id, Scheduler: RR}),
			AddRealServer(id, NewRealServer(netip.MustParseAddrPort("10.2.0.9:80"), DR())),
			AddRealServer(id, NewRealServer(netip.MustParseAddrPort("10.2.0.1:80"), DR()))))
	}
	return l, ids
}

// A snapshot has what the services were at its end, whatever changes while it is
// made, and reads the servers of a service again only if the service has changed.
func TestSnapshotOfChangingServices(t *testing.T) {
	for name, c := range map[string]struct {
		change func(ids []ServiceID) Change
		reads  int // how often servers are read
	}{
		"nothing":               {func([]ServiceID) Change { return ZeroAllCounters() }, 3},
		"a service is edited":   {func(ids []ServiceID) Change { return UpdateService(Service{ID: ids[1], Scheduler: SH}) }, 4},
		"a service is removed":  {func(ids []ServiceID) Change { return RemoveService(ids[1]) }, 3},
		"a service is added":    {func([]ServiceID) Change { return AddService(Service{ID: FWMark(1), Scheduler: SH}) }, 4},
		"everything is removed": {func([]ServiceID) Change { return Flush() }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			l, ids := snapshotLab(t)
			reads := 0
			must(t, l.Inject(SimFault{Op: OpListRealServers, Times: 100, Before: func() {
				if reads++; reads == 3 {
					must(t, l.Host().Client().Do(context.Background(), c.change(ids)))
				}
			}}))
			got, err := l.client.Snapshot(t.Context())
			must(t, err)
			if reads != c.reads {
				t.Errorf("servers were read %d times, want %d", reads, c.reads)
			}
			want, err := l.client.Snapshot(t.Context())
			must(t, err)
			if !got.Equal(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestSnapshotOfServicesThatKeepChanging(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ids := snapshotLab(t)
		defer l.client.Close()
		other := l.Host().Client()
		defer other.Close()
		next := map[Scheduler]Scheduler{RR: SH, SH: RR}
		must(t, l.Inject(SimFault{Op: OpListRealServers, Times: 100, Before: func() {
			_, err := other.ModifyService(context.Background(), ids[0], func(s *Service) { s.Scheduler = next[s.Scheduler] })
			must(t, err)
		}}))
		_, err := l.client.Snapshot(t.Context())
		ofKind(t, "a snapshot", err, ErrUnstable)
	})
}

// A snapshot is one call of the connection: one goroutine sends all requests.
func TestSnapshotIsOneCall(t *testing.T) {
	l, _ := snapshotLab(t)
	var senders []string
	client, err := newClient(t.Context(), func() (genl.Socket, error) {
		s, err := l.dial()
		return &sendingSocket{s, &senders}, err
	}, slog.New(slog.DiscardHandler))
	must(t, err)
	defer client.Close()
	senders = nil
	_, err = client.Snapshot(t.Context())
	must(t, err)
	if len(senders) != 5 || len(slices.Compact(senders)) != 1 {
		t.Errorf("5 datagrams by one goroutine are wanted, got %q", senders)
	}
}

// sendingSocket notes the goroutines that use it.
type sendingSocket struct {
	genl.Socket
	senders *[]string
}

func (s *sendingSocket) Send(b []byte) error {
	stack := make([]byte, 64)
	goroutine, _, _ := bytes.Cut(stack[:runtime.Stack(stack, false)], []byte(" ["))
	*s.senders = append(*s.senders, string(goroutine))
	return s.Socket.Send(b)
}

// A server that was listed twice, because others were added at the same time, is
// there once, at its first place in the order.
func TestListedServersAreThereOnce(t *testing.T) {
	for _, n := range []int{3, fewServers + 3} {
		var l serverList
		var want []RealServerStatus
		for i := range n {
			s := RealServerStatus{RealServer: NewRealServer(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, 0, byte(i)}), 80), DR())}
			want = append(want, s)
			l.listed = append([]RealServerStatus{s}, l.listed...)
		}
		if got := l.inOrderAdded(); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		l.listed = append(l.listed[:2], append([]RealServerStatus{l.listed[1]}, l.listed[2:]...)...)
		if got := l.inOrderAdded(); !slices.Equal(got, want) {
			t.Errorf("with one listed twice, got %v, want %v", got, want)
		}
	}
}
