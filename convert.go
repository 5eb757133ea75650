package lvs

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/golvs/lvs/internal/wire"
)

// This file converts the package's values to those of the wire and back, and loses
// nothing that matters to the kernel.

func (id ServiceID) toWire() wire.ServiceKey {
	key := wire.ServiceKey{Family: id.family, FWMark: id.mark}
	if id.mark == 0 {
		key.Protocol = uint16(id.protocol)
		key.Port = id.vip.Port()
		key.Addr = addrToWire(id.vip.Addr())
	}
	return key
}

// idFromWire keeps the family that the kernel reports, whatever the address.
func idFromWire(key *wire.ServiceKey) ServiceID {
	if key.FWMark != 0 {
		return ServiceID{mark: key.FWMark, family: key.Family}
	}
	return ServiceID{
		protocol: Protocol(key.Protocol),
		vip:      netip.AddrPortFrom(addrFromWire(key.Family, &key.Addr), key.Port),
		family:   key.Family,
	}
}

func addrToWire(a netip.Addr) (b [16]byte) {
	copy(b[:], a.AsSlice())
	return b
}

func addrFromWire(family uint16, b *[16]byte) netip.Addr {
	if family == wire.AFInet {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(*b)
}

func (s Service) toWire() wire.Service {
	w := wire.Service{
		ServiceKey: s.ID.toWire(),
		Scheduler:  string(s.Scheduler),
		Engine:     s.Persistence.Engine,
		Flags:      uint32(s.SchedulerFlags),
		FlagsMask:  ^uint32(0), // replace all of them
		Timeout:    uint32(s.Persistence.Timeout / time.Second),
		Netmask:    s.Persistence.Mask.toWire(s.ID),
	}
	if s.Scheduler == "" {
		w.Scheduler = string(WLC)
	}
	if s.Persistence.Timeout != 0 {
		w.Flags |= wire.FlagPersistent
	}
	if s.OnePacket {
		w.Flags |= wire.FlagOnePacket
	}
	return w
}

// serviceFromWire returns a persistent service with a timeout of 0, which only
// another program can have made, as one without persistence that has an unknown
// flag. So nothing is lost, and a zero timeout still means no persistence.
func serviceFromWire(w *wire.Service) ServiceStatus {
	var s ServiceStatus
	s.ID = idFromWire(&w.ServiceKey)
	s.Scheduler = Scheduler(w.Scheduler)
	s.SchedulerFlags = SchedulerFlags(w.Flags &^ (wire.FlagPersistent | wire.FlagHashed | wire.FlagOnePacket))
	s.OnePacket = w.Flags&wire.FlagOnePacket != 0
	s.Persistence.Engine = w.Engine
	if w.Flags&wire.FlagPersistent != 0 {
		s.Persistence.Timeout = time.Duration(w.Timeout) * time.Second
		s.Persistence.Mask = maskFromWire(s.ID, w.Netmask)
		if w.Timeout == 0 {
			s.SchedulerFlags |= wire.FlagPersistent
		}
	}
	s.Stats = statsFromWire(&w.Stats)
	return s
}

func (m Mask) toWire(id ServiceID) uint32 {
	if m.IsZero() {
		m = fullMask(id)
	}
	if m.kind == prefixMask && !id.Is6() {
		return prefixToMask(int(m.value))
	}
	return m.value
}

func maskFromWire(id ServiceID, w uint32) Mask {
	m := PrefixMask(int(w))
	if !id.Is6() {
		m = DottedMask([4]byte(binary.BigEndian.AppendUint32(nil, w)))
	}
	if m == fullMask(id) {
		return Mask{}
	}
	return m
}

func destKeyToWire(a netip.AddrPort) wire.DestKey {
	a = unmap(a)
	return wire.DestKey{Family: familyOf(a.Addr()), Port: a.Port(), Addr: addrToWire(a.Addr())}
}

func (s RealServer) toWire() wire.Dest {
	return wire.Dest{
		DestKey:        destKeyToWire(s.Addr),
		Method:         s.Mode.method(),
		Weight:         int32(s.Weight),
		UpperThreshold: uint32(s.UpperThreshold),
		LowerThreshold: uint32(s.LowerThreshold),
		TunnelType:     s.Mode.tunnel,
		TunnelPort:     s.Mode.port,
		TunnelFlags:    uint16(s.Mode.flags),
	}
}

// serverFromWire uses the service's family if the kernel reports none, as kernels
// before 3.18 do.
func serverFromWire(id ServiceID, w *wire.Dest) RealServerStatus {
	family := w.Family
	if family == 0 {
		family = id.family
	}
	var s RealServerStatus
	s.Addr = netip.AddrPortFrom(addrFromWire(family, &w.Addr), w.Port)
	s.Mode = newMode(w.Method, w.TunnelType, w.TunnelPort, w.TunnelFlags)
	s.Weight = int(w.Weight)
	s.UpperThreshold, s.LowerThreshold = int(w.UpperThreshold), int(w.LowerThreshold)
	s.ActiveConns, s.InactiveConns, s.PersistentConns = int(w.ActiveConns), int(w.InactiveConns), int(w.PersistentConns)
	s.Stats = statsFromWire(&w.Stats)
	return s
}

func statsFromWire(w *wire.Stats) Stats {
	return Stats{
		Conns: w.Conns, InPackets: w.InPackets, OutPackets: w.OutPackets, InBytes: w.InBytes, OutBytes: w.OutBytes,
		Rates: Rates{Conns: w.CPS, InPackets: w.InPPS, OutPackets: w.OutPPS, InBytes: w.InBPS, OutBytes: w.OutBPS},
	}
}

func (d SyncDaemon) toWire() wire.Daemon {
	w := wire.Daemon{
		State: uint32(d.Role), Interface: d.Interface,
		SyncID: uint32(d.SyncID), MaxLen: uint16(d.MaxLen), Port: d.Port, TTL: uint8(d.TTL),
	}
	if group := d.Group.Unmap(); group.IsValid() {
		w.GroupFam, w.Group = familyOf(group), addrToWire(group)
	}
	return w
}

func daemonFromWire(w *wire.Daemon) SyncDaemon {
	d := SyncDaemon{
		Role: SyncRole(w.State), Interface: w.Interface,
		SyncID: int(w.SyncID), MaxLen: int(w.MaxLen), Port: w.Port, TTL: int(w.TTL),
	}
	if w.GroupFam != 0 {
		d.Group = addrFromWire(w.GroupFam, &w.Group)
	}
	return d
}
