package main

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
)

// A director puts the weight of its file back, so drain fails beside it, and says what to
// do. With -keep-weights, it leaves the drain alone.
func TestDrainBesideRun(t *testing.T) {
	path := file(t, "site.yaml", webSite)
	for _, flags := range [][]string{nil, {"-keep-weights"}} {
		synctest.Test(t, func(t *testing.T) {
			ctx, sim := onSimulator(t, lvs.SimOptions{Clock: time.Now})
			runWith(ctx, webSite, "apply", "-netns", "blue", "-").want(t, 2)
			for _, client := range []string{"192.0.2.1:1000", "192.0.2.1:1001", "192.0.2.1:1002", "192.0.2.1:1003"} {
				if _, err := sim.Connect(lvs.Flow{Client: addrPort(client), VIP: addrPort("10.168.0.91:80")}); err != nil {
					t.Fatal(err)
				}
			}
			directed, stop := context.WithCancel(ctx)
			ended := make(chan ran)
			go func() {
				ended <- runWith(directed, "", append([]string{"run", "-netns", "blue", path}, flags...)...)
			}()
			got := runWith(ctx, "", "drain", "-netns", "blue", ":80", "10.168.0.94", "-for", "2m")
			if flags == nil {
				got.want(t, 1, "raised the weight again, so it is not drained", "'lvs run' does so: set weight 0 in its file instead")
			} else {
				got.want(t, 2, "left at the deadline")
			}
			stop()
			(<-ended).want(t, 0)
		})
	}
}
