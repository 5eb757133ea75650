package health

import (
	"math"
	"time"
)

// maxShare is the greatest share of a server that counts.
const maxShare = 1000

// load is the share that a server asks for, as it is used. The zero value is that of a
// server that has not asked for any. It begins again with that when the server fails.
type load struct {
	share float64
	at    time.Time // of the last report; zero before the first
}

// asks reports whether the server has asked for a share.
func (l load) asks() bool { return !l.at.IsZero() }

// use returns the share in use.
func (l load) use() float64 {
	if !l.asks() {
		return 1
	}
	return l.share
}

// take follows a report, and reports whether the share in use changed. The first report
// counts at once, and so does one that asks for no connections.
func (l *load) take(asked float64, p Load, now time.Time) (changed bool) {
	was := l.use()
	l.share = p.follow(was, max(0, min(asked, maxShare)), l.elapsed(now))
	l.at = now
	return l.share != was
}

// elapsed returns the time since the last report.
func (l load) elapsed(now time.Time) time.Duration {
	if !l.asks() {
		return math.MaxInt64
	}
	return max(0, now.Sub(l.at))
}

// follow returns the share to use after one that was used for some time.
func (l Load) follow(was, asked float64, elapsed time.Duration) float64 {
	switch {
	case asked == 0:
		return 0
	case was > 0 && math.Abs(asked-was) < l.DeadBand && elapsed != math.MaxInt64:
		return was
	case l.Slew == 0 || elapsed == math.MaxInt64:
		return asked
	}
	most := l.Slew * elapsed.Seconds()
	return max(was-most, min(was+most, asked))
}

// reported returns the share that a server asks for in the answers of its checks: the
// least, if several do. What is not a number is passed over.
func reported(answers ...Answer) (share float64, ok bool) {
	for _, a := range answers {
		if a.Reported && !math.IsNaN(a.Share) && (!ok || a.Share < share) {
			share, ok = a.Share, true
		}
	}
	return share, ok
}
