//go:build !linux

package genl

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// ErrNotNamespace means that a file is not a network namespace.
var ErrNotNamespace = errors.New("not a network namespace")

// NewDialer returns an error: there is no netlink here.
func NewDialer(*os.File) (Dialer, func() error, error) {
	return nil, nil, fmt.Errorf("%w: no netlink on %s/%s", ErrNoFamily, runtime.GOOS, runtime.GOARCH)
}
