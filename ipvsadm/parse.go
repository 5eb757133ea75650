package ipvsadm

import (
	"strings"
	"unicode/utf8"

	"github.com/golvs/lvs"
)

// Parse reads commands, one a line, as 'ipvsadm -R' does. Each begins with an option,
// and the word ipvsadm before it may be left out. The result has a change for each
// command that changes something, in their order. An error is an [*Error]; then there
// are no changes.
func Parse(text []byte) ([]lvs.Change, error) { return Parser{}.Parse(text) }

// Parse reads commands as the function of this name does.
func (p Parser) Parse(text []byte) ([]lvs.Change, error) {
	read, err := p.lines(string(text))
	if err != nil {
		return nil, err
	}
	changes := make([]lvs.Change, len(read))
	for i, l := range read {
		changes[i] = l.change
	}
	return changes, nil
}

// ParseArgs reads the arguments of one command: those of ipvsadm, without its name. It
// returns the change, or none if the command only prints. An error is an [*Error].
func ParseArgs(args ...string) ([]lvs.Change, error) {
	if len(args) == 0 {
		return nil, errorf("no command is given").or("a command begins with a dash, such as -A")
	}
	c, err := Parser{}.command(args, true)
	if err != nil || c.Kind != CommandChange {
		return nil, err
	}
	return []lvs.Change{c.Change}, nil
}

// line is a change, and where it stands.
type line struct {
	number, column int
	change         lvs.Change
}

// lines reads all lines, or returns the first error.
func (p Parser) lines(text string) ([]line, error) {
	all := make([]line, 0, strings.Count(text, "\n")+1)
	var words []word
	r := request{Parser: p, inFile: true}
	number := 0
	for l := range strings.Lines(text) {
		number++
		var err *Error
		words, err = split(words[:0], l)
		if err == nil && len(words) > 0 {
			var ch lvs.Change
			var ok bool
			if ch, ok, err = r.parse(words); ok {
				all = append(all, line{number, words[0].column, ch})
			}
		}
		if err != nil {
			err.Line = number
			return nil, err
		}
	}
	return all, nil
}

// split appends the words of a line. The word ipvsadm is left out wherever it stands,
// as ipvsadm does, and a word that begins with '#' begins a comment.
func split(words []word, l string) ([]word, *Error) {
	const spaces = " \t\r\n"
	for i := 0; i < len(l); {
		if strings.IndexByte(spaces, l[i]) >= 0 {
			i++
			continue
		}
		if l[i] == '#' {
			break
		}
		end := i + 1
		for end < len(l) && strings.IndexByte(spaces, l[end]) < 0 {
			end++
		}
		w := l[i:end]
		if bad := strings.IndexFunc(w, unreadableRune); bad >= 0 {
			return nil, errorf("byte %#02x does not belong to a command", w[bad]).at("", i+bad+1)
		}
		if w != "ipvsadm" {
			words = append(words, word{w, i + 1})
		}
		i = end
	}
	return words, nil
}

// unreadableRune reports whether a rune is a control character, or a byte that is not
// UTF-8.
func unreadableRune(r rune) bool { return r < ' ' || r == 0x7f || r == utf8.RuneError }

// refused returns the error with which package lvs refuses a value.
func refused(err error) *Error {
	return &Error{text: strings.TrimPrefix(err.Error(), "lvs: "), cause: err}
}
