package lvs

import "strings"

// Op names an operation: in [Error.Op], in [Change.Op] and in [SimFault.Op]. The
// texts of the constants are stable, so they can label a metric or stand in a
// file; error messages use other words for some, which may change.
type Op string

// The operations that change the table. Each has a [Change] and a method of
// [Client].
const (
	OpAddService       Op = "add-service"
	OpUpdateService    Op = "update-service"
	OpPutService       Op = "put-service"
	OpRemoveService    Op = "remove-service"
	OpAddRealServer    Op = "add-real-server"
	OpUpdateRealServer Op = "update-real-server"
	OpPutRealServer    Op = "put-real-server"
	OpRemoveRealServer Op = "remove-real-server"
	OpZeroCounters     Op = "zero-counters"
	OpZeroAllCounters  Op = "zero-all-counters"
	OpFlush            Op = "flush"
	OpSetTimeouts      Op = "set-timeouts"
	OpStartSyncDaemon  Op = "start-sync-daemon"
	OpStopSyncDaemon   Op = "stop-sync-daemon"
)

// The operations of a client that read. OpGetRealServer and OpSnapshot consist of
// several calls of the kernel, and an error of one of those has its own Op.
const (
	OpListServices    Op = "list-services"
	OpGetService      Op = "get-service"
	OpListRealServers Op = "list-real-servers"
	OpGetRealServer   Op = "get-real-server"
	OpSnapshot        Op = "snapshot"
	OpGetTimeouts     Op = "get-timeouts"
	OpGetInfo         Op = "get-info"
	OpListSyncDaemons Op = "list-sync-daemons"
)

// The operations of clients and hosts as a whole. OpDo is a [Client.Do] without
// changes, OpDrain begins, continues or takes back a [Drain], and OpReadState and
// OpWriteState are of the file of a [TableState].
const (
	OpOpen       Op = "open"
	OpClose      Op = "close"
	OpDo         Op = "do"
	OpDrain      Op = "drain"
	OpReadState  Op = "read-state"
	OpWriteState Op = "write-state"
	OpParse      Op = "parse"    // a value in text, JSON or YAML
	OpFormat     Op = "format"   // a value as text, JSON or YAML
	OpValidate   Op = "validate" // a [Table]
)

// The operations of a [Host]. OpSetUp makes a [Setup], and OpReadHost reads what
// [Host.Check], [Host.Explain] and [SimulatorFrom] need to know.
const (
	OpSetUp       Op = "set-up"
	OpPlan        Op = "plan"
	OpApply       Op = "apply"
	OpUndo        Op = "undo"
	OpCheck       Op = "check"
	OpExplain     Op = "explain"
	OpWatch       Op = "watch"
	OpGetSysctl   Op = "get-sysctl"
	OpSetSysctl   Op = "set-sysctl"
	OpReadHost    Op = "read-host"
	OpNewIPsecKey Op = "new-ipsec-key"
)

// The operations of a [Simulator].
const (
	OpNewSimulator Op = "new-simulator"
	OpInject       Op = "inject"
	OpAdvance      Op = "advance"
	OpConnect      Op = "connect"
	OpDeliver      Op = "deliver"
)

// opWords has the words of operations whose messages read better with others.
var opWords = map[Op]string{
	OpListRealServers: "list real servers of",
	OpZeroCounters:    "zero counters of",
	OpDo:              "make changes",
	OpReadHost:        "read",
	OpNewIPsecKey:     "make IPsec key",
	OpNewSimulator:    "make simulator",
}

// words returns what an error message calls the operation.
func (op Op) words() string {
	if words, ok := opWords[op]; ok {
		return words
	}
	return strings.ReplaceAll(string(op), "-", " ")
}
