// Package health finds out which real servers work, and what that means for their
// weights. It changes no table: package director does that with what a [Monitor] says,
// and so can a program of its own.
//
//	m, err := health.New(health.Options{OnEvent: func(e health.Event) { log.Print(e) }})
//	if err != nil {
//		return err
//	}
//	err = m.Set(table, map[lvs.ServiceID]health.Policy{
//		web: {Checks: []health.Check{{Probe: health.HTTP{Path: "/ready"}}}},
//	})
//	if err != nil {
//		return err
//	}
//	return m.Run(ctx)
//
// A [Probe] asks a server once. A [Check] is a probe with its times and with how many
// answers in a row count. A [Policy] is the checks of a service and their consequences.
package health
