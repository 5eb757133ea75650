package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// The end of the kernel's module is shown, and its return. This file is the first of the
// package, so that no namespace of an earlier test, which the kernel may still be cleaning
// up, holds the module.
func TestAbsentIPVSKernel(t *testing.T) {
	ns, netns := kernel(t)
	ns.Commands("ipvsadm -A -t 10.168.0.91:80 -s rr", "ipvsadm -a -t 10.168.0.91:80 -r 10.168.0.94:80 -m")
	command := exec.Command(linkTo(t, "lvs"), "top", "-netns", netns)
	command.ExtraFiles = []*os.File{ns.File}
	command.Args[3] = "/proc/self/fd/3"
	s := onScreen(t, command)
	s.see("tcp://10.168.0.91:80", "10.168.0.94:80")
	ns.Commands("ipvsadm -C")
	s.see("there are no services")
	testbed.UnloadIPVS(t)
	s.see("modprobe ip_vs")
	testbed.LoadIPVS(t)
	ns.Commands("ipvsadm -A -t 10.168.0.92:80 -s rr")
	s.see("tcp://10.168.0.92:80")
	s.press("q")
	s.expectEnd(0)
}
