package conformance

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"
)

// A history is what happens to an IPVS, one step after another, as plain values:
// it can be played to any, and a part of it is a history too.
type history []step

// step is a [control], a [packet], a [segment] or a [frame], a [requirement], a [wait] or
// a [survey].
type step interface{ String() string }

// control is a request.
type control struct {
	command uint8
	flags   uint16 // besides NLM_F_REQUEST and NLM_F_ACK
	body    []byte
}

// packet is one that the director itself sends, so that it passes IPVS.
type packet struct {
	protocol, tcp uint8  // TCP's flags
	chunks        string // SCTP's, a byte each: its type
	from, to      netip.AddrPort
	mark          uint32
	payload       string // behind the bytes that tell packets apart
	data          int    // bytes behind the payload
}

// requirement is a write to a file of /proc/sys/net/ipv4/vs.
type requirement struct {
	name  string
	value int
}

// wait lets time pass.
type wait time.Duration

// survey compares everything that can be seen, statistics only where they can be.
type survey struct{ stats bool }

// waits returns how long the history waits.
func (h history) waits() (d time.Duration) {
	for _, s := range h {
		if w, ok := s.(wait); ok {
			d += time.Duration(w)
		}
	}
	return d
}

// at reads an address and port.
func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var commandNames = [...]string{
	cNewService: "NewService", cSetService: "SetService", cDelService: "DelService", cGetService: "GetService",
	cNewDest: "NewDest", cSetDest: "SetDest", cDelDest: "DelDest", cGetDest: "GetDest",
	cNewDaemon: "NewDaemon", cDelDaemon: "DelDaemon", cGetDaemon: "GetDaemon",
	cSetConfig: "SetConfig", cGetConfig: "GetConfig", cSetInfo: "SetInfo", cGetInfo: "GetInfo",
	cZero: "Zero", cFlush: "Flush",
}

// attributeNames are those of a service, a destination and a daemon.
var attributeNames = [...][]string{
	aService: {
		sAF: "AF", sProtocol: "Protocol", sAddr: "Addr", sPort: "Port", sFWMark: "FWMark", sScheduler: "Scheduler",
		sFlags: "Flags", sTimeout: "Timeout", sNetmask: "Netmask", sStats: "Stats", sEngine: "Engine", sStats64: "Stats64",
	},
	aDest: {
		dAddr: "Addr", dPort: "Port", dMethod: "Method", dWeight: "Weight", dUpper: "Upper", dLower: "Lower",
		dActive: "Active", dInactive: "Inactive", dPersist: "Persist", dStats: "Stats", dAF: "AF", dStats64: "Stats64",
		dTunType: "TunType", dTunPort: "TunPort", dTunFlags: "TunFlags",
	},
	aDaemon: {
		yState: "State", yDevice: "Device", ySyncID: "SyncID", yMaxLen: "MaxLen", yGroup: "Group",
		yGroup6: "Group6", yPort: "Port", yTTL: "TTL",
	},
	aTimeoutUDP: nil,
}

var topNames = []string{
	aService: "Service", aDest: "Dest", aDaemon: "Daemon",
	aTimeoutTCP: "TimeoutTCP", aTimeoutFin: "TimeoutFin", aTimeoutUDP: "TimeoutUDP",
}

// nameOf returns the name of a number, or else the number.
func nameOf(names []string, number uint16) string {
	var name string
	if int(number) < len(names) {
		name = names[number]
	}
	return cmp.Or(name, fmt.Sprint(number))
}

// splitAttributes reads attributes, and reports whether b holds nothing else.
func splitAttributes(b []byte) (a attributes, whole bool) {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return a, false
		}
		a = append(a, attribute{binary.NativeEndian.Uint16(b[2:]), b[4:n]})
		if len(b) < (n+3)&^3 {
			return a, false // written again it would be longer
		}
		b = b[(n+3)&^3:]
	}
	return a, len(b) == 0
}
