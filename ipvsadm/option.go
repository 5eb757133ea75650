package ipvsadm

import "github.com/golvs/lvs"

// option is a word of ipvsadm's command line that begins with a dash.
type option struct {
	long    string
	short   byte // 0 if it has none
	arg     argument
	absent  string                        // what an argument is that may be absent
	kind    optionSet                     // one kind; 0 for an option that may stand anywhere
	set     func(*request, string) *Error // nil for an option that only a listing has
	command *command                      // nil unless the option is a command
}

// argument says whether an option has one.
type argument uint8

const (
	noArgument argument = iota
	needsArgument
	mayHaveArgument // the next word, unless that begins with a dash
)

// optionSet has kinds of options. A command has at most one option of each kind.
type optionSet uint64

// The kinds are in the order in which ipvsadm checks whether a command may have them.
const (
	kindNumeric optionSet = 1 << iota
	kindConns
	kindService
	kindScheduler
	kindPersistent
	kindMask
	kindServer
	kindMode
	kindWeight
	kindUpper
	kindLower
	kindInterface
	kindTimeouts
	kindDaemons
	kindStats
	kindRates
	kindThresholds
	kindPersistentConns
	kindNoSort
	kindSyncID
	kindExact
	kindOnePacket
	kindEngine
	kindSchedulerFlags
	kindTunnelInfo
	kindTunnel
	kindTunnelPort
	kindNoChecksum
	kindChecksum
	kindRemoteChecksum
	kindMaxLen
	kindGroup
	kindPort
	kindTTL
	kindFull
)

// commands are the options one of which comes first.
var commands = []option{
	{long: "add-service", short: 'A', command: &addService},
	{long: "edit-service", short: 'E', command: &editService},
	{long: "delete-service", short: 'D', command: &deleteService},
	{long: "add-server", short: 'a', command: &addServer},
	{long: "edit-server", short: 'e', command: &editServer},
	{long: "delete-server", short: 'd', command: &deleteServer},
	{long: "clear", short: 'C', command: &clearTable},
	{long: "zero", short: 'Z', command: &zeroCounters},
	{long: "set", command: &setTimeouts},
	{long: "start-daemon", arg: needsArgument, set: (*request).setRole, command: &startDaemon},
	{long: "stop-daemon", arg: needsArgument, set: (*request).setRole, command: &stopDaemon},
	{long: "list", short: 'L', command: &list},
	{long: "list", short: 'l', command: &list},
	{long: "save", short: 'S', command: &save},
	{long: "restore", short: 'R', command: &restore},
	{long: "help", short: 'h', command: &help},
	{long: "version", short: 'v', command: &version},
}

// options are all others.
var options = []option{
	{long: "tcp-service", short: 't', arg: needsArgument, kind: kindService, set: serviceOf(lvs.ProtocolTCP)},
	{long: "udp-service", short: 'u', arg: needsArgument, kind: kindService, set: serviceOf(lvs.ProtocolUDP)},
	{long: "sctp-service", arg: needsArgument, kind: kindService, set: serviceOf(lvs.ProtocolSCTP)},
	{long: "fwmark-service", short: 'f', arg: needsArgument, kind: kindService, set: (*request).setMark},
	{long: "ipv6", short: '6', set: (*request).setIPv6},
	{long: "scheduler", short: 's', arg: needsArgument, kind: kindScheduler, set: (*request).setScheduler},
	{long: "persistent", short: 'p', arg: mayHaveArgument, absent: defaultPersistence, kind: kindPersistent, set: (*request).setPersistent},
	{long: "netmask", short: 'M', arg: needsArgument, kind: kindMask, set: (*request).setMask},
	{long: "pe", arg: needsArgument, kind: kindEngine, set: (*request).setEngine},
	{long: "ops", short: 'o', kind: kindOnePacket, set: (*request).setOnePacket},
	{long: "sched-flags", short: 'b', arg: needsArgument, kind: kindSchedulerFlags, set: (*request).setSchedulerFlags},

	{long: "real-server", short: 'r', arg: needsArgument, kind: kindServer, set: (*request).setServer},
	{long: "gatewaying", short: 'g', kind: kindMode, set: modeOf(lvs.DR())},
	{long: "ipip", short: 'i', kind: kindMode, set: modeOf(lvs.IPIP())},
	{long: "masquerading", short: 'm', kind: kindMode, set: modeOf(lvs.NAT())},
	{long: "weight", short: 'w', arg: needsArgument, kind: kindWeight, set: (*request).setWeight},
	{long: "u-threshold", short: 'x', arg: needsArgument, kind: kindUpper, set: (*request).setUpper},
	{long: "l-threshold", short: 'y', arg: needsArgument, kind: kindLower, set: (*request).setLower},
	{long: "tun-type", arg: needsArgument, kind: kindTunnel, set: (*request).setTunnel},
	{long: "tun-port", arg: needsArgument, kind: kindTunnelPort, set: (*request).setTunnelPort},
	{long: "tun-nocsum", kind: kindNoChecksum, set: tunnelFlagOf(0)},
	{long: "tun-csum", kind: kindChecksum, set: tunnelFlagOf(lvs.TunnelChecksum)},
	{long: "tun-remcsum", kind: kindRemoteChecksum, set: tunnelFlagOf(lvs.TunnelRemoteChecksum)},

	{long: "syncid", arg: needsArgument, kind: kindSyncID, set: (*request).setSyncID},
	{long: "mcast-interface", arg: needsArgument, kind: kindInterface, set: (*request).setInterface},
	{long: "sync-maxlen", arg: needsArgument, kind: kindMaxLen, set: (*request).setMaxLen},
	{long: "mcast-group", arg: needsArgument, kind: kindGroup, set: (*request).setGroup},
	{long: "mcast-port", arg: needsArgument, kind: kindPort, set: (*request).setPort},
	{long: "mcast-ttl", arg: needsArgument, kind: kindTTL, set: (*request).setTTL},

	{long: "numeric", short: 'n', kind: kindNumeric},
	{long: "connection", short: 'c', kind: kindConns},
	{long: "timeout", kind: kindTimeouts},
	{long: "daemon", kind: kindDaemons},
	{long: "stats", kind: kindStats},
	{long: "rate", kind: kindRates},
	{long: "thresholds", kind: kindThresholds},
	{long: "persistent-conn", kind: kindPersistentConns},
	{long: "tun-info", kind: kindTunnelInfo},
	{long: "nosort", kind: kindNoSort},
	{long: "exact", short: 'X', kind: kindExact},
	{long: "sort"},
	{long: "full", kind: kindFull}, // which ipvsadm does not have
}

// longOption returns the command or option with a name, or nil.
func longOption(name string) *option {
	return findOption(func(o *option) bool { return o.long == name })
}

// shortOption returns the command or option with a letter, or nil.
func shortOption(letter byte) *option {
	return findOption(func(o *option) bool { return o.short == letter && letter != 0 })
}

func findOption(is func(*option) bool) *option {
	for _, all := range [][]option{options, commands} {
		for i := range all {
			if is(&all[i]) {
				return &all[i]
			}
		}
	}
	return nil
}

// optionNames returns the options of some kinds, the short forms of those that have one.
func optionNames(kinds optionSet) (names []string) {
	for _, o := range options {
		switch {
		case o.kind&kinds == 0:
		case o.short != 0:
			names = append(names, "-"+string(o.short))
		default:
			names = append(names, "--"+o.long)
		}
	}
	return names
}
