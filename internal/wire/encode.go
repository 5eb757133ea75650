package wire

import "encoding/binary"

var host = binary.NativeEndian

// AppendCommand appends a request without attributes: a flush, zeroing
// everything, getting timeouts or information, or a dump of services or
// daemons.
func AppendCommand(b []byte, cmd Command) []byte {
	return append(b, byte(cmd), Version, 0, 0)
}

// AppendService appends a request with a whole service, for [CmdNewService] and
// [CmdSetService].
func AppendService(b []byte, cmd Command, s *Service) []byte {
	b = AppendCommand(b, cmd)
	b, nest := openNest(b, attrService)
	b = appendServiceKey(b, &s.ServiceKey)
	b = appendString(b, svcScheduler, s.Scheduler)
	if s.Engine != "" {
		b = appendString(b, svcEngine, s.Engine)
	}
	b = appendHeader(b, svcFlags, serviceFlagsLen)
	b = host.AppendUint32(b, s.Flags)
	b = host.AppendUint32(b, s.FlagsMask)
	b = appendU32(b, svcTimeout, s.Timeout)
	b = appendNetmask(b, s.Family, s.Netmask)
	return closeNest(b, nest)
}

// AppendServiceKey appends a request that names a service: [CmdDelService],
// [CmdGetService], [CmdZero] and the dump of its servers, [CmdGetDest].
func AppendServiceKey(b []byte, cmd Command, key *ServiceKey) []byte {
	b = AppendCommand(b, cmd)
	b, nest := openNest(b, attrService)
	b = appendServiceKey(b, key)
	return closeNest(b, nest)
}

// AppendDest appends a request with a whole server of a service, for
// [CmdNewDest] and [CmdSetDest].
func AppendDest(b []byte, cmd Command, key *ServiceKey, d *Dest) []byte {
	b = AppendServiceKey(b, cmd, key)
	b, nest := openNest(b, attrDest)
	b = appendDestKey(b, &d.DestKey)
	b = appendU32(b, destMethod, d.Method)
	b = appendU32(b, destWeight, uint32(d.Weight))
	b = appendU8(b, destTunnelType, d.TunnelType)
	b = appendBE16(b, destTunnelPort, d.TunnelPort)
	b = appendU16(b, destTunnelFlags, d.TunnelFlags)
	b = appendU32(b, destUpper, d.UpperThreshold)
	b = appendU32(b, destLower, d.LowerThreshold)
	return closeNest(b, nest)
}

// AppendDestKey appends a request that names a server of a service:
// [CmdDelDest].
func AppendDestKey(b []byte, cmd Command, key *ServiceKey, d *DestKey) []byte {
	b = AppendServiceKey(b, cmd, key)
	b, nest := openNest(b, attrDest)
	b = appendDestKey(b, d)
	return closeNest(b, nest)
}

// AppendDaemon appends a request with a whole daemon: [CmdNewDaemon].
func AppendDaemon(b []byte, cmd Command, d *Daemon) []byte {
	b = AppendCommand(b, cmd)
	b, nest := openNest(b, attrDaemon)
	b = appendU32(b, daemonState, d.State)
	b = appendString(b, daemonInterface, d.Interface)
	b = appendU32(b, daemonSyncID, d.SyncID)
	if d.MaxLen != 0 {
		b = appendU16(b, daemonMaxLen, d.MaxLen)
	}
	if d.Port != 0 {
		b = appendU16(b, daemonPort, d.Port)
	}
	if d.TTL != 0 {
		b = appendU8(b, daemonTTL, d.TTL)
	}
	switch d.GroupFam {
	case AFInet:
		b = appendBytes(b, daemonGroup, d.Group[:4])
	case AFInet6:
		b = appendBytes(b, daemonGroup6, d.Group[:])
	}
	return closeNest(b, nest)
}

// AppendDaemonState appends a request that names a daemon by its state:
// [CmdDelDaemon].
func AppendDaemonState(b []byte, cmd Command, state uint32) []byte {
	b = AppendCommand(b, cmd)
	b, nest := openNest(b, attrDaemon)
	b = appendU32(b, daemonState, state)
	return closeNest(b, nest)
}

// AppendConfig appends a request that sets the timeouts, [CmdSetConfig]. The
// kernel keeps a timeout that is zero.
func AppendConfig(b []byte, c *Config) []byte {
	b = AppendCommand(b, CmdSetConfig)
	b = appendU32(b, attrTimeoutTCP, c.TCP)
	b = appendU32(b, attrTimeoutFin, c.TCPFin)
	return appendU32(b, attrTimeoutUDP, c.UDP)
}

// appendServiceKey never sends a mark of zero: the kernel would read it as TCP,
// address 0, port 0, whatever else the key has.
func appendServiceKey(b []byte, key *ServiceKey) []byte {
	b = appendU16(b, svcFamily, key.Family)
	if key.FWMark != 0 {
		return appendU32(b, svcFWMark, key.FWMark)
	}
	b = appendU16(b, svcProtocol, key.Protocol)
	b = appendBytes(b, svcAddr, key.Addr[:])
	return appendBE16(b, svcPort, key.Port)
}

func appendDestKey(b []byte, key *DestKey) []byte {
	if key.Family != 0 {
		b = appendU16(b, destFamily, key.Family)
	}
	b = appendBytes(b, destAddr, key.Addr[:])
	return appendBE16(b, destPort, key.Port)
}

func appendNetmask(b []byte, family uint16, mask uint32) []byte {
	b = appendHeader(b, svcNetmask, 4)
	if family == AFInet6 {
		return host.AppendUint32(b, mask)
	}
	return binary.BigEndian.AppendUint32(b, mask)
}

func appendU8(b []byte, attr uint16, v uint8) []byte {
	return append(appendHeader(b, attr, 1), v, 0, 0, 0)
}

func appendU16(b []byte, attr, v uint16) []byte {
	return append(host.AppendUint16(appendHeader(b, attr, 2), v), 0, 0)
}

func appendBE16(b []byte, attr, v uint16) []byte {
	return append(binary.BigEndian.AppendUint16(appendHeader(b, attr, 2), v), 0, 0)
}

func appendU32(b []byte, attr uint16, v uint32) []byte {
	return host.AppendUint32(appendHeader(b, attr, 4), v)
}

func appendBytes(b []byte, attr uint16, v []byte) []byte {
	return pad(append(appendHeader(b, attr, len(v)), v...), len(v))
}

func appendString(b []byte, attr uint16, s string) []byte {
	b = appendHeader(b, attr, len(s)+1)
	return pad(append(append(b, s...), 0), len(s)+1)
}

func appendHeader(b []byte, attr uint16, payload int) []byte {
	b = host.AppendUint16(b, uint16(attrHeaderLen+payload))
	return host.AppendUint16(b, attr)
}

// pad fills up to the four-byte boundary at which the next attribute starts.
func pad(b []byte, payload int) []byte {
	for ; payload%4 != 0; payload++ {
		b = append(b, 0)
	}
	return b
}

// openNest starts a nested attribute; closeNest, given where it started,
// writes its length.
func openNest(b []byte, attr uint16) ([]byte, int) {
	return appendHeader(b, attr|attrNested, 0), len(b)
}

func closeNest(b []byte, start int) []byte {
	host.PutUint16(b[start:], uint16(len(b)-start))
	return b
}
