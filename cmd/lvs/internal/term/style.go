package term

import "strconv"

// Attr is how text looks. Text without a colour is in those of the terminal's user. The
// two colours, Red and Magenta, are the only ones of the basic eight that xterm shows
// legibly both on black and on white: yellow, green and cyan vanish on white, and blue on
// black.
type Attr uint8

// The attributes, which combine by |, but for the colours.
const (
	Bold Attr = 1 << iota
	Dim
	Reverse
	Red
	Magenta
)

// codes are the parameters of SGR for each attribute.
var codes = [...]int{1, 2, 7, 31, 35}

// Style writes attributes, or omits them. The zero value omits them.
type Style struct{ colours bool }

// Coloured is the style that writes attributes.
var Coloured = Style{colours: true}

// Paint returns a text with attributes.
func (s Style) Paint(a Attr, text string) string {
	if !s.colours || a == 0 || text == "" {
		return text
	}
	b := []byte("\x1b[")
	for i, code := range codes {
		if a&(1<<i) != 0 {
			b = append(strconv.AppendInt(b, int64(code), 10), ';')
		}
	}
	b[len(b)-1] = 'm'
	return string(b) + text + "\x1b[0m"
}
