package top

import (
	"slices"
	"strings"
	"testing"
)

func TestDecodeKeys(t *testing.T) {
	for _, test := range []struct {
		bytes string
		final bool
		want  []Key
		rest  string
	}{
		{bytes: "qé負", want: []Key{"q", "é", "負"}},
		{bytes: "\r\n\x7f\b\x03\x1a\x0c\x15", want: []Key{KeyEnter, KeyEnter, KeyBackspace, KeyBackspace, KeyInterrupt, KeySuspend, KeyRedraw, KeyErase}},
		{bytes: "\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[1~\x1bOF", want: []Key{KeyUp, KeyDown, KeyPageUp, KeyPageDown, KeyHome, KeyEnd}},
		{bytes: "j\x1b", want: []Key{"j"}, rest: "\x1b"},
		{bytes: "j\x1b", final: true, want: []Key{"j", KeyEscape}},
		{bytes: "\x1b\x1b[A", want: []Key{KeyEscape, KeyUp}},
		{bytes: "\x1b[", rest: "\x1b["},
		{bytes: "\x1b[1;5", rest: "\x1b[1;5"},
		{bytes: "\x1b[1;5", final: true},
		{bytes: "\x1bO", rest: "\x1bO"},
		{bytes: "\x1b[1;5Aq", want: []Key{"q"}}, // Ctrl and an arrow have no meaning
		{bytes: "\x1b[99~\x1bOzq", want: []Key{"q"}},
		{bytes: "\x1bxq", want: []Key{"q"}}, // Alt
		{bytes: "\x1b[" + strings.Repeat("1", 40)},
		{bytes: "\xc3", rest: "\xc3"},
		{bytes: "\xc3", final: true},
		{bytes: "\xff\x00\x1fq", want: []Key{"q"}},
	} {
		keys, rest := DecodeKeys([]byte(test.bytes), test.final)
		if !slices.Equal(keys, test.want) || string(rest) != test.rest {
			t.Errorf("DecodeKeys(%q, %t) = %q, %q; want %q, %q", test.bytes, test.final, keys, rest, test.want, test.rest)
		}
	}
}

// Wherever a terminal's bytes are split, the keys are the same.
func TestDecodeKeysSplit(t *testing.T) {
	text := []byte("a\x1b[A負\x1bOB\x1b[15~é\x1b[5~z")
	want, _ := DecodeKeys(text, false)
	for i := range text {
		keys, rest := DecodeKeys(text[:i], false)
		more, rest := DecodeKeys(append(slices.Clone(rest), text[i:]...), false)
		if keys = append(keys, more...); !slices.Equal(keys, want) || len(rest) > 0 {
			t.Errorf("split at %d: %q, %q; want %q", i, keys, rest, want)
		}
	}
}

func FuzzDecodeKeys(f *testing.F) {
	f.Add([]byte("a\x1b[A\x1bO\xc3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, rest := DecodeKeys(b, true); len(rest) > 0 {
			t.Errorf("DecodeKeys(%q, true) leaves %q", b, rest)
		}
	})
}
