package conformance

import (
	"slices"
	"strconv"
	"strings"
)

// chunkNames are the text forms of the types of SCTP chunks.
var chunkNames = []string{
	"DATA", "INIT", "INIT-ACK", "SACK", "HEARTBEAT", "HEARTBEAT-ACK", "ABORT", "SHUTDOWN", "SHUTDOWN-ACK",
	"ERROR", "COOKIE-ECHO", "COOKIE-ACK", 14: "SHUTDOWN-COMPLETE",
}

// The types of chunks that tests use.
const (
	chunkData             = "\x00"
	chunkInit             = "\x01"
	chunkInitAck          = "\x02"
	chunkAbort            = "\x06"
	chunkShutdown         = "\x07"
	chunkShutdownAck      = "\x08"
	chunkShutdownComplete = "\x0e"
	chunkCookieEcho       = "\x0a"
	chunkCookieAck        = "\x0b"
)

// chunksText returns such as "COOKIE-ECHO+DATA"; "-" without a chunk.
func chunksText(chunks string) string {
	if chunks == "" {
		return "-"
	}
	var names []string
	for _, kind := range []byte(chunks) {
		names = append(names, nameOf(chunkNames, uint16(kind)))
	}
	return strings.Join(names, "+")
}

func parseChunks(text string) (chunks string, err error) {
	if text == "-" {
		return "", nil
	}
	for name := range strings.SplitSeq(text, "+") {
		kind := slices.Index(chunkNames, name)
		if kind < 0 {
			if kind, err = strconv.Atoi(name); err != nil {
				return "", err
			}
		}
		chunks += string([]byte{byte(kind)})
	}
	return chunks, nil
}
