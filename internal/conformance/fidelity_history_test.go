package conformance

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// A history is what happens to an IPVS, one step after another, as plain values:
// it can be played to any, and a part of it is a history too. It prints as the Go
// that it is made of.
type history []step

// step is a [control], a [packet], a [setting], a [wait] or a [survey].
type step interface{ String() string }

// control is a request.
type control struct {
	command uint8
	flags   uint16 // besides NLM_F_REQUEST and NLM_F_ACK
	body    []byte
}

// packet is one that the director itself sends, so that it passes IPVS.
type packet struct {
	protocol, tcp uint8 // TCP's flags
	from, to      netip.AddrPort
	mark          uint32
	data          int // bytes, besides those that tell packets apart
}

// setting is a write to a file of /proc/sys/net/ipv4/vs.
type requirement struct {
	name  string
	value int
}

// wait lets time pass.
type wait time.Duration

// survey compares everything that can be seen, statistics only where they can be.
type survey struct{ stats bool }

func (h history) String() string {
	var b strings.Builder
	b.WriteString("history{\n")
	for _, s := range h {
		b.WriteString("\t" + s.String() + ",\n")
	}
	b.WriteString("}")
	return b.String()
}

// waits returns how long the history waits.
func (h history) waits() (d time.Duration) {
	for _, s := range h {
		if w, ok := s.(wait); ok {
			d += time.Duration(w)
		}
	}
	return d
}

func (w wait) String() string {
	return fmt.Sprintf("wait(%d * time.Millisecond)", time.Duration(w).Milliseconds())
}

func (l survey) String() string { return fmt.Sprintf("survey{%t}", l.stats) }

func (s requirement) String() string { return fmt.Sprintf("setting{%q, %d}", s.name, s.value) }

func (p packet) String() string {
	return fmt.Sprintf("packet{%d, %#x, at(%q), at(%q), %d, %d}", p.protocol, p.tcp, p.from, p.to, p.mark, p.data)
}

// at reads an address and port.
func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

var commandNames = [...]string{
	cNewService: "cNewService", cSetService: "cSetService", cDelService: "cDelService", cGetService: "cGetService",
	cNewDest: "cNewDest", cSetDest: "cSetDest", cDelDest: "cDelDest", cGetDest: "cGetDest",
	cNewDaemon: "cNewDaemon", cDelDaemon: "cDelDaemon", cGetDaemon: "cGetDaemon",
	cSetConfig: "cSetConfig", cGetConfig: "cGetConfig", cSetInfo: "cSetInfo", cGetInfo: "cGetInfo",
	cZero: "cZero", cFlush: "cFlush",
}

// attributeNames are those of a service, a destination and a daemon.
var attributeNames = [...][]string{
	aService: {
		sAF: "sAF", sProtocol: "sProtocol", sAddr: "sAddr", sPort: "sPort", sFWMark: "sFWMark", sScheduler: "sScheduler",
		sFlags: "sFlags", sTimeout: "sTimeout", sNetmask: "sNetmask", sStats: "sStats", sEngine: "sEngine", sStats64: "sStats64",
	},
	aDest: {
		dAddr: "dAddr", dPort: "dPort", dMethod: "dMethod", dWeight: "dWeight", dUpper: "dUpper", dLower: "dLower",
		dActive: "dActive", dInactive: "dInactive", dPersist: "dPersist", dStats: "dStats", dAF: "dAF", dStats64: "dStats64",
		dTunType: "dTunType", dTunPort: "dTunPort", dTunFlags: "dTunFlags",
	},
	aDaemon: {
		yState: "yState", yDevice: "yDevice", ySyncID: "ySyncID", yMaxLen: "yMaxLen", yGroup: "yGroup",
		yGroup6: "yGroup6", yPort: "yPort", yTTL: "yTTL",
	},
	aTimeoutUDP: nil,
}

var topNames = []string{
	aService: "aService", aDest: "aDest", aDaemon: "aDaemon",
	aTimeoutTCP: "aTimeoutTCP", aTimeoutFin: "aTimeoutFin", aTimeoutUDP: "aTimeoutUDP",
}

func (c control) String() string {
	name := nameOf(commandNames[:], uint16(c.command))
	if _, whole := splitAttributes(c.body); !whole {
		return fmt.Sprintf("control{%s, %#x, unhex(%q)}", name, c.flags, hex.EncodeToString(c.body))
	}
	return fmt.Sprintf("control{%s, %#x, %s.encode()}", name, c.flags, goOf(c.body, topNames, nest))
}

// nest writes the value of an attribute at the top.
func nest(number uint16, value []byte) string {
	if _, whole := splitAttributes(value); whole && number < aTimeoutTCP && len(value) > 0 && int(number) < len(attributeNames) {
		return goOf(value, attributeNames[number], goOfBytes) + ".encode()"
	}
	return goOfBytes(number, value)
}

func goOf(b []byte, names []string, value func(uint16, []byte) string) string {
	var s strings.Builder
	all, _ := splitAttributes(b)
	s.WriteString("attributes{")
	for i, a := range all {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, "{%s, %s}", nameOf(names, a.number), value(a.number, a.value))
	}
	return s.String() + "}"
}

func goOfBytes(_ uint16, b []byte) string {
	if n := len(b) - 1; n > 0 && b[n] == 0 && strings.Trim(string(b[:n]), "abcdefghijklmnopqrstuvwxyz0") == "" {
		return fmt.Sprintf("text(%q)", b[:n])
	}
	return fmt.Sprintf("unhex(%q)", hex.EncodeToString(b))
}

// nameOf returns the name of a number, or else the number.
func nameOf(names []string, number uint16) string {
	var name string
	if int(number) < len(names) {
		name = names[number]
	}
	return cmp.Or(name, fmt.Sprint(number))
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// splitAttributes reads attributes, and tells whether that is all there is.
func splitAttributes(b []byte) (a attributes, whole bool) {
	for len(b) >= 4 {
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return a, false
		}
		a = append(a, attribute{binary.NativeEndian.Uint16(b[2:]), b[4:n]})
		if len(b) < (n+3)&^3 {
			return a, false // written anew it would be longer
		}
		b = b[(n+3)&^3:]
	}
	return a, len(b) == 0
}
