package health

import (
	"fmt"
	"net/netip"

	"github.com/golvs/lvs"
)

// Event is something that happened: [ServerChanged], [LimitCrossed], [ContentDiffers],
// [ContentAgrees], [ProbeBroken] or [OverrideEnded]. Its String is a sentence for a log.
type Event interface {
	fmt.Stringer
	event() EventKind
}

// ServerChanged is a real server whose state changed.
type ServerChanged struct {
	Service lvs.ServiceID  // whose real server it is
	Server  netip.AddrPort // its address, as in the table
	Was, Is State          // before and now
	Reason  string         // why it failed; "" if it works
}

// String returns what changed, and why.
func (e ServerChanged) String() string {
	text := fmt.Sprintf("%s -> %s is %s", e.Service, e.Server, e.Is)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	return text
}

// LimitCrossed is a service in which too few servers work, or enough. The first event of a
// service says on which side of its limit it is, as soon as that is known: what is outside
// of the program, such as the announcement of a VIP, may be as an earlier program left it.
type LimitCrossed struct {
	Service lvs.ServiceID // which service
	Below   bool          // whether too few work now
	Limit   Limit         // the limit that was crossed
	Working float64       // what works, in the unit of the limit
	Needed  float64       // what must work to be on the other side, in the same unit
}

// String returns which limit was crossed, and what is done.
func (e LimitCrossed) String() string {
	if e.Below {
		return fmt.Sprintf("%s: too few servers work, %s: %s until it is %s", e.Service, e.Limit.amount(e.Working), e.Limit.Then, e.Limit.amount(e.Needed))
	}
	return fmt.Sprintf("%s: enough servers work, %s", e.Service, e.Limit.amount(e.Working))
}

// ContentDiffers is a real server that serves something else than most others.
type ContentDiffers struct {
	Service lvs.ServiceID  // whose real server it is
	Server  netip.AddrPort // its address, as in the table
	Content string         // what it serves
	Most    string         // what most others serve
}

// String returns which server differs.
func (e ContentDiffers) String() string {
	return fmt.Sprintf("%s -> %s serves other content than most servers", e.Service, e.Server)
}

// ContentAgrees is a real server that differed, and now serves what most others serve.
type ContentAgrees struct {
	Service lvs.ServiceID  // whose real server it is
	Server  netip.AddrPort // its address, as in the table
}

// String returns which server agrees again.
func (e ContentAgrees) String() string {
	return fmt.Sprintf("%s -> %s serves the same content as most servers again", e.Service, e.Server)
}

// ProbeBroken is a probe that panicked, or that did not end when it had to. That is a fault
// of the program, and counts as a failure of the server as well. It is reported once,
// until the probe behaves again.
type ProbeBroken struct {
	Service lvs.ServiceID  // one of those whose real server was asked
	Server  netip.AddrPort // the real server, with the port of the service if it has none
	Check   string         // in words, such as "http /ready"
	Problem string         // what the probe did, such as "panicked: index out of range"
	Stack   string         // where it panicked; "" if it did not
}

// String returns what the probe did.
func (e ProbeBroken) String() string {
	return fmt.Sprintf("%s -> %s: the probe %s is broken: it %s", e.Service, e.Server, e.Check, e.Problem)
}

// OverrideEnded is an override whose time has passed.
type OverrideEnded struct {
	Override Override // the override, which counts no more
}

// String returns what ended.
func (e OverrideEnded) String() string {
	return fmt.Sprintf("%s -> %s: the override %s has ended", e.Override.Service, e.Override.Server, e.Override.Kind)
}

func (ServerChanged) event() EventKind  { return KindServerChanged }
func (LimitCrossed) event() EventKind   { return KindLimitCrossed }
func (ContentDiffers) event() EventKind { return KindContentDiffers }
func (ContentAgrees) event() EventKind  { return KindContentAgrees }
func (ProbeBroken) event() EventKind    { return KindProbeBroken }
func (OverrideEnded) event() EventKind  { return KindOverrideEnded }
