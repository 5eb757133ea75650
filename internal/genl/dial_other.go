//go:build !linux

package genl

import (
	"fmt"
	"runtime"
)

// Dial returns an error: only Linux has netlink.
func Dial() (Socket, error) {
	return nil, fmt.Errorf("%w: no netlink on %s/%s", ErrNoFamily, runtime.GOOS, runtime.GOARCH)
}
