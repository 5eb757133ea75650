package simipvs

// counters count the traffic of a service, a server or the namespace.
type counters struct{ conns, inPackets, outPackets, inBytes, outBytes uint64 }

func (c counters) minus(base counters) counters {
	return counters{
		c.conns - base.conns, c.inPackets - base.inPackets, c.outPackets - base.outPackets,
		c.inBytes - base.inBytes, c.outBytes - base.outBytes,
	}
}

// stats are counters as the kernel tells them: what the estimator saw at its
// last pass, less what was there when they were zeroed.
type stats struct {
	live counters // what packets count
	told counters // at the last pass
	base counters // of told, when they were zeroed

	// Averages, scaled up: of connections and packets by 1024, of bytes by 32.
	cps, inPPS, outPPS, inBPS, outBPS int64

	next tick // pass of the estimator
}

// estimatorPeriod is the time between two passes.
const estimatorPeriod = 2 * second

// estimatorSlot is what threads divide the period by: each object has its own
// moment, but for 40 ms.
const estimatorSlot = second / 25

func (k *Kernel) newStats() stats {
	if k.opts.Release.EstimatorThreads() {
		return stats{next: (k.now+estimatorSlot)/estimatorSlot*estimatorSlot + estimatorPeriod}
	}
	return stats{next: k.now/estimatorPeriod*estimatorPeriod + estimatorPeriod}
}

// estimate makes the passes that are due. Nothing was counted since the last
// one that was made before now, so only the first of them finds anything.
func (k *Kernel) estimate(s *stats) {
	for s.next <= k.now && k.sysctl.runEstimation != 0 {
		d := s.live.minus(s.told)
		s.told = s.live
		approach(&s.cps, d.conns<<9)
		approach(&s.inPPS, d.inPackets<<9)
		approach(&s.outPPS, d.outPackets<<9)
		approach(&s.inBPS, d.inBytes<<4)
		approach(&s.outBPS, d.outBytes<<4)
		s.next += estimatorPeriod
		if s.cps|s.inPPS|s.outPPS|s.inBPS|s.outBPS == 0 && s.next <= k.now {
			s.next += (k.now - s.next) / estimatorPeriod * estimatorPeriod
		}
	}
}

// approach moves an average a quarter of the way to a sample.
func approach(average *int64, sample uint64) { *average += (int64(sample) - *average) >> 2 }

// published returns the counters and the rates as the kernel reports them.
func (k *Kernel) published(s *stats) (total, perSecond counters) {
	k.estimate(s)
	total = s.told.minus(s.base)
	if k.opts.ImmediateStats {
		total = s.live.minus(s.base)
	}
	return total, counters{
		uint64(s.cps+0x1ff) >> 10, uint64(s.inPPS+0x1ff) >> 10, uint64(s.outPPS+0x1ff) >> 10,
		uint64(s.inBPS+0xf) >> 5, uint64(s.outBPS+0xf) >> 5,
	}
}

// zero makes what is reported now the new zero. What was counted since the last
// pass comes back with the next one.
func (k *Kernel) zero(s *stats) {
	k.estimate(s)
	s.base = s.told
	if k.opts.ImmediateStats {
		s.base = s.live
	}
	s.cps, s.inPPS, s.outPPS, s.inBPS, s.outBPS = 0, 0, 0, 0, 0
}

// setEstimation freezes all counters, or lets them go on.
func (k *Kernel) setEstimation(on int) {
	k.eachStats(k.estimate)
	if on != 0 && k.sysctl.runEstimation == 0 {
		k.eachStats(func(s *stats) { s.next = k.newStats().next })
	}
	k.sysctl.runEstimation = on
}

func (k *Kernel) eachStats(do func(*stats)) {
	do(&k.stats)
	for s := range k.services.all() {
		do(&s.stats)
	}
	for _, d := range k.dests {
		if d != nil {
			do(&d.stats)
		}
	}
}

// countIn counts a packet to a server.
func (k *Kernel) countIn(d *dest, length int) {
	for _, s := range k.statsOf(d) {
		k.estimate(s)
		s.live.inPackets++
		s.live.inBytes += uint64(length)
	}
}

// countOut counts a packet from a server.
func (k *Kernel) countOut(d *dest, length int) {
	for _, s := range k.statsOf(d) {
		k.estimate(s)
		s.live.outPackets++
		s.live.outBytes += uint64(length)
	}
}

// countConn counts a connection that was scheduled.
func (k *Kernel) countConn(d *dest) {
	for _, s := range k.statsOf(d) {
		k.estimate(s)
		s.live.conns++
	}
}

// statsOf returns the statistics that count what a server does. The server must be in a
// service.
func (k *Kernel) statsOf(d *dest) [3]*stats {
	return [3]*stats{&d.stats, &d.svc.stats, &k.stats}
}
