package simipvs

import "time"

// Commands of IPVS.
const (
	cmdNewService = iota + 1
	cmdSetService
	cmdDelService
	cmdGetService
	cmdNewDest
	cmdSetDest
	cmdDelDest
	cmdGetDest
	cmdNewDaemon
	cmdDelDaemon
	cmdGetDaemon
	cmdSetConfig
	cmdGetConfig
	cmdSetInfo
	cmdGetInfo
	cmdZero
	cmdFlush
)

// Attributes at the top of a message.
const (
	topService = iota + 1
	topDest
	topDaemon
	topTimeoutTCP
	topTimeoutFin
	topTimeoutUDP
	topMax = topTimeoutUDP
)

const familyVersion = 1

var topRules = []rule{
	topService: {kind: nested}, topDest: {kind: nested}, topDaemon: {kind: nested},
	topTimeoutTCP: {atLeast, 4}, topTimeoutFin: {atLeast, 4}, topTimeoutUDP: {atLeast, 4},
}

// commands are what a command does, by its number.
var commands = [...]struct {
	do   func(*Kernel, *request) errno
	list listing
}{
	cmdNewService: {do: (*Kernel).newService},
	cmdSetService: {do: (*Kernel).setService},
	cmdDelService: {do: (*Kernel).delService},
	cmdGetService: {do: (*Kernel).getService, list: (*Kernel).dumpServices},
	cmdNewDest:    {do: (*Kernel).addDest},
	cmdSetDest:    {do: (*Kernel).setDest},
	cmdDelDest:    {do: (*Kernel).delDest},
	cmdGetDest:    {list: (*Kernel).dumpDests},
	cmdNewDaemon:  {do: (*Kernel).newDaemon},
	cmdDelDaemon:  {do: (*Kernel).delDaemon},
	cmdGetDaemon:  {list: (*Kernel).dumpDaemons},
	cmdSetConfig:  {do: (*Kernel).setConfig},
	cmdGetConfig:  {do: (*Kernel).getConfig},
	cmdGetInfo:    {do: (*Kernel).getInfo},
	cmdZero:       {do: (*Kernel).zeroCounters},
	cmdFlush:      {do: (*Kernel).flush},
}

// command does a command of IPVS.
func (s *Socket) command(r *request) errno {
	number := r.bytes[headerLen]
	if int(number) >= len(commands) {
		return refuseFuture(r)
	}
	c, dumps := &commands[number], r.flags&flagDump == flagDump
	switch {
	case dumps && c.list == nil, !dumps && c.do == nil:
		return eopnotsupp
	case !s.privileged:
		return eperm
	}
	if e := s.suffer(r, number); e != 0 {
		return e
	}
	if dumps {
		return s.startDump(c.list, r.message)
	}
	var e errno
	if r.complaint, e = r.top.parse(r.body(), topRules); e != 0 {
		return e
	}
	s.k.lock()
	e = c.do(s.k, r)
	s.k.mu.Unlock()
	if e == 0 && r.reply != nil {
		b, start := s.begin(make([]byte, 0, headerLen+len(r.reply)), familyID, 0, r.seq)
		s.put(end(append(b, r.reply...), start))
	}
	return e
}

// refuseFuture refuses a command that there may be one day. Its flags are looked
// at first, so that the other bits can mean something then.
func refuseFuture(r *request) errno {
	if flags := r.flags &^ (flagRequest | flagAck | flagEcho); flags != 0 && flags != flagDump {
		r.complaint.words = "ambiguous or reserved bits set in nlmsg_flags"
		return einval
	}
	return eopnotsupp
}

// suffer lets a fault strike the request, if there is one for it.
func (s *Socket) suffer(r *request, command uint8) errno {
	f, strikes := s.k.takeFault(command, len(r.body()) == 0)
	if !strikes {
		return 0
	}
	if f.Do != nil {
		if r.broken = f.Do(); r.broken != nil {
			return eintr
		}
	}
	time.Sleep(f.Delay)
	r.lost = f.Lose
	return errno(f.Errno)
}

// beginGeneric appends the header of generic netlink.
func beginGeneric(b []byte, command uint8) []byte { return append(b, command, familyVersion, 0, 0) }
