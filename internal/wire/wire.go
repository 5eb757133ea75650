// Package wire is the hand-written encoding of the IPVS generic-netlink
// interface: its commands, its attributes, requests and replies.
//
// Requests are appended to the caller's buffer without an allocation. Replies are
// decoded with at most one allocation per object, and only if it has names that are
// not Linux's own. Every value is as the kernel holds it, valid or not: the entries
// of other programs must be listed, copied and deleted without loss. Validation is
// left to the caller.
//
// A message here is what follows the netlink header: four bytes of generic
// netlink header, then attributes. Byte order is a trap of this interface:
// service and server ports and tunnel ports are big endian, an IPv4 netmask is
// in network order while an IPv6 one is a number, and everything else, including the
// sync daemon's port, is in the host's order.
package wire

// Family is the name by which the kernel's netlink controller knows IPVS, and
// Version the version of the interface that this package speaks.
const (
	Family  = "IPVS"
	Version = 1
)

// Address families, by Linux's numbers on every system.
const (
	AFInet  = 2
	AFInet6 = 10
)

// Command is the number of an IPVS command.
type Command uint8

// The commands. Replies have a number of this list too: a service
// [CmdNewService], a server [CmdNewDest], a daemon [CmdNewDaemon], timeouts
// [CmdSetConfig], and information [CmdSetInfo], which is never a request.
const (
	CmdNewService Command = iota + 1
	CmdSetService
	CmdDelService
	CmdGetService
	CmdNewDest
	CmdSetDest
	CmdDelDest
	CmdGetDest
	CmdNewDaemon
	CmdDelDaemon
	CmdGetDaemon
	CmdSetConfig
	CmdGetConfig
	CmdSetInfo
	CmdGetInfo
	CmdZero
	CmdFlush
)

// Forwarding methods: the low three bits of a server's method attribute.
const (
	MethodMasq      = 0
	MethodLocalNode = 1
	MethodTunnel    = 2
	MethodDirect    = 3
	MethodBypass    = 4
)

// Tunnel types and the bits of the tunnel flags.
const (
	TunnelIPIP = 0
	TunnelGUE  = 1
	TunnelGRE  = 2

	TunnelChecksum       = 1 << 0
	TunnelRemoteChecksum = 1 << 1
)

// Bits of a service's flags.
const (
	FlagPersistent = 1 << 0
	FlagHashed     = 1 << 1 // the kernel's own: set in every reply
	FlagOnePacket  = 1 << 2
	FlagSched1     = 1 << 3
	FlagSched2     = 1 << 4
	FlagSched3     = 1 << 5
)

// States of a sync daemon.
const (
	DaemonMaster = 1
	DaemonBackup = 2
)

// The longest names that the kernel accepts, without their closing NUL.
const (
	MaxSchedulerName = 15
	MaxEngineName    = 16
	MaxInterfaceName = 15
)

// ServiceKey identifies a service: by the mark and the family if the mark is not zero,
// otherwise by the family, the protocol, the address and the port.
type ServiceKey struct {
	Family   uint16
	Protocol uint16
	Port     uint16
	FWMark   uint32
	Addr     [16]byte // an IPv4 address is in the first four bytes
}

// Service is a virtual service. Stats is filled by a reply and not sent.
type Service struct {
	ServiceKey
	Scheduler string // "none" when the kernel has no scheduler attached
	Engine    string // persistence engine; empty for none
	Flags     uint32
	FlagsMask uint32 // which bits of Flags count; all in a reply
	Timeout   uint32 // seconds
	Netmask   uint32 // IPv4: the mask, 255.255.255.0 being 0xffffff00; IPv6: the prefix length
	Stats     Stats
}

// DestKey identifies a server of a service.
type DestKey struct {
	Family uint16 // zero means the service's, and is then not sent
	Port   uint16
	Addr   [16]byte
}

// Dest is a real server. The connection counts and Stats are filled by a
// reply and not sent.
type Dest struct {
	DestKey
	Method         uint32
	Weight         int32
	UpperThreshold uint32
	LowerThreshold uint32
	TunnelType     uint8
	TunnelPort     uint16
	TunnelFlags    uint16

	ActiveConns     uint32
	InactiveConns   uint32
	PersistentConns uint32
	Stats           Stats
}

// Stats are the counters of a service or a server, and their rates per second.
type Stats struct {
	Conns, InPackets, OutPackets, InBytes, OutBytes uint64
	CPS, InPPS, OutPPS, InBPS, OutBPS               uint64
}

// Daemon is a connection-synchronisation daemon. A zero MaxLen, Port or TTL means the
// kernel's default and is not sent.
type Daemon struct {
	State     uint32
	Interface string
	SyncID    uint32
	MaxLen    uint16
	GroupFam  uint16 // AFInet or AFInet6; zero asks for the default group
	Group     [16]byte
	Port      uint16
	TTL       uint8
}

// Config holds the connection timeouts, in seconds.
type Config struct {
	TCP, TCPFin, UDP uint32
}

// Info describes the kernel's IPVS.
type Info struct {
	Version       uint32 // 0x010201 is 1.2.1
	ConnTableSize uint32
}

// Attribute numbers at the top of a message. Replies to [CmdGetInfo] use the
// same numbers for another set.
const (
	attrService      = 1
	attrDest         = 2
	attrDaemon       = 3
	attrTimeoutTCP   = 4
	attrTimeoutFin   = 5
	attrTimeoutUDP   = 6
	infoVersion      = 1
	infoConnTabSize  = 2
	headerLen        = 4 // generic netlink: command, version, two reserved bytes
	attrHeaderLen    = 4
	attrNested       = 0x8000
	attrTypeMask     = 0x3fff // without NLA_F_NESTED and NLA_F_NET_BYTEORDER
	addressLen       = 16
	serviceFlagsLen  = 8
	serviceFlagsHalf = 4
)

// Attribute numbers inside a service.
const (
	svcFamily    = 1
	svcProtocol  = 2
	svcAddr      = 3
	svcPort      = 4
	svcFWMark    = 5
	svcScheduler = 6
	svcFlags     = 7
	svcTimeout   = 8
	svcNetmask   = 9
	svcStats     = 10
	svcEngine    = 11
	svcStats64   = 12
)

// Attribute numbers inside a server.
const (
	destAddr        = 1
	destPort        = 2
	destMethod      = 3
	destWeight      = 4
	destUpper       = 5
	destLower       = 6
	destActive      = 7
	destInactive    = 8
	destPersistent  = 9
	destStats       = 10
	destFamily      = 11
	destStats64     = 12
	destTunnelType  = 13
	destTunnelPort  = 14
	destTunnelFlags = 15
)

// Attribute numbers inside a daemon.
const (
	daemonState     = 1
	daemonInterface = 2
	daemonSyncID    = 3
	daemonMaxLen    = 4
	daemonGroup     = 5
	daemonGroup6    = 6
	daemonPort      = 7
	daemonTTL       = 8
)
