package demo

import (
	"context"
	"slices"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
)

// Direct runs a director in the world until stop is called. It checks the real servers of
// one service, of which one fails and comes back by turns, and an operator has taken
// another one out.
func (w *World) Direct() (d *director.Director, stop func(), err error) {
	host := w.Host()
	o := director.Options{Table: lvs.TableOptions{Scope: lvs.ScopeServices(web)}}
	NewBackends().Check(w, &o)
	if d, err = director.New(host.Client(), o); err == nil {
		err = d.Update(checked())
	}
	if err == nil {
		err = d.Override(health.Override{Service: web, Server: leaving, Kind: health.Drain, By: "ann", Why: "new disk"})
	}
	if err != nil {
		host.Close()
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = d.Run(ctx) // it ends with its context
	}()
	return d, func() { cancel(); <-ended; host.Close() }, nil
}

// checked returns the service that is checked, and how.
func checked() director.Update {
	t := table()
	t.Services = slices.DeleteFunc(t.Services, func(s lvs.TableService) bool { return s.ID != web })
	return director.Update{Table: t, Health: map[lvs.ServiceID]health.Policy{web: {
		Checks:    []health.Check{{Probe: health.HTTP{Path: "/ready"}, Interval: 2 * time.Second, Failing: time.Second, Rise: 2, Fall: 2}},
		SlowStart: health.SlowStart{Window: 15 * time.Second},
	}}}
}
