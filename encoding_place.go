package lvs

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// textPlace is a place in a text. It only moves forward, so that finding many places
// reads the text once.
type textPlace struct {
	text         []byte
	offset       int
	line, column int // from 1; a column is a character
}

func startOf(text []byte) textPlace { return textPlace{text: text, line: 1, column: 1} }

// move moves the place forward to an offset.
func (p *textPlace) move(offset int) {
	part := p.text[p.offset:min(offset, len(p.text))]
	if n := bytes.Count(part, []byte("\n")); n > 0 {
		p.line, p.column = p.line+n, 1
		part = part[bytes.LastIndexByte(part, '\n')+1:]
	}
	p.column += utf8.RuneCount(part)
	p.offset = offset
}

// placeAt sets the place of an error of text.
func (e *Error) placeAt(text []byte, offset int) {
	p := startOf(text)
	p.move(offset)
	e.Line, e.Column = p.line, p.column
}

// placeByPath sets the places of errors whose fields are paths in a text of valid JSON.
// That of a value that is not there is the place of the innermost one around it.
func placeByPath(text []byte, all problems) {
	p := jsonPlaces{jsonDecoder{text: text}, startOf(text), map[string]textPlace{"": {}}}
	for _, e := range all {
		for path := e.Field; path != ""; path = outerPath(path) {
			p.found[path] = textPlace{}
		}
	}
	p.find("")
	for _, e := range all {
		path := e.Field
		for p.found[path].line == 0 {
			path = outerPath(path)
		}
		e.Line, e.Column = p.found[path].line, p.found[path].column
	}
}

// jsonPlaces finds the places of values in a text of JSON, by their paths.
type jsonPlaces struct {
	jsonDecoder
	now   textPlace
	found map[string]textPlace // has the paths to look for, and is zero for values that are not there
}

// find moves past the value at a path, and notes the places of it and of those within.
func (p *jsonPlaces) find(path string) {
	p.space()
	if _, wanted := p.found[path]; !wanted {
		p.skip()
		return
	}
	p.now.move(p.at)
	p.found[path] = p.now
	switch p.text[p.at] {
	case '{':
		p.at++
		for p.more('}') {
			p.find(joinPath(path, p.key()))
		}
	case '[':
		p.at++
		for n := 0; p.more(']'); n++ {
			p.find(joinPath(path, "["+strconv.Itoa(n)+"]"))
		}
	default:
		p.skip()
	}
}

// outerPath returns the path of what a field or element is in.
func outerPath(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }
