package director

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/golvs/lvs"
)

// Event is something that happened: [Drift], [Applied], [ApplyFailed], [DrainBegan],
// [DrainEnded], [Refused], [SourceBroken], [SourceRecovered], [Health], [HookFailed],
// [Overridden], [TakenBack], [OverridesBroken] or [OverridesRecovered]. Its String is a
// sentence for a log. What an event has must not be changed.
type Event interface {
	fmt.Stringer
	event()
}

// Drift is a change that another program made in scope. Of a service that was added or
// removed, the real servers are not listed. A change that was undone before the
// Director looked is not noticed, but for the place of a real server that was removed
// and added again: it comes behind the others now, and Was and Is are equal if that is
// all. Only [lvs.TableOptions.ExactOrder] repairs that.
type Drift struct {
	Service    lvs.ServiceID  // that was changed, or whose real server was
	RealServer netip.AddrPort // the zero value: the service itself

	// Was is the change that would bring back what was there, an AddService or an
	// AddRealServer; the zero value if there was nothing. Is is likewise what the other
	// program made of it.
	Was, Is lvs.Change

	Response Response // what the Director did about it
}

// moved reports whether only the place of a real server is another one.
func (d Drift) moved() bool { return d.Was.Equal(d.Is) }

func (d Drift) equal(other Drift) bool {
	return d.key() == other.key() && d.Was.Equal(other.Was) && d.Is.Equal(other.Is) && d.Response == other.Response
}

// Response is what a [Director] does about a drift. Its texts are stable.
type Response string

// The responses.
const (
	// Repaired: it is as wanted again.
	Repaired Response = "repaired"

	// Kept: it stays as the other program made it. It is not the Director's, is as
	// wanted now, or the options say so: [lvs.TableOptions.KeepWeights], no
	// [lvs.TableOptions.Prune], no [lvs.TableOptions.ExactOrder], or [Options.Shared].
	Kept Response = "kept"

	// Delayed: it was repaired before, and changed again. It will be repaired later:
	// see [Status.Retry].
	Delayed Response = "delayed"

	// Withheld: it stays for now, because the plan that would repair it was refused.
	Withheld Response = "withheld"

	// Unrepaired: repairing failed, and will be tried again.
	Unrepaired Response = "unrepaired"
)

// Applied is a plan whose steps have all been made.
type Applied struct {
	Plan lvs.TablePlan // with at least one step
}

// ApplyFailed is an attempt that failed, be it at reading the table, at planning, at
// applying or at removing what has been drained. Whatever has been made stays, and the
// Director will try again.
type ApplyFailed struct {
	Plan  lvs.TablePlan // without steps if there was none yet
	Err   error         // why it failed
	Retry time.Time     // when it tries again
}

// DrainBegan is a drain that began.
type DrainBegan struct {
	Drain lvs.Drain // what drains, and until when
}

// DrainEnded is a drain that ended: its connections were gone, its deadline passed, or
// it was taken back, by the wanted table or by another program.
type DrainEnded struct{ lvs.DrainEnd }

// Refused is a plan that was not applied, because it would remove too many real
// servers: see [Options.MaxRemoval]. The table that was applied last stays wanted.
type Refused struct {
	Plan     lvs.TablePlan // that was not applied
	Removals int           // real servers that would be removed, drained, or get weight 0, with those that are draining
	Of       int           // real servers in scope, with those that the plan adds
	Most     float64       // the share of them that may go
}

// SourceBroken is a wanted table that cannot be used: its file is missing or broken,
// or it is not valid. The last one stays wanted.
type SourceBroken struct {
	Err error // what is wrong; a [*FileError] if a file cannot be read or decoded
}

// SourceRecovered is a source that was broken and works again.
type SourceRecovered struct{}

func (Drift) event()           {}
func (Applied) event()         {}
func (ApplyFailed) event()     {}
func (DrainBegan) event()      {}
func (DrainEnded) event()      {}
func (Refused) event()         {}
func (SourceBroken) event()    {}
func (SourceRecovered) event() {}

// String returns what was changed and what was done about it.
func (d Drift) String() string {
	object := d.Service.String()
	if d.RealServer.IsValid() {
		object += " -> " + d.RealServer.String()
	}
	what := "changed it from " + settings(d.Was) + " to " + settings(d.Is)
	switch {
	case d.moved():
		what = "moved it behind others: it is " + settings(d.Is)
	case d.Was.Op() == "":
		what = "added it: " + settings(d.Is)
	case d.Is.Op() == "":
		what = "removed it: it was " + settings(d.Was)
	}
	return object + ": another program " + what + "; " + string(d.Response)
}

// settings returns what a change adds.
func settings(ch lvs.Change) string {
	if server, ok := ch.RealServer(); ok {
		return server.String()
	}
	service, _ := ch.Service()
	return service.String()
}

// String returns how many steps were made.
func (e Applied) String() string { return fmt.Sprintf("applied %s", count(len(e.Plan.Steps), "step")) }

// String returns what failed, and when it is tried again.
func (e ApplyFailed) String() string {
	return fmt.Sprintf("failed, and will be tried again at %s: %v", clock(e.Retry), e.Err)
}

// String returns what is drained, and until when.
func (e DrainBegan) String() string { return e.Drain.String() }

// String returns what would be removed, and what to do.
func (e Refused) String() string {
	return "refused: " + e.why()
}

func (e Refused) why() string {
	return fmt.Sprintf("it would take %d of %s out of service, and only a share of %g may go at once; "+
		"the table before stays wanted until this one is allowed", e.Removals, count(e.Of, "real server"), e.Most)
}

// String returns what is wrong.
func (e SourceBroken) String() string {
	return fmt.Sprintf("the last wanted table stays, because the new one cannot be used: %v", e.Err)
}

// String returns that the source works again.
func (SourceRecovered) String() string { return "the source of the wanted table works again" }

// count returns a number of things.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// clock returns a time for people.
func clock(t time.Time) string { return t.Format(time.RFC3339) }
