package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// refuses returns an error if a plan takes too large a share of the real servers in scope
// out of service.
func (t *tableFlags) refuses(ctx context.Context, client *lvs.Client, plan lvs.TablePlan) (refused, err error) {
	now, err := client.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	var drains []lvs.Drain
	if t.state != "" {
		last, err := lvs.ReadTableState(t.state)
		if err != nil {
			return nil, err
		}
		drains = last.Drains
	}
	begun, gone, of := removals(plan, now, drains)
	if begun == 0 || float64(gone) <= t.most*float64(of) {
		return nil, nil
	}
	return fmt.Errorf("it would take %d of %s out of service, and only a share of %v may go at once. "+
		"If that is meant, add -max-removal 1", gone, count(of, "real server"), t.most), nil
}

// serverKey is a real server of a service.
type serverKey struct {
	service lvs.ServiceID
	server  netip.AddrPort
}

// removals counts the real servers that a plan takes out of service, as package director
// does: those that its steps remove, drain or give weight 0, the same with those that are
// draining, and all in scope with those that it adds.
func removals(plan lvs.TablePlan, now lvs.Snapshot, drains []lvs.Drain) (begun, gone, of int) {
	inScope, want := map[lvs.ServiceID]bool{}, map[serverKey]bool{}
	for _, s := range plan.Want.Services {
		inScope[s.ID] = true
		for _, r := range s.RealServers {
			want[serverKey{s.ID, r.Addr}] = true
		}
	}
	for _, id := range plan.Unwanted {
		inScope[id] = true
	}
	out := map[serverKey]bool{}
	for _, step := range plan.Steps {
		id := step.Change.ServiceID()
		inScope[id] = true
		switch step.Change.Op() {
		case lvs.OpAddRealServer:
			of++
		case lvs.OpRemoveRealServer:
			out[serverKey{id, step.Change.RealServerAddr()}] = true
		case lvs.OpRemoveService:
			for _, r := range step.RealServers {
				out[serverKey{id, r.Addr}] = true
			}
		case lvs.OpUpdateRealServer:
			was, _ := step.Was.RealServer()
			if is, _ := step.Change.RealServer(); was.Weight > 0 && is.Weight == 0 {
				out[serverKey{id, is.Addr}] = true
			}
		}
	}
	begun = len(out)
	for _, s := range now.Services {
		if !inScope[s.ID] {
			continue
		}
		of += len(s.RealServers)
		for _, r := range s.RealServers {
			if key := (serverKey{s.ID, r.Addr}); r.Weight == 0 && !want[key] && isDrained(drains, key) {
				out[key] = true
			}
		}
	}
	return begun, len(out), of
}

// isDrained reports whether a drain is about a real server.
func isDrained(drains []lvs.Drain, key serverKey) bool {
	for _, d := range drains {
		if d.Service == key.service && (!d.RealServer.IsValid() || d.RealServer == key.server) {
			return true
		}
	}
	return false
}
