package ipvsadm

import (
	"net/netip"

	"github.com/golvs/lvs"
)

// Parser reads commands. The zero value reads addresses and ports that are numbers.
type Parser struct {
	// Names looks up hosts and ports that are not numbers; nil: they are errors.
	Names Names

	// DropPorts replaces the port of a real server behind a firewall mark by 0, without
	// -m. The kernel ignores it there, and otherwise the port is an error.
	DropPorts bool
}

// Names looks up names of hosts and ports, and the names of addresses and ports.
// All methods report false for what has none.
type Names interface {
	Addr(host string) (netip.Addr, bool)
	Port(name string, p lvs.Protocol) (uint16, bool)
	Host(a netip.Addr) (string, bool)
	PortName(port uint16, p lvs.Protocol) (string, bool) // p is 0 behind a firewall mark
}

// CommandKind is what a command does.
type CommandKind uint8

// The kinds.
const (
	CommandChange  CommandKind = iota // makes a change
	CommandList                       // -L, -l, or no arguments
	CommandSave                       // -S
	CommandRestore                    // -R
	CommandHelp                       // -h
	CommandVersion                    // -v
)

// Listed is what -L prints.
type Listed uint8

// What is listed.
const (
	ListedTable    Listed = iota // the services, or one of them
	ListedConns                  // -c
	ListedTimeouts               // --timeout
	ListedDaemons                // --daemon
)

// Command is one command with its options.
type Command struct {
	Kind   CommandKind // what it does
	Change lvs.Change  // of CommandChange
	Op     lvs.Op      // what CommandChange does; -Z has OpZeroCounters

	Listed  Listed        // what a listing prints
	Service lvs.ServiceID // the service of a listing; zero: all
	Options ListOptions   // of a listing, without Names
	Numeric bool          // -n, of a listing or -S
	Full    bool          // --full of -S, which ipvsadm does not have: what [File.MarshalText] writes
}

// Command reads the arguments of one command: those of ipvsadm, without its name. An
// error is an [*Error]; then Op and Service are those of the command, as far as it was read.
func (p Parser) Command(args ...string) (Command, error) {
	if len(args) == 0 {
		return Command{Kind: CommandList}, nil
	}
	return p.command(args, false)
}

// command reads the arguments of a command, of which there are some.
func (p Parser) command(args []string, inFile bool) (Command, error) {
	words := make([]word, len(args))
	for i, a := range args {
		words[i].text = a
	}
	r := request{Parser: p, inFile: inFile}
	ch, ok, err := r.parse(words)
	switch {
	case err != nil:
		err.Column = 0
		c := Command{Service: r.service.ID}
		if r.command != nil {
			c.Op = r.command.op
		}
		return c, err
	case ok:
		return Command{Change: ch, Op: r.command.op}, nil
	}
	return Command{
		Kind:    r.command.kind,
		Listed:  r.listed(),
		Service: r.service.ID,
		Options: r.listOptions(),
		Numeric: r.has(kindNumeric),
		Full:    r.has(kindFull),
	}, nil
}

func (r *request) listed() Listed {
	switch {
	case r.has(kindConns):
		return ListedConns
	case r.has(kindTimeouts):
		return ListedTimeouts
	case r.has(kindDaemons):
		return ListedDaemons
	}
	return ListedTable
}

// listOptions returns the options of a listing. If several columns are wanted, ipvsadm
// prints those that come first here.
func (r *request) listOptions() ListOptions {
	o := ListOptions{
		Exact:   r.has(kindExact),
		NoSort:  r.has(kindNoSort),
		NoHead:  r.has(kindService),
		Engines: r.has(kindPersistentConns),
	}
	switch {
	case r.has(kindStats):
		o.Columns = ColumnsStats
	case r.has(kindRates):
		o.Columns = ColumnsRates
	case r.has(kindThresholds):
		o.Columns = ColumnsThresholds
	case r.has(kindPersistentConns):
		o.Columns = ColumnsPersistent
	case r.has(kindTunnelInfo):
		o.Columns = ColumnsTunnel
	}
	return o
}

// endsRestore reports whether ipvsadm ends when it reads the command in a file.
func (c *command) endsRestore() bool { return c.kind >= CommandRestore }
