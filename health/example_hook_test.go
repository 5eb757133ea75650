package health_test

import (
	"context"
	"log"
	"sync"

	"github.com/golvs/lvs/health"
)

// A program of the site's withdraws a route when too few servers work.
func ExampleHook() {
	ctx := context.Background()
	hook, err := health.NewHook(health.HookOptions{
		Path:   "/etc/lvs/announce",
		Events: []health.EventKind{health.KindLimitCrossed},
	}, func(err error) { log.Print(err) })
	if err != nil {
		log.Fatal(err)
	}
	monitor, err := health.New(health.Options{OnEvent: hook.OnEvent})
	if err != nil {
		log.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() { _ = hook.Run(ctx) })
	both.Go(func() { _ = monitor.Run(ctx) })
	both.Wait()
}
