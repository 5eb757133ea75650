package director

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/golvs/lvs"
)

// DecodeJSON returns the table in a text of JSON, and validates it. The error is a
// [*FileError] without Path. It has the place of the first problem where that is known,
// and wraps what [json.Unmarshal] or [lvs.Table.Validate] returned.
func DecodeJSON(content []byte) (lvs.Table, error) {
	var table lvs.Table
	err := json.Unmarshal(content, &table)
	if err == nil {
		err = table.Validate()
	}
	if err != nil {
		line, column := placeOf(content, err)
		return lvs.Table{}, &FileError{Line: line, Column: column, Err: err}
	}
	return table, nil
}

// placeOf returns the line and column of an error in a text of JSON, or zeros.
func placeOf(content []byte, err error) (line, column int) {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		// The offset is behind the character that does not fit.
		return lineAndColumn(content, max(0, int(syntax.Offset)-1))
	}
	root, ok := parse(content)
	if !ok {
		return 0, 0
	}
	if path := pathOf(err); path != "" {
		return lineAndColumn(content, root.find(path).start)
	}
	return 0, 0
}

// pathOf returns the path of the first problem of a table, or "".
func pathOf(err error) string {
	var problem *lvs.Error
	if errors.As(err, &problem) {
		return problem.Field
	}
	return ""
}

// lineAndColumn returns the place of the character at an offset.
func lineAndColumn(content []byte, offset int) (line, column int) {
	before := content[:min(offset, len(content))]
	last := before[bytes.LastIndexByte(before, '\n')+1:]
	return 1 + bytes.Count(before, []byte("\n")), 1 + utf8.RuneCount(last)
}

// node is a value of a text of JSON, with its place.
type node struct {
	start  int // in bytes
	fields map[string]*node
	items  []*node
}

// parse returns the values of a text that is valid JSON.
func parse(content []byte) (*node, bool) {
	d := json.NewDecoder(bytes.NewReader(content))
	d.UseNumber()
	root, err := parseValue(d, content)
	return root, err == nil
}

func parseValue(d *json.Decoder, content []byte) (*node, error) {
	before := int(d.InputOffset())
	n := &node{start: before + len(content[before:]) - len(bytes.TrimLeft(content[before:], " \t\r\n,:"))}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		n.fields = map[string]*node{}
		for d.More() && err == nil {
			err = n.parseField(d, content)
		}
	case json.Delim('['):
		for d.More() && err == nil {
			var item *node
			item, err = parseValue(d, content)
			n.items = append(n.items, item)
		}
	default:
		return n, nil
	}
	if err == nil {
		_, err = d.Token() // the end of the object or array
	}
	return n, err
}

func (n *node) parseField(d *json.Decoder, content []byte) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	name, _ := token.(string) // JSON has no other names
	n.fields[name], err = parseValue(d, content)
	return err
}

// find returns the value at a path such as services[3].realServers[0].mode, or the
// innermost one around it that exists.
func (n *node) find(path string) *node {
	for part := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := n.fields[part]
		if i, err := strconv.Atoi(part); err == nil && i < len(n.items) {
			next = n.items[i]
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}
