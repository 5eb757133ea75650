package healthtest

import (
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// Behaviour is what a server does with its clients. [Answer], [Hang], [BlackHole],
// [Refuse], [Reset], [Slow], [Status], [Endless], [Flap], [NoVIP] and [TunnelDown] return
// behaviours; the zero value answers. The text form is "answer", "hang", "blackhole",
// "refuse", "reset", "slow 2s", "status 500", "endless", "flap 2s", "novip" or
// "tunneldown".
type Behaviour struct {
	kind kind
	time time.Duration // of slow and flap
	code int           // of status
}

type kind uint8

const (
	answers kind = iota
	hangs
	blackHole
	refuses
	resets
	slow
	status
	endless
	flaps
	noVIP
	tunnelDown
)

var kindNames = [...]string{
	answers: "answer", hangs: "hang", blackHole: "blackhole", refuses: "refuse", resets: "reset", slow: "slow",
	status: "status", endless: "endless", flaps: "flap", noVIP: "novip", tunnelDown: "tunneldown",
}

// Answer is a server that works.
func Answer() Behaviour { return Behaviour{} }

// Hang is a server whose kernel works and whose program does not: connections are
// accepted, and nothing is ever said on them.
func Hang() Behaviour { return Behaviour{kind: hangs} }

// BlackHole is a host that is gone: nothing comes back, not even an error.
func BlackHole() Behaviour { return Behaviour{kind: blackHole} }

// Refuse is a host whose program has ended: new connections are refused, and open ones
// are reset.
func Refuse() Behaviour { return Behaviour{kind: refuses} }

// Reset is a server that accepts connections and resets them at once, open ones included.
// Its UDP works.
func Reset() Behaviour { return Behaviour{kind: resets} }

// Slow is a server that says nothing on a new connection for a time, and then works. Each
// answer over UDP comes later by that time.
func Slow(d time.Duration) Behaviour { return Behaviour{kind: slow, time: d} }

// Status is a server that answers HTTP requests with a status code, 100 to 599. What is
// not HTTP works.
func Status(code int) Behaviour { return Behaviour{kind: status, code: code} }

// Endless is a server that sends without end, a megabyte a second: the body of each HTTP
// answer, or on each new connection if it does not speak HTTP. Its UDP works.
func Endless() Behaviour { return Behaviour{kind: endless} }

// Flap is a server that refuses for a time, answers for as long, and so on.
func Flap(d time.Duration) Behaviour { return Behaviour{kind: flaps, time: d} }

// NoVIP is a server that works at its own address but lacks the VIP: packets that IPVS
// forwards to it are lost, unless the mode is [lvs.NAT].
func NoVIP() Behaviour { return Behaviour{kind: noVIP} }

// TunnelDown is a server that works at its own address but does not unpack the packets
// that IPVS sends through a tunnel.
func TunnelDown() Behaviour { return Behaviour{kind: tunnelDown} }

// Serves reports whether clients get a whole answer when IPVS forwards their packets in a
// mode. For clients of the server's own address, mode is [lvs.NAT]. A slow server serves,
// and so does one with a [Status].
func (b Behaviour) Serves(mode lvs.Mode) bool {
	switch b.on(mode) {
	case answers, slow, status:
		return true
	}
	return false
}

// Delay returns how long a [Slow] server says nothing, and 0 for others.
func (b Behaviour) Delay() time.Duration {
	if b.kind == slow {
		return b.time
	}
	return 0
}

// on returns what clients notice whose packets come in a mode.
func (b Behaviour) on(mode lvs.Mode) kind {
	switch {
	case b.kind == noVIP && mode != lvs.NAT(), b.kind == tunnelDown && mode.IsTunnel():
		return blackHole
	case b.kind == noVIP || b.kind == tunnelDown:
		return answers
	}
	return b.kind
}

// String returns the text form.
func (b Behaviour) String() string {
	if int(b.kind) >= len(kindNames) {
		return "behaviour-" + strconv.Itoa(int(b.kind))
	}
	text := kindNames[b.kind]
	switch b.kind {
	case slow, flaps:
		text += " " + b.time.String()
	case status:
		text += " " + strconv.Itoa(b.code)
	}
	return text
}

// ParseBehaviour reads the text form. The error is an [*InvalidError].
func ParseBehaviour(s string) (b Behaviour, err error) {
	name, argument, has := strings.Cut(strings.TrimSpace(s), " ")
	known := false
	for i, n := range kindNames {
		if n == name {
			b.kind, known = kind(i), true
		}
	}
	argument = strings.TrimSpace(argument)
	switch {
	case !known:
		return Behaviour{}, invalid("Behaviour", "%q is not one of %s", name, strings.Join(kindNames[:], ", "))
	case b.kind == slow || b.kind == flaps:
		b.time, err = time.ParseDuration(argument)
	case b.kind == status:
		b.code, err = strconv.Atoi(argument)
	case has:
		return Behaviour{}, invalid("Behaviour", "%q has nothing behind it, not %q", name, argument)
	}
	if err != nil {
		return Behaviour{}, invalid("Behaviour", `%q is not like "slow 2s", "flap 2s" or "status 500"`, s)
	}
	if err := b.validate("Behaviour"); err != nil {
		return Behaviour{}, err
	}
	return b, nil
}

func (b Behaviour) validate(field string) error {
	switch {
	case (b.kind == slow || b.kind == flaps) && b.time <= 0:
		return invalid(field, "the time of %q must be more than 0", b)
	case b.kind == status && (b.code < 100 || b.code > 599):
		return invalid(field, "the code of %q must be 100 to 599", b)
	}
	return nil
}

// MarshalText returns the text form.
func (b Behaviour) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText reads the text form; an empty text is the zero value.
func (b *Behaviour) UnmarshalText(text []byte) (err error) {
	*b = Behaviour{}
	if len(text) > 0 {
		*b, err = ParseBehaviour(string(text))
	}
	return err
}
