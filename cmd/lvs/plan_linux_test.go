package main

import (
	"strings"
	"testing"
)

// A real kernel becomes what a file says, once, and a drain ends at its deadline.
func TestPlanAndApplyKernel(t *testing.T) {
	ns, netns := kernel(t)
	ns.Commands("ipvsadm -A -t 10.168.0.91:80 -s rr")
	saved := run(t, webSite, "plan", "-netns", netns, "-o", "json", "-")
	saved.want(t, 2)
	run(t, webSite, "plan", "-netns", netns, "-").want(t, 2, "~ tcp://10.168.0.91:80 scheduler rr → wrr", "at once: of 0 clients")
	run(t, webSite, "apply", "-netns", netns, "-rollback", "-").want(t, 2, "3 steps made")
	if got := ns.Run("ipvsadm", "-S", "-n"); !strings.Contains(got, "-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3") {
		t.Error(got)
	}
	run(t, webSite, "apply", "-netns", netns, "-").want(t, 0, "nothing to do")
	run(t, saved.out, "apply", "-netns", netns, "-").want(t, 0)
	ns.Commands("ipvsadm -e -t 10.168.0.91:80 -r 10.168.0.95:80 -g -w 7")
	run(t, saved.out, "apply", "-netns", netns, "-").want(t, 1, "other programs have changed", "lvs plan -o json")
	before := run(t, "", "save", "-netns", netns).out
	more := webSite + `- {id: udp://10.168.0.91:53, scheduler: rr, realServers: [{addr: "10.168.0.94:53"}]}` + "\n- {id: tcp://10.168.0.91:81, scheduler: nosuch}\n"
	run(t, more, "apply", "-netns", netns, "-rollback", "-").want(t, 1, `the kernel has no scheduler "nosuch"`, "what was done was taken back, and the table is as before")
	if after := run(t, "", "save", "-netns", netns).out; after != before {
		t.Errorf("a rollback left\n%s\nof\n%s", after, before)
	}
	run(t, more, "apply", "-netns", netns, "-").want(t, 1, "refused: + tcp://10.168.0.91:81 nosuch", "What is done stays")
	run(t, before, "restore", "-netns", netns, "-").want(t, 0, "2 steps made")
	less := strings.Replace(webSite, `  - {addr: "10.168.0.95:80", mode: dr}`+"\n", "", 1)
	run(t, less, "apply", "-netns", netns, "-drain", "1m", "-").want(t, 2, "1 drain began", "no connections left")
	run(t, "version: 1\nservices: []\n", "apply", "-netns", netns, "-scope", "all", "-prune", "-").want(t, 1, "-max-removal 1")
	run(t, "version: 1\nservices: []\n", "apply", "-netns", netns, "-scope", "all", "-prune", "-max-removal", "1", "-").want(t, 2, "1 step made")
}
