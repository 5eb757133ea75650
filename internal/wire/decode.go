package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
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
	r, err := top(msg, CmdSetConfig, "timeouts")
	for err == nil && r.next() {
		switch r.attr {
		case attrTimeoutTCP:
			c.TCP, err = r.u32()
		case attrTimeoutFin:
			c.TCPFin, err = r.u32()
		case attrTimeoutUDP:
			c.UDP, err = r.u32()
		}
	}
	return r.failed(err)
}

// DecodeInfo decodes the reply to [CmdGetInfo].
func DecodeInfo(msg []byte, i *Info) error {
	*i = Info{}
	r, err := top(msg, CmdSetInfo, "info")
	for err == nil && r.next() {
		switch r.attr {
		case infoVersion:
			i.Version, err = r.u32()
		case infoConnTabSize:
			i.ConnTableSize, err = r.u32()
		}
	}
	return r.failed(err)
}

func (s *Service) decode(b []byte) (err error) {
	var scheduler, engine, stats, stats64, netmask []byte
	r := reader{rest: b, object: "service"}
	var have attrSet
	for err == nil && r.next() {
		have.add(r.attr)
		switch r.attr {
		case svcFamily:
			s.Family, err = r.u16()
		case svcProtocol:
			s.Protocol, err = r.u16()
		case svcAddr:
			err = r.address(&s.Addr)
		case svcPort:
			s.Port, err = r.be16()
		case svcFWMark:
			s.FWMark, err = r.u32()
		case svcScheduler:
			scheduler, err = r.str()
		case svcEngine:
			engine, err = r.str()
		case svcFlags:
			s.Flags, s.FlagsMask, err = r.flags()
		case svcTimeout:
			s.Timeout, err = r.u32()
		case svcNetmask:
			netmask, err = r.sized(4)
		case svcStats:
			stats = r.value
		case svcStats64:
			stats64 = r.value
		}
	}
	if err = r.failed(err); err != nil {
		return err
	}
	if err = s.complete(have); err != nil {
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

func (d *Dest) decode(b []byte) (err error) {
	var stats, stats64 []byte
	r := reader{rest: b, object: "server"}
	var have attrSet
	for err == nil && r.next() {
		have.add(r.attr)
		switch r.attr {
		case destAddr:
			err = r.address(&d.Addr)
		case destPort:
			d.Port, err = r.be16()
		case destMethod:
			d.Method, err = r.u32()
		case destWeight:
			var w uint32
			w, err = r.u32()
			d.Weight = int32(w)
		case destUpper:
			d.UpperThreshold, err = r.u32()
		case destLower:
			d.LowerThreshold, err = r.u32()
		case destActive:
			d.ActiveConns, err = r.u32()
		case destInactive:
			d.InactiveConns, err = r.u32()
		case destPersistent:
			d.PersistentConns, err = r.u32()
		case destFamily:
			d.Family, err = r.u16()
		case destTunnelType:
			d.TunnelType, err = r.u8()
		case destTunnelPort:
			d.TunnelPort, err = r.be16()
		case destTunnelFlags:
			d.TunnelFlags, err = r.u16()
		case destStats:
			stats = r.value
		case destStats64:
			stats64 = r.value
		}
	}
	if err = r.failed(err); err != nil {
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

func (d *Daemon) decode(b []byte) (err error) {
	var name []byte
	r := reader{rest: b, object: "daemon"}
	for err == nil && r.next() {
		switch r.attr {
		case daemonState:
			d.State, err = r.u32()
		case daemonInterface:
			name, err = r.str()
		case daemonSyncID:
			d.SyncID, err = r.u32()
		case daemonMaxLen:
			d.MaxLen, err = r.u16()
		case daemonGroup:
			err = r.group(d, AFInet, 4)
		case daemonGroup6:
			err = r.group(d, AFInet6, addressLen)
		case daemonPort:
			d.Port, err = r.u16()
		case daemonTTL:
			d.TTL, err = r.u8()
		}
	}
	d.Interface = string(name)
	return r.failed(err)
}

// decode prefers the 64-bit container; kernels before 4.1 have only the other, whose
// connection and packet counters wrap at 32 bits.
func (s *Stats) decode(stats, stats64 []byte, object string) (err error) {
	b := stats64
	if b == nil {
		b = stats
	}
	fields := [...]*uint64{
		&s.Conns, &s.InPackets, &s.OutPackets, &s.InBytes, &s.OutBytes,
		&s.CPS, &s.InPPS, &s.OutPPS, &s.InBPS, &s.OutBPS,
	}
	r := reader{rest: b, object: object}
	for err == nil && r.next() {
		if i := int(r.attr) - 1; i >= 0 && i < len(fields) {
			*fields[i], err = r.counter()
		}
	}
	return r.failed(err)
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
func top(msg []byte, cmd Command, object string) (reader, error) {
	r := reader{object: object}
	got, err := CommandOf(msg)
	if err != nil {
		return r, err
	}
	if got != cmd {
		return r, fmt.Errorf("command %d, want %d", got, cmd)
	}
	r.rest = msg[headerLen:]
	return r, nil
}

// nested returns the one nested attribute that a reply consists of.
func nested(msg []byte, cmd Command, attr uint16, object string) (nest []byte, err error) {
	r, err := top(msg, cmd, object)
	for err == nil && r.next() {
		if r.attr == attr {
			nest = r.value
		}
	}
	if err = r.failed(err); err != nil {
		return nil, err
	}
	if nest == nil {
		return nil, fmt.Errorf("%s: attribute %d is missing", object, attr)
	}
	return nest, nil
}

// reader walks attributes. A length that does not fit ends the walk with an
// error; the kernel's padding after the last attribute may be missing.
type reader struct {
	rest   []byte
	attr   uint16
	value  []byte
	err    error
	object string
}

func (r *reader) next() bool {
	if len(r.rest) == 0 || r.err != nil {
		return false
	}
	if len(r.rest) < attrHeaderLen {
		r.err = fmt.Errorf("%d bytes left where an attribute should start", len(r.rest))
		return false
	}
	n := int(host.Uint16(r.rest))
	r.attr = host.Uint16(r.rest[2:]) & attrTypeMask
	if n < attrHeaderLen || n > len(r.rest) {
		r.err = fmt.Errorf("attribute %d says it is %d bytes long, and %d are left", r.attr, n, len(r.rest))
		return false
	}
	r.value = r.rest[attrHeaderLen:n:n]
	r.rest = r.rest[min((n+3)&^3, len(r.rest)):]
	return true
}

// failed joins the error of a walk with that of a value, and names the object.
func (r *reader) failed(err error) error {
	if err == nil {
		err = r.err
	}
	if err != nil {
		return fmt.Errorf("%s: %w", r.object, err)
	}
	return nil
}

func (r *reader) sized(n int) ([]byte, error) {
	if len(r.value) != n {
		return nil, fmt.Errorf("attribute %d has %d bytes, want %d", r.attr, len(r.value), n)
	}
	return r.value, nil
}

func (r *reader) u8() (uint8, error) {
	b, err := r.sized(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (r *reader) u16() (uint16, error) {
	b, err := r.sized(2)
	if err != nil {
		return 0, err
	}
	return host.Uint16(b), nil
}

func (r *reader) be16() (uint16, error) {
	b, err := r.sized(2)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint16(b), nil
}

func (r *reader) u32() (uint32, error) {
	b, err := r.sized(4)
	if err != nil {
		return 0, err
	}
	return host.Uint32(b), nil
}

// counter reads a number of 32 or 64 bits: the old container mixes both.
func (r *reader) counter() (uint64, error) {
	switch len(r.value) {
	case 4:
		return uint64(host.Uint32(r.value)), nil
	case 8:
		return host.Uint64(r.value), nil
	}
	return 0, fmt.Errorf("attribute %d has %d bytes, want 4 or 8", r.attr, len(r.value))
}

func (r *reader) address(a *[16]byte) error {
	b, err := r.sized(addressLen)
	if err == nil {
		copy(a[:], b)
	}
	return err
}

func (r *reader) flags() (flags, mask uint32, err error) {
	b, err := r.sized(serviceFlagsLen)
	if err != nil {
		return 0, 0, err
	}
	return host.Uint32(b), host.Uint32(b[serviceFlagsHalf:]), nil
}

func (r *reader) group(d *Daemon, family uint16, n int) error {
	b, err := r.sized(n)
	if err == nil {
		d.GroupFam, d.Group = family, [16]byte{}
		copy(d.Group[:], b)
	}
	return err
}

// str reads a string up to its NUL, which must be there.
func (r *reader) str() ([]byte, error) {
	i := bytes.IndexByte(r.value, 0)
	if i < 0 {
		return nil, fmt.Errorf("attribute %d: the string has no closing NUL", r.attr)
	}
	return r.value[:i], nil
}
