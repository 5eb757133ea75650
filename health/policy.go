package health

import (
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Policy is how the real servers of a service are checked, and what follows from it.
// The zero value checks nothing: all servers count as working.
type Policy struct {
	// Checks are made of each server. It works if all of them say so.
	Checks []Check `json:"checks"`

	// Servers has the checks of servers that are not checked like the others. A server with
	// an empty list counts as working.
	Servers map[netip.AddrPort][]Check `json:"servers"`

	// Failed is what happens to a server that does not work; the zero value is [Quiesce].
	Failed Consequence `json:"failed"`

	// FailedServers has what happens to servers for which it is not Failed.
	FailedServers map[netip.AddrPort]Consequence `json:"failedServers"`

	// Limit is what happens when too few servers work; the zero value is nothing.
	Limit Limit `json:"limit"`

	// SlowStart is how a server that works again gets its weight; the zero value is at once.
	SlowStart SlowStart `json:"slowStart"`

	// Load is how weights follow the shares that servers report; the zero value follows
	// each report at once.
	Load Load `json:"load"`

	// SameContent reports a server whose content is not that of most others:
	// [Answer.Content]. It does not count as failed.
	SameContent bool `json:"sameContent"`
}

// Check is a probe that is repeated.
type Check struct {
	Probe Probe `json:"probe"` // what is asked; must be set
	Path  Path  `json:"path"`  // how the probe reaches the server; the zero value is [Direct]

	Interval time.Duration `json:"interval"` // between two probes of a server, which may begin a twentieth of it sooner, at most 50 ms; 0 is 2 s
	Failing  time.Duration `json:"failing"`  // the same while probes fail or the server has not risen yet; 0 is Interval
	Timeout  time.Duration `json:"timeout"`  // of a probe; 0 is 1 s, or Interval or Failing if that is less. A longer one than those delays the next probe

	Rise int `json:"rise"` // how many successes in a row make a failed server work; 0 is 2
	Fall int `json:"fall"` // how many failures in a row make a working server fail; 0 is 3
}

// Path is how probes reach a real server. Its texts are stable.
type Path string

const (
	// Direct connects to the real server's own address. It does not notice that the
	// server lacks the VIP, or that the tunnel to it is down.
	Direct Path = "direct"

	// ThroughIPVS connects to the VIP, and IPVS forwards the packets to the server as it
	// forwards those of clients, with the mode and tunnel of the real server: see
	// [TablePath].
	ThroughIPVS Path = "ipvs"
)

// Consequence is what happens to a server that failed. Its texts are stable.
type Consequence string

const (
	// Quiesce gives it weight 0: no new connections, and existing ones go on. With SH and MH
	// it keeps its place, and clients who hash to it are refused unless the service has
	// [lvs.HashFallback].
	Quiesce Consequence = "quiesce"

	// Remove removes it from the service: its connections break. When it works again, it
	// comes behind the others, because the kernel adds only there. With SH, which deals
	// clients out in that order, most of them then reach another server than before.
	Remove Consequence = "remove"
)

// Limit is how much of a service must work, and what happens below that. The zero
// value has no limit. One of Share, Count and Weight may be set.
//
// Missing are servers that failed, that ask for no connections, whose configured weight
// is 0, and those that an operator drained, or gave a share or a weight of 0. A server that
// an operator pinned to another weight works. A server that no check has decided about
// changes nothing: the limit is crossed only when the others do not suffice even with it,
// and the action ends only when enough are known to work.
type Limit struct {
	Share  float64 `json:"share"`  // of the servers, more than 0 and at most 1
	Count  int     `json:"count"`  // servers
	Weight int     `json:"weight"` // the sum of their configured weights

	// Hysteresis is how much more than the limit, in the same unit, must work before the
	// action ends; never more than all servers have.
	Hysteresis float64 `json:"hysteresis"`

	Then Action `json:"then"` // what to do below the limit

	Sorry []lvs.RealServer `json:"sorry"` // the servers that serve below the limit, for [SorryServer]
}

// Action is what is done when too few servers work. Its texts are stable.
type Action string

const (
	// KeepAll uses all servers as if they worked, but for those that an operator took out.
	// Slow start rests, so that a server that works has no less than one that failed. When
	// the action ends, servers that work have all of their weight. A failed server whose
	// last probes succeeded is used until it has risen or a probe fails.
	KeepAll Action = "keep all"

	// SorryServer uses [Limit.Sorry] in their place. Servers that an operator pinned stay.
	// When the action ends, servers that work get all of their weight together.
	SorryServer Action = "sorry server"

	// Withdraw reports that the VIP should not be announced from here: see [LimitCrossed].
	// The table stays as if there were no limit.
	Withdraw Action = "withdraw"

	// Report does nothing but report, so that a hook can act.
	Report Action = "report"
)

// SlowStart is how a server that begins to work gets its weight: in steps from From to
// all of it, over Window. It suits WRR, WLC, SED and NQ, and in quarters MH; other
// schedulers are refused.
//
// A server that begins to work after it failed, or that was not in the table, starts
// slowly, and so does one that an operator took out or that asked for no connections when
// that ends. After a restart, a server that is in the kernel's table with a part of its
// weight goes on from there. A weight below 100 cannot be divided well: while a server
// starts, the weights of all servers of the service are multiplied by [Weight.Scale], and
// their ratios stay.
type SlowStart struct {
	Window time.Duration `json:"window"` // at most 24 h; 0 gives all of the weight at once
	From   float64       `json:"from"`   // the share of its weight that it begins with; 0 is a tenth
	Curve  float64       `json:"curve"`  // the share after the part t of the window is t to the power of 1/Curve, at least From; 0.1 to 10; 0 is 1, a straight line
}

// Load is how weights follow the shares that servers report, with WRR, WLC, SED, NQ, LBLC,
// LBLCR and TWOS. With other schedulers a smaller weight gives no smaller part of the
// connections, or moves clients: there a Load is refused, and only a share of 0 counts.
//
// The first report counts at once, and so does one of 0. Of several checks that report,
// the least share counts.
type Load struct {
	DeadBand float64 `json:"deadBand"` // a share that differs by less from the one in use changes nothing; at most 1
	Slew     float64 `json:"slew"`     // how much the share in use may change a second; 0 is at once
}
