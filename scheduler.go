package lvs

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/wire"
)

// Scheduler is the name of a scheduling algorithm: one of the constants, or
// another of at most 15 characters. The kernel loads the module "ip_vs_"+name if
// necessary, and returns [ErrScheduler] if it cannot.
type Scheduler string

// The schedulers of Linux. A real server is usable if its weight is above zero
// and it is below its upper threshold. If several are equally good, the one that
// was added last is picked.
const (
	// RR, round robin: the usable servers in turn, regardless of weight.
	RR Scheduler = "rr"
	// WRR, weighted round robin: in turn, as often as the weights say.
	WRR Scheduler = "wrr"
	// LC, least connections: the usable server with the fewest, an active one
	// counting as much as 256 inactive ones. Weights do not count.
	LC Scheduler = "lc"
	// WLC, weighted least connections: as LC, connections divided by weight.
	WLC Scheduler = "wlc"
	// SED, shortest expected delay: the least (active + 1) / weight.
	SED Scheduler = "sed"
	// NQ, never queue: a server without active connections, else as SED.
	NQ Scheduler = "nq"
	// FO, weighted failover: the usable server with the highest weight.
	FO Scheduler = "fo"
	// OVF, weighted overflow: the highest weight, until its active connections
	// exceed its weight; then the next.
	OVF Scheduler = "ovf"
	// LBLC, locality-based least connections: the server that the destination
	// address had before, else as WLC. For caches.
	LBLC Scheduler = "lblc"
	// LBLCR, as LBLC with a set of servers for each destination address.
	LBLCR Scheduler = "lblcr"
	// DH, destination hashing: by the destination address alone.
	DH Scheduler = "dh"
	// SH, source hashing: by the client's address. See [HashFallback], [HashPort].
	SH Scheduler = "sh"
	// MH, Maglev hashing: by the client's address. Few clients move when a
	// server is added or removed. See [HashFallback], [HashPort].
	MH Scheduler = "mh"
	// TWOS, two choices: the less loaded of two that are drawn by weight. Some
	// distributions do not build it.
	TWOS Scheduler = "twos"
	// NoScheduler accepts no new connections; existing ones continue.
	NoScheduler Scheduler = "none"
)

// String returns the name.
func (s Scheduler) String() string { return string(s) }

func (s Scheduler) validate() *Error {
	return validateName("Scheduler", string(s), wire.MaxSchedulerName)
}

// validateName refuses names that a scheduler or persistence engine cannot have:
// the kernel would pass them to modprobe.
func validateName(field, name string, longest int) *Error {
	if len(name) > longest {
		return invalid(field, "%q has more than %d characters", name, longest)
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return invalid(field, "%q may have only lowercase letters, digits, - and _", name)
		}
	}
	return nil
}

// SchedulerFlags are switches of a scheduler. Bits without a name here are
// preserved.
//
// The text form is "fallback,port". The names of ipvsadm, such as "sh-fallback"
// and "flag-3", can be parsed too.
type SchedulerFlags uint32

// Switches of [SH] and [MH].
const (
	// HashFallback picks another server if the one that the client's address
	// hashes to is not usable. Without it, that client gets no server.
	HashFallback SchedulerFlags = wire.FlagSched1
	// HashPort includes the client's port in the hash, for TCP, UDP and SCTP.
	HashPort SchedulerFlags = wire.FlagSched2
)

// ownFlags are bits of the same word that do not belong to the scheduler.
const ownFlags SchedulerFlags = wire.FlagPersistent | wire.FlagHashed | wire.FlagOnePacket

const (
	flag3     = SchedulerFlags(wire.FlagSched3)
	otherFlag = "0x"
)

// String returns the text form, "" for none.
func (f SchedulerFlags) String() string {
	return f.join("fallback", "port")
}

// Names returns the flags as ipvsadm names those of a scheduler, such as
// "mh-fallback,mh-port", or "flag-1" where the scheduler has no name for them.
func (f SchedulerFlags) Names(s Scheduler) string {
	if s == SH || s == MH {
		return f.join(string(s)+"-fallback", string(s)+"-port")
	}
	return f.join("flag-1", "flag-2")
}

func (f SchedulerFlags) join(first, second string) string {
	var names []string
	for _, flag := range []struct {
		bit  SchedulerFlags
		name string
	}{{HashFallback, first}, {HashPort, second}, {flag3, "flag-3"}} {
		if f&flag.bit != 0 {
			names = append(names, flag.name)
		}
	}
	if rest := f &^ (HashFallback | HashPort | flag3); rest != 0 {
		names = append(names, otherFlag+strconv.FormatUint(uint64(rest), 16))
	}
	return strings.Join(names, ",")
}

// MarshalText returns the text form.
func (f SchedulerFlags) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// ParseSchedulerFlags parses the text form. Errors match [ErrInvalid].
func ParseSchedulerFlags(s string) (SchedulerFlags, error) {
	var f SchedulerFlags
	for name := range strings.SplitSeq(s, ",") {
		flag, ok := parseSchedulerFlag(name)
		if !ok {
			return 0, invalid("SchedulerFlags", "%q is not fallback, port, or flag-1 to flag-3", name).about(OpParse, strconv.Quote(s))
		}
		f |= flag
	}
	return f, nil
}

func parseSchedulerFlag(s string) (SchedulerFlags, bool) {
	switch s {
	case "":
		return 0, true
	case "fallback", "sh-fallback", "mh-fallback", "flag-1":
		return HashFallback, true
	case "port", "sh-port", "mh-port", "flag-2":
		return HashPort, true
	case "flag-3":
		return flag3, true
	}
	hex, ok := strings.CutPrefix(s, otherFlag)
	n, err := strconv.ParseUint(hex, 16, 32)
	return SchedulerFlags(n), ok && err == nil
}

// UnmarshalText parses text as [ParseSchedulerFlags] does.
func (f *SchedulerFlags) UnmarshalText(text []byte) (err error) {
	*f, err = ParseSchedulerFlags(string(text))
	return err
}
