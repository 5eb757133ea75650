package simipvs

import "strings"

// The engine sip: it ties by the Call-ID of a SIP message in a datagram. It reads
// messages with less care than a SIP server does, and its own way is simulated, for a
// client may send anything.

const (
	callIDName  = "call-id"
	callIDShort = "i"
	maxCallID   = 255
)

// callID returns the value of the first header Call-ID that has one, false if the
// message has none that ends with its line.
func callID(message string) (id string, found bool) {
	from := 0
	for {
		value := sipHeader(message, from)
		if value < 0 {
			return "", false
		}
		if n := callIDLength(message[value:]); n > 0 {
			end := value + n
			if n > maxCallID || end == len(message) || !isLineEnd(message[end]) {
				return "", false
			}
			return message[value:end], true
		}
		from += value // farther than to the value, from the second time on
	}
}

// sipHeader returns where the value of the first header Call-ID begins, -1 without one.
// A header begins behind the end of a line, so the first line has none, nor has a line
// behind an empty one that ends with the same single byte.
func sipHeader(message string, from int) (value int) {
	for at := nextLine(message, from); at < len(message); at = nextLine(message, at+1) {
		n := nameLength(message[at:])
		if n == 0 {
			continue
		}
		at = skipBlank(message, at+n)
		if at < 0 || at == len(message) || message[at] != ':' || at+1 == len(message) {
			return -1
		}
		return skipBlank(message, at+1)
	}
	return -1
}

// nextLine returns where the line after the next end of one begins.
func nextLine(message string, from int) int {
	if from >= len(message) {
		return len(message)
	}
	end := strings.IndexAny(message[from:], "\r\n")
	if end < 0 {
		return len(message)
	}
	return afterLineEnd(message, from+end)
}

// afterLineEnd returns what is behind CR, LF, or both.
func afterLineEnd(message string, at int) int {
	if strings.HasPrefix(message[at:], "\r\n") {
		return at + 2
	}
	return at + 1
}

// nameLength returns the length of the header's name at the beginning of a line, 0 if the
// line has another one. A letter may not follow the short name.
func nameLength(line string) int {
	if len(line) >= len(callIDName) && strings.EqualFold(line[:len(callIDName)], callIDName) {
		return len(callIDName)
	}
	n := len(callIDShort)
	if len(line) > n && strings.EqualFold(line[:n], callIDShort) && !isLetter(line[n]) {
		return n
	}
	return 0
}

// skipBlank returns what is behind spaces and tabs, of which one line's end may be a part
// if the next line goes on with them. It returns -1 if the line ends.
func skipBlank(message string, at int) int {
	at = skipSpaces(message, at)
	if at == len(message) || !isLineEnd(message[at]) {
		return at
	}
	at = afterLineEnd(message, at)
	if at >= len(message) || !isSpace(message[at]) {
		return -1
	}
	return skipSpaces(message, at)
}

func skipSpaces(message string, at int) int {
	for at < len(message) && isSpace(message[at]) {
		at++
	}
	return at
}

// callIDLength returns the length of the value at the beginning of s: a word, or two
// with an @ between them. It is 0 if a word is missing.
func callIDLength(s string) int {
	n := wordLength(s)
	if n == 0 || n == len(s) || s[n] != '@' {
		return n
	}
	host := wordLength(s[n+1:])
	if host == 0 {
		return 0
	}
	return n + 1 + host
}

func wordLength(s string) (n int) {
	for n < len(s) && isWordByte(s[n]) {
		n++
	}
	return n
}

func isSpace(b byte) bool   { return b == ' ' || b == '\t' }
func isLineEnd(b byte) bool { return b == '\r' || b == '\n' }

// isLetter takes letters of Latin-1 too.
func isLetter(b byte) bool {
	const times, dividedBy = 0xd7, 0xf7
	return 'a' <= b|0x20 && b|0x20 <= 'z' || b >= 0xc0 && b != times && b != dividedBy
}

func isWordByte(b byte) bool {
	return isLetter(b) || '0' <= b && b <= '9' || b != 0 && strings.IndexByte("-.!%*_+`'~()<>:\\\"/[]?{}", b) >= 0
}
