package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// savedTable has services with ten real servers each.
func savedTable(services int) string {
	var b strings.Builder
	for i := range services {
		vip := fmt.Sprintf("10.1.%d.%d:80", i>>8, i&255)
		fmt.Fprintf(&b, "-A -t %s -s wlc\n", vip)
		for j := range 10 {
			fmt.Fprintf(&b, "-a -t %s -r 10.2.%d.%d:80 -m -w 1\n", vip, i&255, j+1)
		}
	}
	return b.String()
}

// BenchmarkIpvsadm starts ipvsadm and this program in turn, on a table of 1,000 services
// with ten real servers each.
func BenchmarkIpvsadm(b *testing.B) {
	testbed.InKernel(b)
	ns := testbed.New(b)
	saved := savedTable(1000)
	feed(b, ns, saved, "ipvsadm", "-R")
	for _, work := range []struct{ name, args string }{
		{"start", "-v"},
		{"restore-11000", "-R"},
		{"save-11000", "-S -n"},
		{"list-11000", "-Ln"},
	} {
		for _, program := range []string{"/usr/sbin/ipvsadm", linkTo(b, "ipvsadm")} {
			name := "ipvsadm"
			if !strings.HasPrefix(program, "/usr/") {
				name = "lvs"
			}
			b.Run(work.name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					at := ns
					if work.args == "-R" {
						b.StopTimer()
						at = testbed.New(b) // the kernel is slow where it has just removed a table
						b.StartTimer()
					}
					feed(b, at, saved, program, strings.Fields(work.args)...)
				}
			})
		}
	}
}

// feed runs a program in a namespace with a text as its input.
func feed(t testing.TB, ns *testbed.Namespace, stdin, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.Do(cmd.Run); err != nil {
		t.Fatalf("%s %q: %v: %.500s", program, args, err, out.String())
	}
	return out.String()
}
