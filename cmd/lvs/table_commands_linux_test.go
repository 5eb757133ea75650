package main

import (
	"strings"
	"testing"
)

// TestTableCommandsKernel lets the kernel judge what restore, weight and drain do, and
// ipvsadm what save writes.
func TestTableCommandsKernel(t *testing.T) {
	ns, netns := kernel(t)
	expect(t, run(t, twoServices, "restore", "-netns", netns, "-"), 0, "2 services, 3 real servers: 5 steps made")
	saved := run(t, "", "save", "-netns", netns)
	expect(t, saved, 0, "-a -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 1 -x 9 -y 4\n")
	expect(t, saved, 0, "--set 100 20 30\n")
	expect(t, run(t, saved.out, "restore", "-netns", netns, "-"), 0, "nothing to do")
	ns.Dummy("eth0", "10.168.0.90/24")
	whole := strings.Replace(restoreText, "--set 100", "--set 200", 1)
	expect(t, run(t, whole+"-A -t 10.168.0.91:81 -s nosuch\n", "restore", "-netns", netns, "-"), 1, "nothing was changed")
	if after := run(t, "", "save", "-netns", netns).out; after != saved.out {
		t.Errorf("a restore that failed left\n%s\nof\n%s", after, saved.out)
	}
	expect(t, run(t, whole, "restore", "-netns", netns, "-"), 0, "nothing to do; timeouts set; 1 sync daemon started")
	expect(t, run(t, saved.out, "restore", "-netns", netns, "-"), 0, "nothing to do; timeouts set\n")
	expect(t, run(t, "", "weight", "-netns", netns, ":80", "10.168.0.94", "7"), 0, "weight 7, was 3\n")
	expect(t, run(t, "", "drain", "-netns", netns, ":80", "10.168.0.95", "-remove"), 0, "no connections")
	expect(t, run(t, "", "drain", "-netns", netns, ":53", "-no-wait"), 0, "weight 0 for 1 real server")
	ns.Commands("ipvsadm -E -u 10.168.0.91:53 -s wlc")
	got := run(t, "", "show", "-netns", netns)
	want := `SERVICE METHOD WT ACT INACT SHARE NEW/s NOTE
tcp://10.168.0.91:80 wrr 0 0 0 10.168.0.94:80 dr 7 0 0 0
udp://10.168.0.91:53 wlc 0 0 0 10.168.0.94:53 dr 0 0 0 0 off`
	if strings.Join(strings.Fields(got.out), " ") != strings.Join(strings.Fields(want), " ") {
		t.Error(got)
	}
}
