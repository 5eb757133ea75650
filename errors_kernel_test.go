package lvs

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs/internal/genl"
	"github.com/golvs/lvs/internal/netstate"
)

// What IPVS is known to answer.
func TestKindOfKnownErrnos(t *testing.T) {
	services := []Op{OpAddService, OpUpdateService}
	servers := []Op{OpAddRealServer, OpUpdateRealServer}
	ops := []Op{OpListServices, OpGetService, OpListRealServers, OpListSyncDaemons, OpGetTimeouts, OpGetInfo}
	for _, k := range changeKinds {
		if k.command != 0 {
			ops = append(ops, k.op)
		}
	}
	for _, tt := range []struct {
		ops   []Op
		errno Errno
		kind  error
		field string
	}{
		{nil, EPERM, ErrPermission, ""},
		{nil, EOPNOTSUPP, errors.ErrUnsupported, ""},
		{nil, ENOMEM, ErrBusy, ""},
		{nil, ENOBUFS, ErrBusy, ""},
		{nil, ENOPROTOOPT, ErrUnavailable, ""},
		{[]Op{OpAddService}, EEXIST, ErrExists, ""},
		{services, ENOENT, ErrScheduler, ""},
		{services, EINVAL, ErrInvalid, ""},
		{[]Op{OpFlush}, ENOENT, ErrUnavailable, ""},
		{[]Op{OpUpdateService, OpRemoveService, OpGetService, OpZeroCounters}, ESRCH, ErrNoService, ""},
		{[]Op{OpAddRealServer, OpUpdateRealServer, OpRemoveRealServer}, ESRCH, ErrNoService, ""},
		{[]Op{OpGetService}, EMSGSIZE, errors.ErrUnsupported, ""},
		{[]Op{OpAddRealServer}, EEXIST, ErrExists, ""},
		{[]Op{OpUpdateRealServer, OpRemoveRealServer}, ENOENT, ErrNoRealServer, ""},
		{servers, ERANGE, ErrInvalid, ""},
		{servers, EINVAL, ErrInvalid, ""},
		{append(servers, services...), EAFNOSUPPORT, errors.ErrUnsupported, ""},
		{[]Op{OpSetTimeouts}, EINVAL, ErrInvalid, ""},
		{[]Op{OpSetTimeouts}, ERANGE, ErrInvalid, ""},
		{[]Op{OpStartSyncDaemon}, EINVAL, ErrInvalid, ""},
		{[]Op{OpStartSyncDaemon}, ENODEV, ErrInvalid, "Interface"},
		{[]Op{OpStartSyncDaemon}, ENETUNREACH, ErrInvalid, "Interface"},
		{[]Op{OpStartSyncDaemon}, EADDRNOTAVAIL, ErrInvalid, "Interface"},
		{[]Op{OpStartSyncDaemon}, EACCES, ErrInvalid, "Interface"},
		{[]Op{OpStartSyncDaemon}, EAFNOSUPPORT, errors.ErrUnsupported, "Group"},
		{[]Op{OpStartSyncDaemon}, EADDRINUSE, ErrBusy, "Port"},
		{[]Op{OpStartSyncDaemon}, EEXIST, ErrExists, ""},
		{[]Op{OpStopSyncDaemon}, EINVAL, ErrInvalid, ""},
		{[]Op{OpStopSyncDaemon}, ESRCH, ErrNotFound, ""},
		{[]Op{OpListServices, OpListRealServers, OpListSyncDaemons}, EBUSY, ErrBusy, ""},
	} {
		for _, op := range ops {
			if tt.ops != nil && !slices.Contains(tt.ops, op) {
				continue
			}
			e := call{op: op}.explain(&genl.Error{Errno: int(tt.errno)})
			if !errors.Is(e, tt.kind) || e.Field != tt.field {
				t.Errorf("%s: %v has the kind %v and the field %q; want %v, %q", op, e, e.kind, e.Field, tt.kind, tt.field)
			}
			if tt.errno != EPERM && strings.Contains(e.Error(), "CAP_NET_ADMIN") {
				t.Errorf("%s: %v", op, e)
			}
		}
	}
}

// What a service without a scheduler lacks is not its scheduler.
func TestMissingModules(t *testing.T) {
	for _, tt := range []struct {
		scheduler Scheduler
		engine    string
		kind      error
		want      string
	}{
		{"", "", ErrScheduler, `lvs: add service: the kernel has no scheduler "wlc" (ENOENT); run 'modprobe ip_vs_wlc' as root to see why`},
		{RR, "sip", errModule, `lvs: add service: the kernel has no scheduler "rr", or no persistence engine "sip" (ENOENT); ` +
			`run 'modprobe ip_vs_rr' and 'modprobe ip_vs_pe_sip' as root to see why`},
		{NoScheduler, "sip", ErrEngine, `lvs: add service: the kernel has no persistence engine "sip" (ENOENT); run 'modprobe ip_vs_pe_sip' as root to see why`},
		{NoScheduler, "", ErrUnavailable, "lvs: add service: IPVS is no longer available (ENOENT); " + hintNoIPVS},
	} {
		what := call{op: OpAddService, scheduler: tt.scheduler, engine: tt.engine}
		err := what.explain(&genl.Error{Errno: int(ENOENT)})
		if !errors.Is(err, tt.kind) || err.Error() != tt.want {
			t.Errorf("%v", err)
		}
	}
}

// What goes wrong around the kernel's answers has a kind too.
func TestKindOfOtherErrors(t *testing.T) {
	for _, tt := range []struct{ err, kind error }{
		{genl.ErrOverrun, ErrBusy}, {genl.ErrStuck, ErrStuck}, {genl.ErrMoving, ErrUnavailable}, {genl.ErrMalformed, errors.ErrUnsupported},
		{genl.ErrNoFamily, ErrUnavailable}, {genl.ErrClosed, ErrClosed}, {genl.ErrInterrupted, ErrUnstable},
		{syscall.EMFILE, ErrBusy}, {syscall.ENOBUFS, ErrBusy}, {syscall.EPERM, ErrPermission}, {syscall.EPROTONOSUPPORT, ErrUnavailable},
	} {
		ofKind(t, "", call{op: OpGetInfo}.explain(fmt.Errorf("somewhere: %w", tt.err)), tt.kind)
	}
}

// A change that was given up may be made later, but not after one that was asked
// for later.
func TestLaterChangeCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := NewSimulator(SimOptions{})
		must(t, err)
		c := sim.Client()
		defer c.Close()
		must(t, c.Do(t.Context(), AddService(Service{ID: webID}), AddRealServer(webID, NewRealServer(webRIP, DR()))))
		set := func(weight int, limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			s := NewRealServer(webRIP, DR())
			s.Weight = weight
			return c.UpdateRealServer(ctx, webID, s)
		}
		must(t, sim.Inject(SimFault{Op: OpUpdateRealServer, Delay: time.Minute}))
		var e *Error
		if err := set(1, time.Second); !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) || e.Outcome != OutcomeUnknown {
			t.Errorf("the change that is given up: %v", err)
		}
		if err := set(2, time.Second); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrStuck) || !errors.As(err, &e) || e.Outcome == OutcomeUnknown {
			t.Errorf("a later one, with too little time: %v", err)
		}
		must(t, set(3, time.Hour))
		s, err := c.RealServer(t.Context(), webID, webRIP)
		if err != nil || s.Weight != 3 {
			t.Errorf("the weight is %d, %v; the last change was to 3", s.Weight, err)
		}
	})
}

// Close during a change: what was sent may have been made, and the rest was not.
func TestClosedDuringAChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, err := NewSimulator(SimOptions{})
		must(t, err)
		c := sim.Client()
		must(t, sim.Inject(SimFault{Op: OpAddService, Delay: time.Minute}))
		time.AfterFunc(time.Second, func() { c.Close() })
		var changes []Change
		for mark := range uint32(3000) {
			changes = append(changes, AddService(Service{ID: FWMark(mark + 1)}))
		}
		var e *BatchError
		if err := c.Do(t.Context(), changes...); !errors.As(err, &e) || len(e.Failures) != len(changes) {
			t.Fatal(err)
		}
		ofKind(t, "all of it", e.Failures[0].Err, ErrClosed)
		if !errors.Is(e, ErrClosed) {
			t.Errorf("%v is not ErrClosed", e)
		}
		first, last := e.Failures[0].Err, e.Failures[len(changes)-1].Err
		if first.Outcome != OutcomeUnknown || !strings.HasSuffix(first.Error(), ": it was sent, and its outcome is unknown: the client is closed") {
			t.Errorf("the first: %v", first)
		}
		if last.Outcome == OutcomeUnknown || !strings.HasSuffix(last.Error(), ": it was not sent: the client is closed") {
			t.Errorf("the last: %v", last)
		}
		ofKind(t, "no change", c.Do(t.Context()), ErrClosed)
		time.Sleep(time.Minute) // the kernel lets go
	})
}

// A master cannot send on an interface that is down; a backup does not ask.
func TestDaemonOnAnInterfaceThatIsDown(t *testing.T) {
	sim, err := NewSimulator(SimOptions{Interfaces: []SimInterface{{Name: "eth0"}}})
	must(t, err)
	must(t, sim.network.Put(netstate.Link{Name: "eth0"}))
	c := sim.Client()
	defer c.Close()
	group := netip.MustParseAddr("ff02::81")
	for _, d := range []SyncDaemon{{Role: SyncMaster, Interface: "eth0"}, {Role: SyncMaster, Interface: "eth0", Group: group}} {
		err := c.StartSyncDaemon(t.Context(), d)
		ofKind(t, d.String(), err, ErrInvalid)
		var e *Error
		if !errors.As(err, &e) || e.Errno != ENETUNREACH || e.Field != "Interface" || !strings.Contains(e.Error(), "must be up") {
			t.Errorf("%v: %v", d, err)
		}
	}
	must(t, c.StartSyncDaemon(t.Context(), SyncDaemon{Role: SyncBackup, Interface: "eth0"}))
}
