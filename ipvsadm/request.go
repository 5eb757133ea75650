package ipvsadm

import (
	"cmp"
	"math"
	"math/bits"
	"net/netip"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// What ipvsadm assumes, and the most that it accepts.
const (
	defaultPersistence = "360" // seconds, of -p without a number
	defaultInterface   = "eth0"
	longestTimeout     = 31 * 24 * 60 * 60 // seconds
	longestMessage     = 65535 - 20 - 8    // bytes, of a sync daemon
	mostConns          = math.MaxInt32     // of a weight or threshold
)

// request is a command with its options, as far as they have been read.
type request struct {
	scanner
	Parser
	inFile  bool      // it is a line of a file
	command *command  // once it was read
	illegal *Error    // of the first option that the command does not have
	kinds   optionSet // that were given
	columns [65]int   // of the values of options, by the bit of their kind; the last is that of none

	service     lvs.Service
	flagNames   string // of the scheduler
	ignoresMask bool   // because ipvsadm read the mask before it knew of IPv6

	server      lvs.RealServer
	tunnel      string
	tunnelPort  uint16
	tunnelFlags lvs.TunnelFlags

	daemon lvs.SyncDaemon
}

func newRequest(words []word, p Parser, inFile bool) request {
	return request{
		scanner: scanner{words: words},
		Parser:  p,
		inFile:  inFile,
		service: lvs.Service{Scheduler: lvs.WLC},
		server:  lvs.RealServer{Weight: 1},
		daemon:  lvs.SyncDaemon{Interface: defaultInterface},
	}
}

// has reports whether an option of one of the kinds was given.
func (r *request) has(kinds optionSet) bool { return r.kinds&kinds != 0 }

// column returns where the value of an option of a kind is, or 0.
func (r *request) column(kind optionSet) int { return r.columns[bits.TrailingZeros64(uint64(kind))] }

// finishService returns the service of -A or -E.
func (r *request) finishService() (lvs.Service, *Error) {
	s := r.service
	s.SchedulerFlags, _ = schedulerFlags(s.Scheduler, r.flagNames) // see complete
	switch {
	case r.ignoresMask && s.ID.Is6():
		return s, errorf("stands before the IPv6 service, and ipvsadm would ignore it").or("put it behind the service").at("-M", r.column(kindMask))
	case s.Persistence.Timeout == 0 && s.ID.FWMark() == 0 && s.ID.AddrPort().Port() == 0:
		return s, errorf("a service on port 0, or without a port, receives packets for every port").or("it needs -p").
			says("Zero port specified for non-persistent service").at("", r.column(kindService))
	}
	if s.Persistence.Timeout == 0 {
		s.Persistence.Mask = lvs.Mask{} // which has no effect
	}
	return s, nil
}

// finishServer returns the real server of -a or -e.
func (r *request) finishServer() (lvs.RealServer, *Error) {
	s := r.server
	if s.Addr.Addr().Is6() != r.service.ID.Is6() && s.Mode != lvs.IPIP() {
		return s, errorf("a real server has another address family than its service only behind a tunnel").or("add -i").
			says("Different address family is allowed only for tunneling servers").at("-r", r.column(kindServer))
	}
	if s.Mode == lvs.IPIP() {
		mode, err := r.tunnelMode()
		if err != nil {
			return s, err
		}
		s.Mode = mode
	} else if r.has(tunnelOptions) {
		return s, errorf("a tunnel needs -i").says("Tunnel options conflict with forward method")
	}
	if (r.service.ID.FWMark() == 0 || r.DropPorts) && s.Mode != lvs.NAT() {
		s.Addr = netip.AddrPortFrom(s.Addr.Addr(), r.service.ID.AddrPort().Port())
	}
	return s, nil
}

// tunnelMode returns the mode of a server with -i.
func (r *request) tunnelMode() (lvs.Mode, *Error) {
	var mode lvs.Mode
	var may optionSet
	switch cmp.Or(r.tunnel, "ipip") {
	case "ipip":
		mode = lvs.IPIP()
	case "gre":
		mode, may = lvs.GRE(r.tunnelFlags), kindNoChecksum|kindChecksum
	case "gue":
		mode, may = lvs.GUE(r.tunnelPort, r.tunnelFlags), kindTunnelPort|kindNoChecksum|kindChecksum|kindRemoteChecksum
		if r.tunnelPort == 0 {
			return mode, errorf("gue needs --tun-port").says("You need to supply the 'tun-port' option for the 'gue' tunnel type").
				at("--tun-type", r.column(kindTunnel))
		}
	}
	const checksums = kindNoChecksum | kindChecksum | kindRemoteChecksum
	excess := r.kinds & tunnelOptions &^ kindTunnel &^ may
	switch given := r.kinds & checksums; {
	case excess != 0:
		names := strings.Join(optionNames(excess), ", ")
		return mode, errorf("%s does not have %s", mode.Name(), names).
			says("Illegal '%s' option with the '%s' tunnel type", kindName(excess&-excess), cmp.Or(r.tunnel, "ipip")).at("", r.column(excess))
	case given&(given-1) != 0: // more than one
		first := given & -given
		second := (given &^ first) & -(given &^ first)
		return mode, repeated(checksums).
			says("The option '%s' conflicts with the '%s' option in the '%s' tunnel type", kindName(second), kindName(first), r.tunnel)
	}
	return mode, nil
}

// finishTimeouts returns the change of --set.
func (r *request) finishTimeouts() (lvs.Change, *Error) {
	var seconds [3]time.Duration
	for i, w := range r.rest[:len(seconds)] {
		n, err := number(w.text, 0, longestTimeout)
		if err != nil {
			return lvs.Change{}, err.says("invalid timeout value `%s' specified", w.text).at("--set", w.column)
		}
		seconds[i] = time.Duration(n) * time.Second
	}
	return lvs.SetTimeouts(lvs.Timeouts{TCP: seconds[0], TCPFin: seconds[1], UDP: seconds[2]}), nil
}

// serviceOf returns the setter of -t and its like.
func serviceOf(p lvs.Protocol) func(*request, string) *Error {
	return func(r *request, value string) *Error {
		addr, err := r.addrPort(value, 0, p)
		r.service.ID = lvs.NewServiceID(p, addr)
		return err
	}
}

func (r *request) setMark(value string) *Error {
	mark, err := fwMark(value)
	r.service.ID = lvs.FWMark(mark)
	return err
}

func (r *request) setIPv6(string) *Error {
	mark := r.service.ID.FWMark()
	if mark == 0 {
		return errorf("belongs to a firewall mark").or("put it behind -f")
	}
	r.service.ID = lvs.FWMark6(mark)
	return nil
}

func (r *request) setScheduler(value string) *Error {
	r.service.Scheduler = cmp.Or(lvs.Scheduler(value), lvs.WLC)
	return unknownModule(checkName(value))
}

// unknownModule adds what ipvsadm says of a name that the kernel does not know.
func unknownModule(err *Error) *Error {
	if err != nil {
		err.aborts("Scheduler or persistence engine not found")
	}
	return err
}

func (r *request) setPersistent(value string) *Error {
	n, err := number(value, 1, longestTimeout)
	r.service.Persistence.Timeout = time.Duration(n) * time.Second
	return err
}

func (r *request) setMask(value string) (err *Error) {
	is6 := r.service.ID.Is6()
	r.ignoresMask = !is6
	r.service.Persistence.Mask, err = mask(value, is6)
	return err
}

func (r *request) setEngine(value string) *Error {
	r.service.Persistence.Engine = value
	return unknownModule(checkName(value))
}

func (r *request) setOnePacket(string) *Error {
	r.service.OnePacket = true
	return nil
}

func (r *request) setSchedulerFlags(value string) *Error {
	r.flagNames = value // what they may be depends on the scheduler
	return nil
}

func (r *request) setServer(value string) (err *Error) {
	r.server.Addr, err = r.addrPort(value, r.service.ID.AddrPort().Port(), r.service.ID.Protocol())
	return err
}

// modeOf returns the setter of -g, -i and -m.
func modeOf(m lvs.Mode) func(*request, string) *Error {
	return func(r *request, _ string) *Error {
		r.server.Mode = m
		return nil
	}
}

func (r *request) setWeight(value string) (err *Error) {
	r.server.Weight, err = number(value, 0, mostConns)
	return err
}

func (r *request) setUpper(value string) (err *Error) {
	r.server.UpperThreshold, err = number(value, 0, mostConns)
	return err
}

func (r *request) setLower(value string) (err *Error) {
	r.server.LowerThreshold, err = number(value, 0, mostConns)
	return err
}

func (r *request) setTunnel(value string) *Error {
	switch value {
	case "ipip", "gue", "gre":
		r.tunnel = value
		return nil
	}
	return errorf("%s is not ipip, gue or gre", quote(value))
}

func (r *request) setTunnelPort(value string) *Error {
	n, err := number(value, 1, 65535)
	r.tunnelPort = uint16(n)
	return err
}

// tunnelFlagOf returns the setter of --tun-csum and its like.
func tunnelFlagOf(f lvs.TunnelFlags) func(*request, string) *Error {
	return func(r *request, _ string) *Error {
		r.tunnelFlags |= f
		return nil
	}
}
