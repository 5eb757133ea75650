package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The guest's init reports to the runner in lines of text, each a word and
// its value:
//
//	release 6.12.101   the kernel's release, once init runs
//	start              the command was started
//	error TEXT         init could not do its work
//	exit 3             the command's exit status; the last line

// A report is what the guest's init has said.
type report struct {
	release string
	started bool
	failure string
	exited  bool
	status  int
}

// line adds one line to the report.
func (r *report) line(s string) error {
	word, value, _ := strings.Cut(strings.TrimRight(s, "\r\n"), " ")
	switch word {
	case "release":
		r.release = value
	case "start":
		r.started = true
	case "error":
		r.failure = value
	case "exit":
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 || n > 255 {
			return fmt.Errorf("guest reported the exit status %q, which is not a number from 0 to 255", value)
		}
		r.exited, r.status = true, n
	default:
		return fmt.Errorf("guest reported an unknown line %q", s)
	}
	return nil
}

// readReport reads lines until the guest has reported an exit status or its
// end of the line is closed, and calls seen after each.
func readReport(r io.Reader, seen func(report)) (report, error) {
	var rep report
	s := bufio.NewScanner(r)
	for s.Scan() {
		if err := rep.line(s.Text()); err != nil {
			return rep, err
		}
		seen(rep)
		if rep.exited {
			return rep, nil
		}
	}
	return rep, s.Err()
}
