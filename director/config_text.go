package director

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// part is what a text of JSON has beside a table: the checks of a service, or the hooks.
type part struct {
	service int    // the index of the service, or hooksPart
	value   []byte // the JSON
}

const hooksPart = -1

// path returns where the part is.
func (p part) path() string {
	if p.service == hooksPart {
		return "hooks"
	}
	return "services[" + strconv.Itoa(p.service) + "].health"
}

// split finds the "health" of each service and the "hooks", and returns a text that has
// everything else at the same lines and columns, which is the JSON of a table.
func split(text []byte) (parts []part, bare []byte, err error) {
	if !bytes.Contains(text, []byte(`"health"`)) && !bytes.Contains(text, []byte(`"hooks"`)) || !json.Valid(text) {
		return nil, text, nil
	}
	s := splitter{jsonWalk: jsonWalk{json.NewDecoder(bytes.NewReader(text)), text}, seen: map[int]bool{}}
	s.object(func(name string, at int) {
		switch name {
		case "hooks":
			s.take(hooksPart, at)
		case "services":
			s.list(s.service)
		default:
			s.skip()
		}
	})
	if s.err != nil {
		return nil, nil, s.err
	}
	return s.parts, append(s.bare, text[s.copied:]...), nil
}

// splitter copies a text without the parts that it finds.
type splitter struct {
	jsonWalk
	parts  []part
	seen   map[int]bool // parts that were found
	bare   []byte
	copied int // up to where the text is in bare
	err    error
}

func (s *splitter) service(n int) {
	s.object(func(name string, at int) {
		if name == "health" {
			s.take(n, at)
		} else {
			s.skip()
		}
	})
}

// take takes the part that is the value of the member which begins at a place.
func (s *splitter) take(service, at int) {
	p := part{service, s.skip()}
	if s.seen[service] && s.err == nil {
		s.err = placedAt(s.text, at, &ConfigError{p.path(), errors.New("is there twice")})
	}
	s.seen[service] = true
	s.parts = append(s.parts, p)
	s.blank(at, s.at())
}

// blank replaces a member of an object by spaces, with the comma behind it, or before it
// if it is the last one.
func (s *splitter) blank(from, to int) {
	behind := to + len(s.text[to:]) - len(bytes.TrimLeft(s.text[to:], " \t\r\n"))
	if s.text[behind] == ',' {
		to = behind + 1
	}
	s.bare = append(s.bare, s.text[s.copied:from]...)
	if s.text[behind] != ',' {
		if last := len(bytes.TrimRight(s.bare, " \t\r\n")) - 1; s.bare[last] == ',' {
			s.bare[last] = ' '
		}
	}
	for rest := s.text[from:to]; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r != '\n' {
			r = ' '
		}
		s.bare = append(s.bare, byte(r))
		rest = rest[size:]
	}
	s.copied = to
}

// jsonWalk walks through a text of valid JSON.
type jsonWalk struct {
	*json.Decoder
	text []byte
}

// at returns where the walk is.
func (w jsonWalk) at() int { return int(w.InputOffset()) }

// next returns where the next token begins.
func (w jsonWalk) next() int {
	rest := w.text[w.at():]
	return len(w.text) - len(bytes.TrimLeft(rest, " \t\r\n,:"))
}

// skip moves past a value, and returns it.
func (w jsonWalk) skip() []byte {
	var value json.RawMessage
	_ = w.Decode(&value) // cannot fail: it is valid JSON
	return value
}

// object calls member for each member of an object, with its name and where it begins,
// to walk past its value. It moves past a value of another kind.
func (w jsonWalk) object(member func(name string, at int)) {
	if w.text[w.next()] != '{' {
		w.skip()
		return
	}
	_, _ = w.Token()
	for w.More() {
		at := w.next()
		name, _ := w.Token()
		text, _ := name.(string)
		member(text, at)
	}
	_, _ = w.Token()
}

// list calls element for each element of a list, to walk past it. It moves past a value
// of another kind.
func (w jsonWalk) list(element func(n int)) {
	if w.text[w.next()] != '[' {
		w.skip()
		return
	}
	_, _ = w.Token()
	for n := 0; w.More(); n++ {
		element(n)
	}
	_, _ = w.Token()
}

// membersOf returns the members of an object, which a text of JSON must be, and refuses
// others than those of some names, and one that is there twice.
func membersOf(text []byte, names ...string) (map[string]json.RawMessage, error) {
	var syntax *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &syntax) {
		return nil, placedAt(text, max(0, int(syntax.Offset)-1), err)
	}
	w := jsonWalk{json.NewDecoder(bytes.NewReader(text)), text}
	if text[w.next()] != '{' {
		return nil, placedAt(text, w.next(), errors.New("must be an object"))
	}
	var err error
	all := map[string]json.RawMessage{}
	w.object(func(name string, at int) {
		switch {
		case err != nil:
		case !slices.Contains(names, name):
			err = placedAt(text, at, fmt.Errorf("%q is not a known field; want %s", name, strings.Join(names, ", ")))
		case all[name] != nil:
			err = placedAt(text, at, fmt.Errorf("%q is there twice", name))
		}
		all[name] = w.skip()
	})
	return all, err
}

// wrongAt returns an error with the place of what is wrong.
func wrongAt(text []byte, err *ConfigError) error {
	return placedAt(text, offsetOf(text, err.Field), err)
}

// offsetOf returns where the value at a path begins, or the innermost one around it that
// is there.
func offsetOf(text []byte, path string) int {
	w := jsonWalk{json.NewDecoder(bytes.NewReader(text)), text}
	found := w.next()
	w.find("", path, &found)
	return found
}

// find walks past the value at a path, and notes where what is on the way to another
// one begins.
func (w jsonWalk) find(at, path string, found *int) {
	begin := w.next()
	if !leadsTo(at, path) {
		w.skip()
		return
	}
	*found = begin
	switch w.text[begin] {
	case '{':
		w.object(func(name string, _ int) {
			key := at + "[" + name + "]" // of a map
			if at == "" {
				key = name
			} else if !leadsTo(key, path) {
				key = at + "." + name
			}
			w.find(key, path, found)
		})
	case '[':
		w.list(func(n int) { w.find(at+"["+strconv.Itoa(n)+"]", path, found) })
	default:
		w.skip()
	}
}

// leadsTo reports whether a path is that of another one, or of what is around it.
func leadsTo(outer, path string) bool {
	if len(path) < len(outer) || path[:len(outer)] != outer {
		return false
	}
	rest := path[len(outer):]
	return outer == "" || rest == "" || rest[0] == '.' || rest[0] == '['
}

// placedAt returns an error with the place of a byte of its text.
func placedAt(text []byte, at int, err error) *FileError {
	before := text[:min(at, len(text))]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return &FileError{Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(line), Err: err}
}
