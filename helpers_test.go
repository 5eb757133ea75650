package lvs

import (
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Services, and real servers of the first.
var (
	webID   = TCP(netip.MustParseAddrPort("10.1.0.1:80"))
	dnsID   = UDP(netip.MustParseAddrPort("10.1.0.1:53"))
	webRIP  = netip.MustParseAddrPort("10.2.0.2:80")
	webRIP2 = netip.MustParseAddrPort("10.2.0.3:80")
)

// must ends the test when something fails that cannot.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exactly compares services and servers as they are: their own Equal reports whether
// they mean the same to the kernel.
var exactly = cmp.Options{
	cmp.Comparer(func(a, b Service) bool { return a == b }),
	cmp.Comparer(func(a, b RealServer) bool { return a == b }),
}

func compare[T any](t testing.TB, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got, exactly); diff != "" {
		t.Errorf("%s (-want +got)\n%s", what, diff)
	}
}

// kinds are all kinds of error.
var kinds = []error{
	ErrNotFound, ErrNoService, ErrNoRealServer, ErrExists, ErrPermission, ErrUnavailable, ErrScheduler, ErrEngine, ErrUnstable, ErrStale,
	ErrInvalid, ErrSkipped, ErrStuck, ErrBusy, ErrClosed, errors.ErrUnsupported,
}

// ofKind reports an error that does not match one kind, the more general kinds that
// this one matches, and no other.
func ofKind(t testing.TB, what string, err, want error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Op == "" {
		t.Errorf("%s: %v (%T) is not an *Error that says what was attempted", what, err, err)
		return
	}
	for _, kind := range kinds {
		if is := errors.Is(want, kind); errors.Is(err, kind) != is || errors.Is(e.Kind(), kind) != is {
			t.Errorf("%s: %v, of the kind %q: it matches %q: %t; want only %q", what, err, e.Kind(), kind, errors.Is(err, kind), want)
		}
	}
}

var update = flag.Bool("update", false, "write texts into the files that hold them")

// golden compares a text with that of a file.
func golden(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(file)
	must(t, err)
	compare(t, file, string(want), got)
}
