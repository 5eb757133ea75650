package top

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// Key is a key: what it types, or one of the names below.
type Key string

// The keys that type nothing.
const (
	KeyUp        Key = "up"
	KeyDown      Key = "down"
	KeyLeft      Key = "left"
	KeyRight     Key = "right"
	KeyPageUp    Key = "page up"
	KeyPageDown  Key = "page down"
	KeyHome      Key = "home"
	KeyEnd       Key = "end"
	KeyEnter     Key = "enter"
	KeyEscape    Key = "escape"
	KeyBackspace Key = "backspace"
	KeyInterrupt Key = "interrupt"
	KeySuspend   Key = "suspend"
	KeyRedraw    Key = "redraw"
	KeyErase     Key = "erase"
)

var controls = map[byte]Key{
	'\r': KeyEnter, '\n': KeyEnter, 0x7f: KeyBackspace, '\b': KeyBackspace, 3: KeyInterrupt, 26: KeySuspend,
	12: KeyRedraw, 21: KeyErase, 14: KeyDown, 16: KeyUp, 6: KeyPageDown, 2: KeyPageUp,
}

// sequences follow ESC. Terminals have several for one key.
var sequences = map[string]Key{
	"[A": KeyUp, "OA": KeyUp, "[B": KeyDown, "OB": KeyDown, "[C": KeyRight, "OC": KeyRight, "[D": KeyLeft, "OD": KeyLeft,
	"[5~": KeyPageUp, "[6~": KeyPageDown, "[H": KeyHome, "OH": KeyHome, "[1~": KeyHome, "[7~": KeyHome,
	"[F": KeyEnd, "OF": KeyEnd, "[4~": KeyEnd, "[8~": KeyEnd, "OM": KeyEnter,
}

// DecodeKeys returns the keys that bytes of a terminal stand for, and the bytes at the end
// that may be the beginning of another. If nothing follows them soon, final makes keys of
// them: ESC is a key and the beginning of others.
func DecodeKeys(b []byte, final bool) (keys []Key, rest []byte) {
	for len(b) > 0 {
		key, n := decodeKey(b, final)
		if n == 0 {
			return keys, b
		}
		if key != "" {
			keys = append(keys, key)
		}
		b = b[n:]
	}
	return keys, nil
}

// decodeKey returns the first key, "" for one without a meaning, and how many bytes it has,
// 0 if there are not enough.
func decodeKey(b []byte, final bool) (Key, int) {
	if b[0] == 0x1b {
		return decodeEscape(b, final)
	}
	if key, ok := controls[b[0]]; ok {
		return key, 1
	}
	if !utf8.FullRune(b) && !final {
		return "", 0
	}
	r, n := utf8.DecodeRune(b)
	if r == utf8.RuneError || !unicode.IsPrint(r) {
		return "", n
	}
	return Key(string(r)), n
}

func decodeEscape(b []byte, final bool) (Key, int) {
	if len(b) == 1 || b[1] == 0x1b {
		if len(b) == 1 && !final {
			return "", 0
		}
		return KeyEscape, 1
	}
	switch b[1] {
	case '[':
		end := bytes.IndexFunc(b[2:], func(r rune) bool { return r >= '@' && r <= '~' })
		if end >= 0 {
			return sequences[string(b[1:end+3])], end + 3
		}
	case 'O':
		if len(b) > 2 {
			return sequences[string(b[1:3])], 3
		}
	default: // Alt and a key
		return "", 2
	}
	const longest = 32 // and more is not a key
	if final || len(b) > longest {
		return "", len(b)
	}
	return "", 0
}
