package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/golvs/lvs"
)

func TestAdvice(t *testing.T) {
	unavailable := needsIPVS
	if runtime.GOOS != "linux" {
		unavailable = needsLinux
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"no IPVS", fmt.Errorf("open: %w", lvs.ErrUnavailable), unavailable},
		{"IPVS refuses", lvs.ErrPermission, needsRoot},
		{"a namespace is refused", &os.SyscallError{Syscall: "unshare", Err: syscall.EPERM}, needsRoot},
		{"Ctrl-C", fmt.Errorf("request 3: %w", context.Canceled), "quickstart: stopped; everything that it made is removed"},
		{"anything else", errors.New("the cable broke"), "quickstart: the cable broke"},
	} {
		if got := advice(c.err); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestAdviceIsFriendly expects the command that helps, and no errno.
func TestAdviceIsFriendly(t *testing.T) {
	errno := regexp.MustCompile(`\bE[A-Z]{3,}\b|errno|operation not permitted`)
	for _, text := range []string{needsLinux, needsIPVS, needsRoot} {
		if !strings.Contains(text, "\n    go run -exec 'go run ./cmd/lvs-kernel 6.12 --' ./examples/quickstart -kernel\n") {
			t.Errorf("does not say what to run:\n%s", text)
		}
		if found := errno.FindString(text); found != "" {
			t.Errorf("mentions %q:\n%s", found, text)
		}
	}
}
