package director

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"
)

// healthText is the checks of a service in a text of JSON.
type healthText struct {
	service int    // its index
	value   []byte // the policy
}

// wrong returns the error of a policy, with its place in the text.
func (f healthText) wrong(text []byte, err error) error {
	bad := NewHealthError(f.service, err)
	return placedAt(text, offsetOf(text, bad.Field), bad)
}

// splitHealth finds the "health" of each service, and returns a text that has everything
// else at the same lines and columns, which is the JSON of a table.
func splitHealth(text []byte) (found []healthText, bare []byte, err error) {
	if !bytes.Contains(text, []byte(`"health"`)) || !json.Valid(text) {
		return nil, text, nil
	}
	s := splitter{jsonWalk{json.NewDecoder(bytes.NewReader(text)), text}, nil, nil, 0, nil}
	s.object(func(name string, _ int) {
		if name != "services" {
			s.skip()
			return
		}
		s.list(func(n int) { s.service(n) })
	})
	if s.err != nil {
		return nil, nil, s.err
	}
	return s.found, append(s.bare, text[s.copied:]...), nil
}

// splitter copies a text without what it finds.
type splitter struct {
	jsonWalk
	found  []healthText
	bare   []byte
	copied int // up to where the text is in bare
	err    error
}

func (s *splitter) service(n int) {
	seen := false
	s.object(func(name string, at int) {
		value := s.skip()
		if name != "health" {
			return
		}
		if seen && s.err == nil {
			s.err = placedAt(s.text, at, &HealthError{"services[" + strconv.Itoa(n) + "].health", errors.New("is there twice")})
		}
		seen = true
		s.found = append(s.found, healthText{n, value})
		s.blank(at, s.at())
	})
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
