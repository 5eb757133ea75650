package workload

// report returns the report of what has happened so far.
func (r *run) report() *Report {
	if r.part.Arrived > 0 || r.part.Ended > 0 {
		r.sample() // of an interrupted run
	}
	r.settleDue()
	r.endPeriod()
	w := r.Workload
	w.Duration = r.duration()
	w.Wait, w.Progress, w.Recorded = nil, nil, nil
	out := &Report{
		Name: nameOf(r.served), Workload: w, Served: r.served, Kernel: r.kernel, Duration: r.now,
		Arrived: r.arrived, Refused: r.refused, Lost: r.lost, Broken: r.broken,
		Times: r.took.times(), Disruptions: r.disruptions, Samples: r.samples,
	}
	if len(r.reasons) > 0 {
		out.Reasons = r.reasons
	}
	for _, last := range r.affinity.last {
		if last != nobody {
			out.Clients++
		}
	}
	got, active, due := make([]float64, len(r.backends)), make([]float64, len(r.backends)), make([]float64, len(r.backends))
	for i, b := range r.backends {
		b.count(0, r.now)
		if r.now > 0 {
			active[i] = b.area / r.now.Seconds()
		}
		got[i], due[i] = float64(b.connections), b.due
		out.Servers = append(out.Servers, ServerReport{
			Addr: b.Addr, Weight: b.effective(), Connections: b.connections,
			Share: ratio(b.connections, r.arrived-r.refused), Active: b.active, MeanActive: active[i], Peak: b.peak,
			Lost: b.lost, Broken: b.broken,
		})
		if b.took.n > 0 {
			out.Servers[i].MeanTime = b.took.sum / float64(b.took.n)
		}
	}
	for i, share := range shares(due) {
		out.Servers[i].Due = share
	}
	out.Imbalance, out.ActiveImbalance = perDue(got, due), perDue(active, due)
	for i := range out.Samples { // those from before a server was added
		s := &out.Samples[i]
		missing := make([]int, len(r.backends)-len(s.Active))
		s.Connections, s.Active = append(s.Connections, missing...), append(s.Active, missing...)
	}
	return out
}
