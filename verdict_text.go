package lvs

import (
	"slices"
	"strconv"
)

// The text forms of what is in a verdict, as JSON has them.

// MarshalText returns the word that String returns.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the word. The error is of the kind [ErrInvalid].
func (a *Action) UnmarshalText(text []byte) error {
	for *a = ActionForwarded; *a <= ActionPassed; *a++ {
		if a.String() == string(text) {
			return nil
		}
	}
	return invalid("action", "want forwarded, replied, refused, dropped or passed on").about(OpParse, strconv.Quote(string(text)))
}

// reasonNames are what the constants are called.
var reasonNames = map[Reason]string{
	ReasonConnection: "connection", ReasonScheduled: "scheduled", ReasonPersistence: "persistence", ReasonBypass: "bypass",
	ReasonNoService: "no-service", ReasonNoServerUsable: "no-server-usable", ReasonNoServers: "no-servers",
	ReasonNoScheduler: "no-scheduler", ReasonNotOpening: "not-opening", ReasonNotPersistent: "not-persistent",
	ReasonFTPData: "ftp-data", ReasonFromFTPData: "from-ftp-data", ReasonServerRemoved: "server-removed",
	ReasonConntrack: "conntrack", ReasonDropRate: "drop-rate", ReasonConnectionLimit: "connection-limit",
	ReasonBackupOnly: "backup-only", ReasonNoMode: "no-mode",
	ReasonNotLocal: "not-local", ReasonNoRoute: "no-route", ReasonNotOnLink: "not-on-link", ReasonLoopback: "loopback",
	ReasonLinkDown: "link-down", ReasonTooLong: "too-long", ReasonNotListening: "not-listening", ReasonForwardingOff: "forwarding-off",
	ReasonNoNeighbour: "no-neighbour", ReasonFirewall: "firewall",
	ReasonNoConnection: "no-connection",
}

// MarshalText returns a short name, such as "no-server-usable" for
// [ReasonNoServerUsable].
func (r Reason) MarshalText() ([]byte, error) {
	if name, ok := reasonNames[r]; ok {
		return []byte(name), nil
	}
	return []byte(r.String()), nil
}

// UnmarshalText reads the short name. The error is of the kind [ErrInvalid].
func (r *Reason) UnmarshalText(text []byte) error {
	for reason, name := range reasonNames {
		if name == string(text) {
			*r = reason
			return nil
		}
	}
	names := make([]string, 0, len(reasonNames))
	for _, name := range reasonNames {
		names = append(names, name)
	}
	slices.Sort(names)
	return invalid("reason", "want one of %v", names).about(OpParse, strconv.Quote(string(text)))
}
