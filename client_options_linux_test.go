package lvs

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"testing"
)

// Files that are not namespaces are refused with the name of the option, whatever is
// wrong with them.
func TestNamespaceFileRefused(t *testing.T) {
	closed, err := os.Open("/proc/self/ns/net")
	must(t, err)
	must(t, closed.Close())
	uts, err := os.Open("/proc/self/ns/uts")
	must(t, err)
	defer uts.Close()
	for name, c := range map[string]struct {
		file *os.File
		want error
	}{
		"nil": {nil, os.ErrInvalid}, "closed": {closed, os.ErrClosed}, "of another kind": {uts, ErrInvalid},
	} {
		client, host := openBoth(context.Background(), InNamespaceFile(c.file))
		for _, err := range []error{client, host} {
			var e *Error
			if !errors.As(err, &e) || e.Field != "InNamespaceFile" || !errors.Is(err, ErrInvalid) || !errors.Is(err, c.want) {
				t.Errorf("a file that is %s: %v", name, err)
			}
		}
	}
	if _, err := uts.Stat(); err != nil {
		t.Errorf("the caller's file was closed: %v", err)
	}
}

// The option keeps its file alive, and the caller's file stays open.
func TestNamespaceFileStaysAlive(t *testing.T) {
	option := func() Option {
		f, err := os.Open("/proc/self/ns/net")
		must(t, err)
		return InNamespaceFile(f)
	}()
	for range 3 {
		runtime.GC()
		h, err := OpenHost(context.Background(), option)
		must(t, err)
		if _, err := h.Sysctl(context.Background(), SysctlIPForward); err != nil {
			t.Error(err)
		}
		must(t, h.Close())
	}
}

// noFiles is a host without the files of IPVS.
type noFiles struct{ files }

func (noFiles) ReadFile(string) ([]byte, error) { return nil, os.ErrNotExist }

func (noFiles) Open(string) (io.ReadCloser, error) { return nil, os.ErrNotExist }

func TestConnectionsWithoutIPVS(t *testing.T) {
	_, h := simulatedHost(t)
	h.guard.files = noFiles{h.guard.files}
	_, err := CollectConnections(h.Connections(t.Context(), ConnectionFilter{}))
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}
