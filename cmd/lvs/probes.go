package main

import (
	"flag"
	"slices"

	"github.com/golvs/lvs"
)

// probesFlag defines a flag that shows services of health checks.
func probesFlag(f *flag.FlagSet, show *bool) {
	f.BoolVar(show, "probes", false, "show the services that carry health checks through IPVS, too")
}

// withoutProbes returns a table without the services that carry health checks.
func withoutProbes(table lvs.Snapshot) lvs.Snapshot {
	table.Services = slices.DeleteFunc(table.Services, func(e lvs.ServiceEntry) bool { return e.ID.IsProbe() })
	return table
}
