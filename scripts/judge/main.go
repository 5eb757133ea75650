// Command judge reads what go test -json writes, shows the output of what
// failed, and counts. scripts/test runs it.
//
//	go test -json ./... | judge -counts FILE [-kernel]
//
// It fails when a test failed and when no test was run. With -kernel it fails
// for a test that was skipped too: in a kernel everything can be run, so that
// a test skipped there is one that is never run. To FILE it writes one line:
// the numbers of tests that passed, failed and were skipped, the release of
// the kernel that lvs-kernel -v has named, or "-", and the way in which it
// counts connections, "older" or "newer".
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	counts := flag.String("counts", "", "write the counts to this `file`")
	kernel := flag.Bool("kernel", false, "a skipped test is a failure")
	flag.Parse()
	j := newJudge(os.Stdout, *kernel)
	if err := j.read(os.Stdin); err != nil {
		fmt.Fprintf(os.Stderr, "judge: %v\n", err)
		os.Exit(2)
	}
	ok := j.verdict()
	if *counts != "" {
		if err := os.WriteFile(*counts, []byte(j.line()), 0o644); err != nil {
			fmt.Fprintf(os.Stderr, "judge: %v\n", err)
			os.Exit(2)
		}
	}
	if !ok {
		os.Exit(1)
	}
}
