package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/golvs/lvs/internal/release"
)

// An event is one line of go test -json.
type event struct {
	Action     string
	Package    string
	Test       string
	Output     string
	ImportPath string
}

// A judge follows the events of one run.
type judge struct {
	w       io.Writer
	kernel  bool
	output  map[string][]string // Of tests and packages that still run.
	skips   []string
	passed  int
	failed  int
	broken  int // Packages that failed though none of their tests did.
	inPkg   map[string]int
	release string
}

func newJudge(w io.Writer, kernel bool) *judge {
	return &judge{w: w, kernel: kernel, output: map[string][]string{}, inPkg: map[string]int{}, release: "-"}
}

// read takes in all events. A line that is none is shown as it is.
func (j *judge) read(r io.Reader) error {
	in := bufio.NewReader(r)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			j.take(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (j *judge) take(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil || e.Action == "" {
		fmt.Fprint(j.w, line)
		return
	}
	j.event(e)
}

var ranOn = regexp.MustCompile(`^lvs-kernel: Linux (\S+) \(`)

func (j *judge) event(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		if m := ranOn.FindStringSubmatch(e.Output); m != nil {
			j.release = m[1]
		}
		j.output[key] = append(j.output[key], e.Output)
	case "build-output":
		fmt.Fprint(j.w, e.Output)
	case "pass":
		if e.Test != "" {
			j.passed++
		}
		delete(j.output, key)
	case "skip":
		j.skip(e, key)
	case "fail":
		j.fail(e, key)
	}
}

// skip also gets packages without tests, which do not count.
func (j *judge) skip(e event, key string) {
	if e.Test != "" {
		j.skips = append(j.skips, strings.TrimSpace(key)+": "+reason(j.output[key]))
	}
	delete(j.output, key)
}

// reason finds why a test was skipped.
func reason(output []string) string {
	for _, o := range output {
		o = strings.TrimSpace(o)
		if o != "" && !strings.HasPrefix(o, "===") && !strings.HasPrefix(o, "---") {
			return o
		}
	}
	return "no reason given"
}

func (j *judge) fail(e event, key string) {
	if e.Test != "" {
		j.failed++
		j.inPkg[e.Package]++
	} else if j.inPkg[e.Package] == 0 {
		j.broken++
	}
	fmt.Fprintf(j.w, "--- %s\n%s", strings.TrimSpace(key), strings.Join(j.output[key], ""))
	if e.Test == "" {
		j.unfinished(e.Package)
	}
	delete(j.output, key)
}

// unfinished shows the tests that were running when their package ended: one
// that panicked or was killed has no end of its own.
func (j *judge) unfinished(pkg string) {
	for key, out := range j.output {
		if strings.HasPrefix(key, pkg+" ") && key != pkg+" " {
			fmt.Fprintf(j.w, "--- %s did not end\n%s", key, strings.Join(out, ""))
			delete(j.output, key)
		}
	}
}

// verdict says what is wrong besides the failures shown, and whether all is
// well.
func (j *judge) verdict() bool {
	ok := j.failed == 0 && j.broken == 0
	if j.kernel {
		for _, s := range j.skips {
			fmt.Fprintf(j.w, "skipped inside a kernel, where nothing may be: %s\n", s)
			ok = false
		}
		if j.release == "-" {
			fmt.Fprintln(j.w, "no kernel said that it ran")
			ok = false
		}
	}
	if j.passed+j.failed == 0 {
		fmt.Fprintln(j.w, "no test was run")
		ok = false
	}
	return ok
}

// line holds the counts. Inside a kernel a skipped test counts as failed, and
// so does a package that broke without a failed test.
func (j *judge) line() string {
	failed, skipped := j.failed+j.broken, len(j.skips)
	if j.kernel {
		failed, skipped = failed+skipped, 0
	}
	return fmt.Sprintf("%d %d %d %s %s\n", j.passed, failed, skipped, j.release, j.counting())
}

// counting names the way in which the kernel counts connections. There are two,
// and both have to be tested.
func (j *judge) counting() string {
	r, err := release.Parse(j.release)
	switch {
	case err != nil:
		return "-"
	case r.CountsTotals():
		return "newer"
	}
	return "older"
}
