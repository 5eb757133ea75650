package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
)

// CommandOf returns the command number of a message.
func CommandOf(msg []byte) (Command, error) {
	if len(msg) < headerLen {
		return 0, fmt.Errorf("generic netlink header: %d bytes, want %d", len(msg), headerLen)
	}
	return Command(msg[0]), nil
}

// DecodeService decodes a service, a reply to [CmdGetService].
func DecodeService(msg []byte, s *Service) error {
	*s = Service{}
	nest, err := nested(msg, CmdNewService, attrService, "service")
	if err != nil {
		return err
	}
	return s.decode(nest)
}

// DecodeDest decodes a server, a reply to [CmdGetDest], which does not name the
// server's service.
func DecodeDest(msg []byte, d *Dest) error {
	*d = Dest{}
	nest, err := nested(msg, CmdNewDest, attrDest, "server")
	if err != nil {
		return err
	}
	return d.decode(nest)
}

// DecodeDaemon decodes a sync daemon, a reply to [CmdGetDaemon].
func DecodeDaemon(msg []byte, d *Daemon) error {
	*d = Daemon{}
	nest, err := nested(msg, CmdNewDaemon, attrDaemon, "daemon")
	if err != nil {
		return err
	}
	return d.decode(nest)
}

// DecodeConfig decodes the timeouts, the reply to [CmdGetConfig].
func DecodeConfig(msg []byte, c *Config) error {
	*c = Config{}
	r := top(msg, CmdSetConfig, "timeouts")
	for r.next() {
		switch r.attr {
		case attrTimeoutTCP:
			c.TCP = r.u32()
		case attrTimeoutFin:
			c.TCPFin = r.u32()
		case attrTimeoutUDP:
			c.UDP = r.u32()
		}
	}
	return r.failed()
}

// DecodeInfo decodes the reply to [CmdGetInfo].
func DecodeInfo(msg []byte, i *Info) error {
	*i = Info{}
	r := top(msg, CmdSetInfo, "info")
	for r.next() {
		switch r.attr {
		case infoVersion:
			i.Version = r.u32()
		case infoConnTabSize:
			i.ConnTableSize = r.u32()
		}
	}
	return r.failed()
}

func (s *Service) decode(b []byte) error {
	var scheduler, engine, stats, stats64, netmask []byte
	r := reader{all: b, object: "service"}
	var have attrSet
	for r.next() {
		have.add(r.attr)
		switch r.attr {
		case svcFamily:
			s.Family = r.u16()
		case svcProtocol:
			s.Protocol = r.u16()
		case svcAddr:
			s.Addr = r.address()
		case svcPort:
			s.Port = r.be16()
		case svcFWMark:
			s.FWMark = r.u32()
		case svcScheduler:
			scheduler = r.str()
		case svcEngine:
			engine = r.str()
		case svcFlags:
			s.Flags, s.FlagsMask = r.flags()
		case svcTimeout:
			s.Timeout = r.u32()
		case svcNetmask:
			netmask = r.sized(4)
		case svcStats:
			stats = r.value()
		case svcStats64:
			stats64 = r.value()
		}
	}
	if err := r.failed(); err != nil {
		return err
	}
	if err := s.complete(have); err != nil {
		return err
	}
	if netmask != nil {
		s.Netmask = decodeNetmask(s.Family, netmask)
	}
	s.Scheduler, s.Engine = names(scheduler, engine)
	return s.Stats.decode(stats, stats64, "service statistics")
}

// complete checks that the whole identity is present. By the kernel's own rule, a mark
// of zero names the service TCP, address 0, port 0.
func (k *ServiceKey) complete(have attrSet) error {
	if !have.has(svcFamily) {
		return fmt.Errorf("service: no address family (attribute %d)", svcFamily)
	}
	if k.Family != AFInet && k.Family != AFInet6 {
		return fmt.Errorf("service: address family %d is neither IPv4 nor IPv6", k.Family)
	}
	switch {
	case !have.has(svcFWMark):
		if !have.has(svcProtocol) || !have.has(svcAddr) || !have.has(svcPort) {
			return fmt.Errorf("service: neither a firewall mark (attribute %d) nor protocol, address and port (%d to %d)",
				svcFWMark, svcProtocol, svcPort)
		}
	case k.FWMark == 0:
		*k = ServiceKey{Family: k.Family, Protocol: 6}
	default:
		*k = ServiceKey{Family: k.Family, FWMark: k.FWMark}
	}
	return nil
}

func (d *Dest) decode(b []byte) error {
	var stats, stats64 []byte
	r := reader{all: b, object: "server"}
	var have attrSet
	for r.next() {
		have.add(r.attr)
		switch r.attr {
		case destAddr:
			d.Addr = r.address()
		case destPort:
			d.Port = r.be16()
		case destMethod:
			d.Method = r.u32()
		case destWeight:
			d.Weight = int32(r.u32())
		case destUpper:
			d.UpperThreshold = r.u32()
		case destLower:
			d.LowerThreshold = r.u32()
		case destActive:
			d.ActiveConns = r.u32()
		case destInactive:
			d.InactiveConns = r.u32()
		case destPersistent:
			d.PersistentConns = r.u32()
		case destFamily:
			d.Family = r.u16()
		case destTunnelType:
			d.TunnelType = r.u8()
		case destTunnelPort:
			d.TunnelPort = r.be16()
		case destTunnelFlags:
			d.TunnelFlags = r.u16()
		case destStats:
			stats = r.value()
		case destStats64:
			stats64 = r.value()
		}
	}
	if err := r.failed(); err != nil {
		return err
	}
	if !have.has(destAddr) || !have.has(destPort) {
		return fmt.Errorf("server: no address or no port (attributes %d and %d)", destAddr, destPort)
	}
	if d.Family != 0 && d.Family != AFInet && d.Family != AFInet6 {
		return fmt.Errorf("server: address family %d is neither IPv4 nor IPv6", d.Family)
	}
	return d.Stats.decode(stats, stats64, "server statistics")
}

func (d *Daemon) decode(b []byte) error {
	var name []byte
	r := reader{all: b, object: "daemon"}
	for r.next() {
		switch r.attr {
		case daemonState:
			d.State = r.u32()
		case daemonInterface:
			name = r.str()
		case daemonSyncID:
			d.SyncID = r.u32()
		case daemonMaxLen:
			d.MaxLen = r.u16()
		case daemonGroup:
			r.group(d, AFInet, 4)
		case daemonGroup6:
			r.group(d, AFInet6, addressLen)
		case daemonPort:
			d.Port = r.u16()
		case daemonTTL:
			d.TTL = r.u8()
		}
	}
	d.Interface = string(name)
	return r.failed()
}

// decode prefers the 64-bit container; kernels before 4.1 have only the other, whose
// connection and packet counters wrap at 32 bits.
func (s *Stats) decode(stats, stats64 []byte, object string) error {
	b := stats64
	if b == nil {
		b = stats
	}
	var n [10]uint64 // by the attributes' numbers, which start at 1
	r := reader{all: b, object: object}
	for r.next() {
		if i := int(r.attr) - 1; i >= 0 && i < len(n) {
			n[i] = r.counter()
		}
	}
	s.Conns, s.InPackets, s.OutPackets, s.InBytes, s.OutBytes = n[0], n[1], n[2], n[3], n[4]
	s.CPS, s.InPPS, s.OutPPS, s.InBPS, s.OutBPS = n[5], n[6], n[7], n[8], n[9]
	return r.failed()
}

func decodeNetmask(family uint16, b []byte) uint32 {
	if family == AFInet6 {
		return host.Uint32(b)
	}
	return binary.BigEndian.Uint32(b)
}

// names returns the names of a scheduler and an engine. Linux's own need no
// allocation, and two others share one.
func names(scheduler, engine []byte) (string, string) {
	s, known := schedulerName(scheduler)
	if string(engine) == "sip" {
		if known {
			return s, "sip"
		}
		return string(scheduler), "sip"
	}
	if known {
		return s, string(engine)
	}
	var buf [64]byte // larger than both, unless the kernel's limits grow
	both := string(append(append(buf[:0], scheduler...), engine...))
	return both[:len(scheduler)], both[len(scheduler):]
}

func schedulerName(b []byte) (string, bool) {
	for _, s := range [...]string{
		"", "rr", "wrr", "lc", "wlc", "fo", "ovf", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "twos", "none",
	} {
		if string(b) == s {
			return s, true
		}
	}
	return "", false
}

// attrSet records which attributes are present; all that matter are below 64.
type attrSet uint64

func (a *attrSet) add(attr uint16) {
	if attr < 64 {
		*a |= 1 << attr
	}
}

func (a attrSet) has(attr uint16) bool { return a&(1<<attr) != 0 }

// top starts reading the attributes of a message that must be of command cmd.
func top(msg []byte, cmd Command, object string) reader {
	got, err := CommandOf(msg)
	if err == nil && got != cmd {
		err = fmt.Errorf("command %d, want %d", got, cmd)
	}
	if err != nil {
		return reader{object: object, err: err}
	}
	return reader{object: object, all: msg[headerLen:]}
}

// nested returns the one nested attribute that a reply consists of.
func nested(msg []byte, cmd Command, attr uint16, object string) (nest []byte, err error) {
	r := top(msg, cmd, object)
	for r.next() {
		if r.attr == attr {
			nest = r.value()
		}
	}
	if err := r.failed(); err != nil {
		return nil, err
	}
	if nest == nil {
		return nil, fmt.Errorf("%s: attribute %d is missing", object, attr)
	}
	return nest, nil
}

// reader walks attributes, and keeps the first error, which ends the walk: a length
// that does not fit, or a value of a wrong size. The kernel's padding after the last
// attribute may be missing.
//
// It keeps places, not slices: writing pointers costs more while memory is collected.
type reader struct {
	all      []byte
	at       int // where the next attribute is
	attr     uint16
	from, to int // where the value is
	err      error
	object   string
}

func (r *reader) next() bool {
	b := r.all[r.at:]
	if len(b) == 0 || r.err != nil {
		return false
	}
	if len(b) < attrHeaderLen {
		r.err = fmt.Errorf("%d bytes left where an attribute should start", len(b))
		return false
	}
	n := int(host.Uint16(b))
	r.attr = host.Uint16(b[2:]) & attrTypeMask
	if n < attrHeaderLen || n > len(b) {
		r.err = fmt.Errorf("attribute %d says it is %d bytes long, and %d are left", r.attr, n, len(b))
		return false
	}
	r.from, r.to = r.at+attrHeaderLen, r.at+n
	r.at += min((n+3)&^3, len(b))
	return true
}

// value returns the value of the attribute.
func (r *reader) value() []byte { return r.all[r.from:r.to] }

// failed returns the error of the walk, and names the object.
func (r *reader) failed() error {
	if r.err != nil {
		return fmt.Errorf("%s: %w", r.object, r.err)
	}
	return nil
}

// refuse ends the walk because of the value.
func (r *reader) refuse(want string) {
	r.err = fmt.Errorf("attribute %d has %d bytes, want %s", r.attr, len(r.value()), want)
}

func (r *reader) u8() uint8 {
	if v := r.value(); len(v) == 1 {
		return v[0]
	}
	r.refuse("1")
	return 0
}

func (r *reader) u16() uint16 {
	if v := r.value(); len(v) == 2 {
		return host.Uint16(v)
	}
	r.refuse("2")
	return 0
}

func (r *reader) be16() uint16 {
	if v := r.value(); len(v) == 2 {
		return binary.BigEndian.Uint16(v)
	}
	r.refuse("2")
	return 0
}

func (r *reader) u32() uint32 {
	if v := r.value(); len(v) == 4 {
		return host.Uint32(v)
	}
	r.refuse("4")
	return 0
}

// counter reads a number of 32 or 64 bits: the old container mixes both.
func (r *reader) counter() uint64 {
	switch v := r.value(); len(v) {
	case 4:
		return uint64(host.Uint32(v))
	case 8:
		return host.Uint64(v)
	}
	r.refuse("4 or 8")
	return 0
}

// sized returns the value, which must have n bytes, or nil.
func (r *reader) sized(n int) []byte {
	if v := r.value(); len(v) == n {
		return v
	}
	r.refuse(strconv.Itoa(n))
	return nil
}

func (r *reader) address() (a [addressLen]byte) {
	copy(a[:], r.sized(addressLen))
	return a
}

func (r *reader) flags() (flags, mask uint32) {
	b := r.sized(serviceFlagsLen)
	if b == nil {
		return 0, 0
	}
	return host.Uint32(b), host.Uint32(b[serviceFlagsHalf:])
}

func (r *reader) group(d *Daemon, family uint16, n int) {
	d.GroupFam, d.Group = family, [addressLen]byte{}
	copy(d.Group[:], r.sized(n))
}

// str reads a string up to its NUL, which must be there.
func (r *reader) str() []byte {
	v := r.value()
	i := bytes.IndexByte(v, 0)
	if i < 0 {
		r.err = fmt.Errorf("attribute %d: the string has no closing NUL", r.attr)
		return nil
	}
	return v[:i]
}
