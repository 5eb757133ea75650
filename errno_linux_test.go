package lvs

import (
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestErrnoNames(t *testing.T) {
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		t.Log("MIPS has numbers of its own")
		return
	}
	for n := 1; n <= 140; n++ {
		want := unix.ErrnoName(unix.Errno(n))
		switch want { // the names of two that have two
		case "ENOTSUP":
			want = "EOPNOTSUPP"
		case "EFSCORRUPTED":
			want = "EUCLEAN"
		}
		if got := Errno(n).Error(); got != want && (want != "" || got[:5] != "errno") {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	for _, n := range []Errno{-1, 0, 41, 134, 1 << 30} {
		if got := n.Error(); !strings.HasPrefix(got, "errno ") {
			t.Errorf("%d: %s", int(n), got)
		}
	}
}
