//go:build !(linux && amd64)

package main

import (
	"fmt"
	"io"
	"runtime"
)

// perform says what the runner needs.
func perform(options, io.Writer, io.Writer) (int, error) {
	return exitRunner, fmt.Errorf("the kernels run on linux/amd64 only, and this is %s/%s", runtime.GOOS, runtime.GOARCH)
}
