package lvs

import (
	"strconv"
	"strings"

	"github.com/golvs/lvs/internal/simipvs"
)

// SimSCTPChunks are the types of the chunks in an SCTP packet, in their order, a byte
// each; + bundles chunks into one packet. IPVS looks at the first chunk, and behind a
// COOKIE ECHO or COOKIE ACK also at the second, in case it is an ABORT. "" is a packet
// without a chunk.
//
// The text form is such as "COOKIE-ECHO+DATA", with the number of a type that has no
// name here.
type SimSCTPChunks string

// Chunks.
const (
	SimSCTPData             SimSCTPChunks = "\x00"
	SimSCTPInit             SimSCTPChunks = "\x01"
	SimSCTPInitAck          SimSCTPChunks = "\x02"
	SimSCTPSack             SimSCTPChunks = "\x03"
	SimSCTPHeartbeat        SimSCTPChunks = "\x04"
	SimSCTPHeartbeatAck     SimSCTPChunks = "\x05"
	SimSCTPAbort            SimSCTPChunks = "\x06"
	SimSCTPShutdown         SimSCTPChunks = "\x07"
	SimSCTPShutdownAck      SimSCTPChunks = "\x08"
	SimSCTPError            SimSCTPChunks = "\x09"
	SimSCTPCookieEcho       SimSCTPChunks = "\x0a"
	SimSCTPCookieAck        SimSCTPChunks = "\x0b"
	SimSCTPShutdownComplete SimSCTPChunks = "\x0e"
)

// chunkNames are the names of chunks by type.
var chunkNames = [...]string{
	simipvs.SCTPData: "DATA", simipvs.SCTPInit: "INIT", simipvs.SCTPInitAck: "INIT-ACK", simipvs.SCTPSack: "SACK",
	simipvs.SCTPHeartbeat: "HEARTBEAT", simipvs.SCTPHeartbeatAck: "HEARTBEAT-ACK", simipvs.SCTPAbort: "ABORT",
	simipvs.SCTPShutdown: "SHUTDOWN", simipvs.SCTPShutdownAck: "SHUTDOWN-ACK", simipvs.SCTPError: "ERROR",
	simipvs.SCTPCookieEcho: "COOKIE-ECHO", simipvs.SCTPCookieAck: "COOKIE-ACK", simipvs.SCTPShutdownComplete: "SHUTDOWN-COMPLETE",
}

// String returns the text form, "-" without a chunk.
func (c SimSCTPChunks) String() string {
	if c == "" {
		return "-"
	}
	names := make([]string, len(c))
	for i, kind := range []byte(c) {
		if int(kind) < len(chunkNames) {
			names[i] = chunkNames[kind]
		}
		if names[i] == "" {
			names[i] = strconv.Itoa(int(kind))
		}
	}
	return strings.Join(names, "+")
}
