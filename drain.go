package lvs

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Drain is a real server, or a whole service, whose connections are ending before it
// is removed: its weight is 0, or those of all its real servers. [Client.BeginDrain]
// and [Client.BeginServiceDrain] return one. [Client.AwaitDrains] or
// [Client.ContinueDrains] brings it to its end, and [Client.TakeBackDrain] undoes it.
//
// A Drain is data. It marshals to JSON, so that another process can continue it, in the
// time that is left until the deadline. Nothing ends a drain that no program continues.
type Drain struct {
	Service ServiceID `json:"service"` // of the real server, or the one that is removed

	// RealServer is the real server; the zero value means the whole service.
	RealServer netip.AddrPort `json:"realServer,omitzero"`

	Began    time.Time `json:"began"`    // when its weight became 0
	Deadline time.Time `json:"deadline"` // when it is removed with the connections that it has

	// WaitPersistent is [DrainOptions.WaitPersistent].
	WaitPersistent bool `json:"waitPersistent,omitempty"`

	// Before are the real servers as they were, so that the drain can be taken back.
	Before []RealServer `json:"before,omitempty"`
}

// DrainOptions says how long a drain lasts.
type DrainOptions struct {
	// Timeout is how long connections may last. Those that are left are cut then. It
	// must be more than 0: some connections never end, such as those of clients that are
	// busy.
	//
	// The kernel counts a TCP connection for two minutes after it was closed, for 10
	// seconds after a reset, and for [Timeouts.TCP] after the last packet of a client
	// that was switched off. A UDP flow counts for [Timeouts.UDP] after its last packet.
	// Datagrams of a service with OnePacket do not count.
	Timeout time.Duration

	// WaitPersistent waits also until persistence keeps no client on the real server.
	// Without it the removal of the real server ends that, and the client's next
	// connection is scheduled like a first one.
	//
	// Unless net.ipv4.vs.expire_quiescent_template is 1, each new connection of such a
	// client still reaches the real server, and keeps the client there for longer. The
	// drain of a busy service then lasts until its deadline.
	WaitPersistent bool
}

// newDrain returns the drain of a real server, or of a service if addr is the zero
// value, that begins now.
func newDrain(id ServiceID, addr netip.AddrPort, before []RealServer, o DrainOptions) Drain {
	now := time.Now().UTC().Round(0) // a wall clock, which other processes know
	return Drain{
		Service: id, RealServer: unmap(addr), Began: now, Deadline: now.Add(o.Timeout),
		WaitPersistent: o.WaitPersistent, Before: before,
	}
}

func (o DrainOptions) validate() *Error {
	if o.Timeout <= 0 {
		return invalid("Timeout", "%s is not more than 0; to remove at once, no drain is needed", o.Timeout)
	}
	return nil
}

// validate refuses what would remove something at once by mistake.
func (d *Drain) validate() *Error {
	err := requireID(d.Service)
	if err == nil && d.Deadline.IsZero() {
		err = invalid("Deadline", "must be set")
	}
	if err != nil {
		return err.about(OpDrain, d.object())
	}
	return nil
}

// object returns what is drained.
func (d *Drain) object() string {
	if d.isService() {
		return d.Service.String()
	}
	return d.Service.String() + " -> " + d.RealServer.String()
}

func (d *Drain) isService() bool { return !d.RealServer.IsValid() }

// removal returns the change that ends the drain.
func (d *Drain) removal() Change {
	if d.isService() {
		return RemoveService(d.Service)
	}
	return RemoveRealServer(d.Service, d.RealServer)
}

// String returns what is drained and until when, such as
// "tcp://10.168.0.91:80 -> 10.168.0.94:80 draining until 2026-11-27T00:05:00Z".
func (d Drain) String() string {
	return d.object() + " draining until " + d.Deadline.Format(time.RFC3339)
}

// Equal reports whether both drain the same until the same time, and would be taken back
// in the same way.
func (d Drain) Equal(other Drain) bool {
	return d.Service == other.Service && unmap(d.RealServer) == unmap(other.RealServer) &&
		d.Began.Equal(other.Began) && d.Deadline.Equal(other.Deadline) &&
		d.WaitPersistent == other.WaitPersistent && slices.EqualFunc(d.Before, other.Before, RealServer.Equal)
}

type plainDrain Drain

// UnmarshalJSON decodes a drain, without unknown fields. Errors match [ErrInvalid].
func (d *Drain) UnmarshalJSON(text []byte) error {
	var read plainDrain
	if err := unmarshalStrict("lvs.Drain", text, &read); err != nil {
		return err
	}
	*d = Drain(read)
	if err := d.validate(); err != nil {
		return err
	}
	return nil
}

// DrainReason says why a drain ended. Its texts are stable, so they can label a metric
// or stand in a file.
type DrainReason string

// The reasons.
const (
	// DrainedConns: no connection was left. The real server or service was removed.
	DrainedConns DrainReason = "no-connections"

	// DrainedDeadline: the deadline passed. The real server or service was removed, and
	// the connections that it had were cut.
	DrainedDeadline DrainReason = "deadline"

	// DrainTakenBack: a weight is not 0 any more, because another program wants the real
	// server, or one of the service's. Nothing was removed. Other real servers of the
	// service still have weight 0; [Client.TakeBackDrain] gives them back theirs.
	DrainTakenBack DrainReason = "taken-back"

	// DrainGoneAlready: another program removed the real server or service.
	DrainGoneAlready DrainReason = "gone-already"
)

// DrainEnd is how a drain ended.
type DrainEnd struct {
	Drain  Drain       `json:"drain"`  // that ended
	Reason DrainReason `json:"reason"` // "" if it has not ended
	Ended  time.Time   `json:"ended"`  // when that was noticed

	// Conns is how many connections were left at the removal, active and inactive ones.
	// They were cut: their packets are dropped from then on. While
	// net.ipv4.vs.expire_nodest_conn is 1, the kernel forgets them instead: a UDP flow
	// goes to another real server, and TCP packets reach the director itself, which
	// resets the connection.
	Conns int `json:"conns,omitempty"`

	// PersistentConns is how many clients persistence kept on the real server. Their
	// next connections are scheduled like first ones.
	PersistentConns int `json:"persistentConns,omitempty"`
}

// String returns what was drained, why that ended and how long it took, such as
// "tcp://10.168.0.91:80 -> 10.168.0.94:80 removed after 1m0s, at the deadline: 2 connections cut".
func (e DrainEnd) String() string {
	took := e.Ended.Sub(e.Drain.Began).Round(time.Millisecond)
	switch e.Reason {
	case "":
		return e.Drain.String()
	case DrainedConns:
		return fmt.Sprintf("%s drained in %s: no connections left", e.Drain.object(), took)
	case DrainedDeadline:
		return fmt.Sprintf("%s removed after %s, at the deadline: %s cut", e.Drain.object(), took, quantity(e.Conns, "connection"))
	case DrainTakenBack:
		return fmt.Sprintf("%s is wanted again after %s", e.Drain.object(), took)
	case DrainGoneAlready:
		return fmt.Sprintf("%s was removed by another program after %s", e.Drain.object(), took)
	}
	return fmt.Sprintf("%s ended after %s: %s", e.Drain.object(), took, e.Reason)
}

// Equal reports whether both are the same end of the same drain.
func (e DrainEnd) Equal(other DrainEnd) bool {
	return e.Drain.Equal(other.Drain) && e.Reason == other.Reason && e.Ended.Equal(other.Ended) &&
		e.Conns == other.Conns && e.PersistentConns == other.PersistentConns
}

// UnmarshalJSON decodes an end, without unknown fields. Errors match [ErrInvalid].
func (e *DrainEnd) UnmarshalJSON(text []byte) error {
	type plain DrainEnd
	return unmarshalStrict("lvs.DrainEnd", text, (*plain)(e))
}
