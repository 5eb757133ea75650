package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// Exit statuses of the runner itself. They follow timeout(1) and env(1), so
// that they are not taken for the command's own.
const (
	exitTimeout = 124
	exitRunner  = 125
	exitNoExec  = 126
	exitNoFile  = 127
)

func main() {
	// The same binary is the runner on the host, and init and modprobe
	// inside the kernel.
	if code, ok := guestMain(os.Args); ok {
		os.Exit(code)
	}
	os.Exit(hostMain(os.Args[1:], os.Stdout, os.Stderr))
}

// hostMain is the runner. It returns the exit status of the process.
func hostMain(args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "lvs-kernel: %v\n", err)
		return exitRunner
	}
	code, err := perform(opts, stdout, stderr)
	if err != nil {
		fmt.Fprintf(stderr, "lvs-kernel: %v\n", err)
		if code == 0 {
			code = exitRunner
		}
	}
	return code
}
