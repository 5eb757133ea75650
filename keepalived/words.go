package keepalived

import "strings"

// withoutComment returns a line without its comment, and whether a backslash ended it. ok
// reports whether each double quote that opens is closed.
func withoutComment(text string) (rest string, continues, ok bool) {
	var b strings.Builder
	quoted := false
scan:
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 == len(text):
			continues = true
			break scan
		case c == '\\':
			i++
			if quoted || text[i] != '#' && text[i] != '!' {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
			continue
		case !quoted && (c == '#' || c == '!'):
			break scan
		}
		b.WriteByte(text[i])
	}
	return strings.TrimRight(b.String(), blanks), continues, !quoted
}

// pieceLength returns the length of the first piece of a line: a brace, or what stands
// before the next one that is not quoted.
func pieceLength(text string) int {
	if text[0] == '{' || text[0] == '}' {
		return 1
	}
	quoted := false
	for i := range len(text) {
		switch text[i] {
		case '"':
			quoted = !quoted
		case '{', '}':
			if !quoted {
				return i
			}
		}
	}
	return len(text)
}

// word is a word of a statement.
type word struct {
	text   string
	column int
}

// splitWords returns the words of a piece. Blanks and double quotes separate them.
func splitWords(text string, column int, exact bool) (words []word) {
	for i := 0; i < len(text); {
		if strings.IndexByte(blanks, text[i]) >= 0 {
			i++
			continue
		}
		w := word{column: column}
		if exact {
			w.column += i
		}
		if text[i] == '"' {
			w.text, _, _ = strings.Cut(text[i+1:], `"`)
			i += len(w.text) + 2
		} else {
			end := strings.IndexAny(text[i:], blanks+`"`)
			if end < 0 {
				end = len(text) - i
			}
			w.text = text[i : i+end]
			i += end
		}
		words = append(words, w)
	}
	return words
}

// splitCommand returns the words of a command, which may have quotes and escapes like those
// of a shell.
func splitCommand(text string) (words []string, ok bool) {
	var b strings.Builder
	inWord := false
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			n, value := unescape(text[i+1:])
			b.WriteByte(value)
			i += n
			inWord = true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '"' || c == '\''):
			quote, inWord = c, true
		case quote == 0 && (c == ' ' || c == '\t'):
			if inWord {
				words = append(words, b.String())
				b.Reset()
				inWord = false
			}
		default:
			b.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, b.String())
	}
	return words, quote == 0
}

// unescape returns the byte that an escape means, and the length of the escape without
// its backslash.
func unescape(text string) (n int, value byte) {
	switch c := text[0]; c {
	case 'a':
		return 1, '\a'
	case 'b':
		return 1, '\b'
	case 'E':
		return 1, 0x1b
	case 'f':
		return 1, '\f'
	case 'n':
		return 1, '\n'
	case 'r':
		return 1, '\r'
	case 't':
		return 1, '\t'
	case 'v':
		return 1, '\v'
	case 'c':
		if len(text) > 1 {
			return 2, text[1] & 0x1f
		}
		return 1, c
	case 'x':
		for n = 1; n < len(text) && isHex(text[n]); n++ {
			value = value<<4 | hexValue(text[n])
		}
		return n, value
	case '0', '1', '2', '3', '4', '5', '6', '7':
		for n < 3 && n < len(text) && text[n] >= '0' && text[n] <= '7' {
			value = value<<3 | text[n] - '0'
			n++
		}
		return n, value
	default:
		return 1, c
	}
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
