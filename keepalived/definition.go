package keepalived

import (
	"strconv"
	"strings"
)

// definition is the value of a parameter: several lines if it was written so.
type definition struct {
	lines    []string
	severals bool // whether a backslash ended the first line
}

// cutDefinition returns the parameter and the value of a line such as $NAME=value.
func cutDefinition(text string) (name, value string, ok bool) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return "", "", false
	}
	n := nameLength(rest)
	after := strings.TrimLeft(rest[n:], blanks)
	if n == 0 || !strings.HasPrefix(after, "=") {
		return "", "", false
	}
	return rest[:n], strings.TrimLeft(after[1:], blanks), true
}

// nameLength returns the length of the name with which a text begins, 0 if none.
func nameLength(text string) (n int) {
	for n < len(text) && (isLetter(text[n]) || n > 0 && text[n] >= '0' && text[n] <= '9') {
		n++
	}
	return n
}

func isLetter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }

func (r *reader) define(name, value string, continues bool) {
	d := definition{severals: continues}
	if !continues || value != "" {
		d.lines = []string{value}
	}
	r.definitions[name] = d
	if continues {
		r.open = name
	}
}

// goOn adds a line to the definition that is open.
func (r *reader) goOn(l line) error {
	if l.text == "" && !l.continues {
		return nil // a comment
	}
	if r.left -= len(l.text) + 32; r.left < 0 {
		return l.at.errorf("definitions have more than %d MiB", maxRead>>20)
	}
	d := r.definitions[r.open]
	if l.text != "" {
		d.lines = append(d.lines, l.text)
	}
	r.definitions[r.open] = d
	if !l.continues {
		r.open = ""
	}
	return nil
}

// maxChanges bounds the definitions that are put into a line.
const maxChanges = 1000

// substitute puts values in the place of parameters. The result of a definition of several
// lines is the first, and the others in more.
func (r *reader) substitute(text string, at place) (result string, more []string, err error) {
	changes := 0
	for from := 0; ; {
		found := strings.IndexByte(text[from:], '$')
		if found < 0 {
			break
		}
		from += found
		value, length, ok := r.reference(text[from:], at)
		if !ok {
			from++
			continue
		}
		changes++
		first := ""
		if len(value) > 0 {
			first, more = value[0], value[1:]
		}
		text = text[:from] + first + text[from+length:]
		if len(text) > maxLine || changes > maxChanges {
			return "", nil, at.errorf("definitions make a line too long: does one contain itself?")
		}
		if strings.HasPrefix(text, "~") || strings.HasPrefix(text, "@") || len(more) > 0 {
			break // the rest may be for others, or for later
		}
	}
	if changes == 0 {
		return text, nil, nil
	}
	text, _, ok := withoutComment(strings.TrimLeft(text, blanks))
	if !ok {
		return "", nil, at.errorf("a quote has no end after definitions are put in")
	}
	if more == nil {
		more = []string{}
	}
	return text, more, nil
}

// reference returns what the parameter means with which a text begins, and the length of
// its reference: $NAME or ${NAME}.
func (r *reader) reference(text string, at place) (value []string, length int, ok bool) {
	name, braced := strings.CutPrefix(text[1:], "{")
	n := nameLength(name)
	if n == 0 {
		return nil, 0, false
	}
	name, rest := name[:n], name[n:]
	var numbers []string
	if braced {
		inside, _, closed := strings.Cut(rest, "}")
		numbers = strings.Fields(inside)
		if !closed || len(inside) > 0 && len(numbers) == 0 {
			return nil, 0, false
		}
		length = len("${}") + n + len(inside)
	} else if length = 1 + n; rest != "" && strings.IndexByte(blanks+",)", rest[0]) < 0 {
		return nil, 0, false
	}
	d, ok := r.definitions[name]
	switch {
	case ok && len(numbers) == 0 && (!d.severals || length == len(text)):
		return d.lines, length, true
	case ok:
		return nil, 0, false
	}
	word, ok := r.predefined(name, numbers, at)
	return []string{word}, length, ok
}

// predefined returns what keepalived defines itself.
func (r *reader) predefined(name string, numbers []string, at place) (string, bool) {
	if name == "_RANDOM" && len(numbers) <= 2 {
		least := "0"
		if len(numbers) > 0 {
			least = numbers[0]
		}
		if _, err := strconv.ParseUint(least, 10, 32); err != nil {
			return "", false
		}
		r.notes = append(r.notes, at.note(name, "a random number; %s is taken", least))
		return least, true
	}
	if len(numbers) > 0 {
		return "", false
	}
	switch name {
	case "_PWD":
		return "/" + r.folder, true
	case "_INSTANCE":
		return r.id, true
	case "_HASH":
		return `\#`, true
	case "_BANG":
		return `\!`, true
	}
	return "", false
}
