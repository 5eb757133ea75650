package conformance

import (
	"math/rand/v2"
	"strings"
)

// sipText is a SIP message, or something like one. Few have the same Call-ID.
func sipText(r *rand.Rand) string {
	id := one(r, "a", "b", "c@example.com", "d@h", "e")
	switch r.IntN(8) {
	case 0:
		return sipNonsense(r)
	case 1:
		return one(r, "\r\n", "hello", "OPTIONS sip:a SIP/2.0\r\n\r\n", "\x00\x00", "\r\n\r\n")
	case 2:
		return "\r\ni:" + id + "\r\n"
	case 3:
		id = strings.Repeat(id[:1], 253+r.IntN(4)) // up to one byte too long
	}
	return "INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n" + one(r, "Call-ID", "CALL-ID", "call-id", "i", "I ") +
		": " + id + "\r\nCSeq: 1 INVITE\r\n\r\n"
}

func sipNonsense(r *rand.Rand) string {
	parts := []string{
		"\r\n", "\r\n", "\n", "\r", "Call-ID", "i", ":", ": ", " ", "\t", "a", "b@c", "@", "Call-ID: ", "i:", "call-id:",
		"\r\nCALL-ID: a@b\r\n", "X: y", "\r\nCall-ID: @", "\r\nCall-ID: \r\n", "I", "\r\n ", "\x00", "é", "\xd7", strings.Repeat("x", 120),
	}
	var s strings.Builder
	for range 1 + r.IntN(12) {
		s.WriteString(one(r, parts...))
	}
	return s.String()
}
