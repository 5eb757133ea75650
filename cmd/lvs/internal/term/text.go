package term

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// Clean returns a text of outside with everything escaped that a terminal might obey
// instead of show, as in Go's source: control characters, those that change the
// direction of writing, and what is not UTF-8.
func Clean(text string) string {
	if isClean(text) {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + strconv.FormatUint(uint64(text[0])|0x100, 16)[1:])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return b.String()
}

// CleanLines is [Clean] for text of several lines, which may be indented by tabs.
func CleanLines(text string) string {
	clean := func(line string) string {
		parts := strings.Split(line, "\t")
		for i := range parts {
			parts[i] = Clean(parts[i])
		}
		return strings.Join(parts, "\t")
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

func isClean(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// Width returns how many cells a text fills. The text is clean.
func Width(text string) int {
	if isClean(text) {
		return len(text)
	}
	return uniseg.StringWidth(text)
}

// Cut returns a text that fills at most so many cells. Where something was cut off, it
// ends with a '+', as in top(1).
func Cut(text string, width int) string {
	switch {
	case width <= 0:
		return ""
	case Width(text) <= width:
		return text
	}
	return keep(text, width-1) + "+"
}

// keep returns the beginning of a text that fills at most so many cells.
func keep(text string, width int) string {
	if isClean(text) {
		return text[:min(width, len(text))]
	}
	kept, state := 0, -1
	for rest := text; rest != ""; {
		cluster, after, cells, next := uniseg.FirstGraphemeClusterInString(rest, state)
		if width -= cells; width < 0 {
			break
		}
		kept, rest, state = kept+len(cluster), after, next
	}
	return text[:kept]
}

// Pad returns a text with spaces behind it, or before it, up to so many cells.
func Pad(text string, width int, right bool) string {
	space := strings.Repeat(" ", max(0, width-Width(text)))
	if right {
		return space + text
	}
	return text + space
}
