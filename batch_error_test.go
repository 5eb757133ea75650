package lvs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// simulated returns a client of a new simulator, with webID and its server webRIP in
// the table.
func simulatedClient(t testing.TB) (*Simulator, *Client) {
	t.Helper()
	sim, err := NewSimulator(SimOptions{})
	must(t, err)
	c := sim.Client()
	t.Cleanup(func() { c.Close() })
	must(t, c.Do(t.Context(), AddService(Service{ID: webID}), AddRealServer(webID, NewRealServer(webRIP, DR()))))
	return sim, c
}

// batchOf returns an error as a *BatchError.
func batchOf(t testing.TB, err error) *BatchError {
	t.Helper()
	var batch *BatchError
	if !errors.As(err, &batch) {
		t.Fatalf("%v (%T) is not a *BatchError", err, err)
	}
	return batch
}

// An invalid change stops the valid ones, and the error cannot be read otherwise.
func TestInvalidChangeStopsAll(t *testing.T) {
	_, c := simulatedClient(t)
	bad := NewRealServer(webRIP2, DR())
	bad.Weight = -1
	err := c.Do(t.Context(), RemoveRealServer(webID, webRIP), AddRealServer(webID, bad), Flush())
	batch := batchOf(t, err)
	if len(batch.Failures) != 3 || batch.Total != 3 {
		t.Fatalf("%d of %d failures, want all 3", len(batch.Failures), batch.Total)
	}
	for i, want := range []Outcome{OutcomeNotSent, OutcomeRefused, OutcomeNotSent} {
		if f := batch.Failures[i]; f.Index != i || f.Err.Outcome != want || batch.Made(i) {
			t.Errorf("failure %d is of change %d, %v, made %t; want %v", i, f.Index, f.Err.Outcome, batch.Made(i), want)
		}
	}
	ofKind(t, "the first", batch.Failures[0].Err, ErrSkipped)
	ofKind(t, "the second", batch.Failures[1].Err, ErrInvalid)
	var e *Error
	if !errors.As(err, &e) || e.Field != "Weight" {
		t.Errorf("errors.As finds %v, want the invalid change's", e)
	}
	const want = "lvs: 1 of 3 changes failed, so 2 more were not made\n" +
		"\tchange 1: add real server tcp://10.1.0.1:80 -> 10.2.0.3:80: Weight: "
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v", err)
	}
	if left := Ignore(err, ErrInvalid); left == nil || !errors.Is(left, ErrSkipped) || errors.Is(left, ErrInvalid) {
		t.Errorf("without ErrInvalid there is left %v", left)
	}
	if _, err := c.RealServer(t.Context(), webID, webRIP); err != nil {
		t.Errorf("the first change was made: %v", err)
	}
}

// A batch matches what any of its failures matches, and Ignore is for all of them.
func TestBatchErrorMatchesAny(t *testing.T) {
	_, c := simulatedClient(t)
	err := c.Do(t.Context(),
		AddService(Service{ID: webID}),                                                    // 0: exists
		AddService(Service{ID: dnsID, Scheduler: "nosuch"}),                               // 1: no scheduler
		AddRealServer(dnsID, RealServer{Addr: netip.MustParseAddrPort("10.2.0.2:53")}),    // 2: so no service
		AddRealServer(webID, RealServer{Addr: webRIP2}),                                   // 3: made
		UpdateRealServer(webID, RealServer{Addr: netip.MustParseAddrPort("10.2.0.4:80")}), // 4: no such server
		AddService(Service{ID: webID, Scheduler: RR}), ZeroCounters(dnsID))                // 5: exists, 6: no service
	batch := batchOf(t, err)
	for _, kind := range []error{ErrExists, ErrScheduler, ErrNoService, ErrNoRealServer, ErrNotFound, fs.ErrNotExist, os.ErrExist, EEXIST, ESRCH} {
		if !errors.Is(err, kind) {
			t.Errorf("it does not match %v", kind)
		}
	}
	for _, kind := range []error{ErrInvalid, ErrEngine, EPERM, context.Canceled} {
		if errors.Is(err, kind) {
			t.Errorf("it matches %v", kind)
		}
	}
	for i := -1; i < 8; i++ {
		if batch.Made(i) != (i == 3) {
			t.Errorf("Made(%d) is %t", i, batch.Made(i))
		}
	}
	left := batchOf(t, Ignore(err, ErrExists, ErrNoService))
	if len(left.Failures) != 2 || left.Failures[0].Index != 1 || left.Failures[1].Index != 4 || left.Total != 7 {
		t.Errorf("left is %v", left)
	}
	left = batchOf(t, Ignore(left, ErrScheduler))
	for i := range 7 {
		if left.Made(i) != (i == 3) {
			t.Errorf("of what is left, Made(%d) is %t", i, left.Made(i))
		}
	}
	if again := Ignore(left, ErrInvalid); again != error(left) {
		t.Errorf("ignoring nothing returns %v, want the same", again)
	}
	if none := Ignore(err, ErrExists, ErrScheduler, ErrNotFound); none != nil {
		t.Errorf("ignoring everything leaves %v", none)
	}
}

// Ignore takes any error.
func TestIgnore(t *testing.T) {
	_, c := simulatedClient(t)
	single := c.AddService(t.Context(), Service{ID: webID})
	batch := c.Do(t.Context(), AddService(Service{ID: webID}), RemoveService(dnsID))
	ofKind(t, "a single change", single, ErrExists)
	other := errors.New("other")
	for _, tt := range []struct {
		name  string
		err   error
		kinds []error
		want  string // "": nothing is left
	}{
		{"nil", nil, []error{ErrExists}, ""},
		{"a match", single, []error{ErrNotFound, ErrExists}, ""},
		{"a match of an errno", single, []error{syscall.EEXIST}, ""},
		{"none", single, []error{ErrNotFound}, single.Error()},
		{"no kinds", single, nil, single.Error()},
		{"wrapped", fmt.Errorf("round 1: %w", single), []error{ErrExists}, ""},
		{"a wrapped batch", fmt.Errorf("round 1: %w", batch), []error{ErrExists}, Ignore(batch, ErrExists).Error()},
		{"a wrapped batch without a match", fmt.Errorf("round 1: %w", batch), []error{ErrInvalid}, "round 1: " + batch.Error()},
		{"a kind", ErrExists, []error{ErrExists}, ""},
		{"a kind by a more general one", ErrNoService, []error{ErrNotFound}, ""},
		{"joined", errors.Join(single, other), []error{ErrExists}, "other"},
		{"joined, all", errors.Join(single, batch), []error{ErrExists, ErrNoService}, ""},
		{"another error", other, []error{other}, ""},
	} {
		got := Ignore(tt.err, tt.kinds...)
		if said := fmt.Sprint(got); (got == nil) != (tt.want == "") || got != nil && said != tt.want {
			t.Errorf("%s: %s, want %q", tt.name, said, tt.want)
		}
	}
}

// A Do of one change fails with a *BatchError that reads as its method's *Error.
func TestDoOfOneChange(t *testing.T) {
	_, c := simulatedClient(t)
	do, method := c.Do(t.Context(), AddService(Service{ID: webID})), c.AddService(t.Context(), Service{ID: webID})
	batchOf(t, do)
	var fromDo, fromMethod *Error
	if !errors.As(do, &fromDo) || !errors.As(method, &fromMethod) || do.Error() != method.Error() || *fromDo != *fromMethod {
		t.Errorf("Do: %v\nAddService: %v", do, method)
	}
	if _, ok := method.(*Error); !ok {
		t.Errorf("AddService returns %T, want *Error", method)
	}
}

// What the context ended is known for each change.
func TestOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sim, c := simulatedClient(t)
		must(t, sim.Inject(SimFault{Op: OpAddService, LoseReply: true}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var changes []Change
		for mark := range uint32(3000) {
			changes = append(changes, AddService(Service{ID: FWMark(mark + 1)}))
		}
		batch := batchOf(t, c.Do(ctx, changes...))
		first, last := batch.Failures[0].Err, batch.Failures[len(batch.Failures)-1].Err
		if first.Outcome != OutcomeUnknown || last.Outcome != OutcomeNotSent || first.Kind() != context.DeadlineExceeded {
			t.Errorf("first: %v, of the kind %v\nlast: %v", first, first.Kind(), last)
		}
		if left := Ignore(batch, context.DeadlineExceeded); left != nil {
			t.Errorf("without the context's end there is left %v", left)
		}
	})
}

// The errnos of package syscall match ours, in the table's errors and in those of
// files and of the network.
func TestSystemErrnos(t *testing.T) {
	sim, c := simulatedClient(t)
	h := sim.Host()
	defer h.Close()
	plan, err := h.Plan(t.Context(), Setup{{Want: Sysctl{Key: "net.ipv4.ip_forward", Value: "1"}}})
	must(t, err)
	for _, tt := range []struct {
		name   string
		err    func() error
		errno  Errno
		system syscall.Errno
		kind   error
	}{
		{"a client's call", func() error { return c.AddService(t.Context(), Service{ID: webID}) }, EEXIST, syscall.EEXIST, ErrExists},
		{"a batch", func() error { return c.Do(t.Context(), RemoveService(webID), RemoveService(dnsID)) }, ESRCH, syscall.ESRCH, ErrNoService},
		{"reading a file", func() error { _, err := h.Sysctl(t.Context(), "net.ipv4.nosuch"); return err }, ENOENT, syscall.ENOENT, ErrNotFound},
		{"writing a file", func() error { return h.SetSysctl(t.Context(), "net.ipv4.ip_forward", "no") }, EINVAL, syscall.EINVAL, ErrInvalid},
		{"a read-only file", func() error {
			must(t, sim.InjectHost(SimHostFault{Resource: Sysctl{}, Errno: EROFS}))
			return h.SetSysctl(t.Context(), "net.ipv4.ip_forward", "1")
		}, EROFS, syscall.EROFS, ErrPermission},
		{"a plan", func() error {
			must(t, sim.InjectHost(SimHostFault{Errno: ENOMEM}))
			return h.Apply(t.Context(), plan)
		}, ENOMEM, syscall.ENOMEM, ErrBusy},
	} {
		err := tt.err()
		var e *Error
		if !errors.Is(err, tt.errno) || !errors.Is(err, tt.system) || !errors.As(err, &e) || e.Errno != tt.errno || errors.Is(err, syscall.EXDEV) {
			t.Errorf("%s: %v does not match %v and syscall's alone", tt.name, err, tt.errno)
		}
		ofKind(t, tt.name, err, tt.kind)
	}
}
