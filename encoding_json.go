package lvs

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// jsonDecoder decodes JSON into structs, and into lists of them and pointers to them.
// It refuses fields that are unknown or there twice, and finds the path and the place
// of what is wrong, which [json.Decoder] does not report. Values of other types are
// decoded by package json.
type jsonDecoder struct {
	text   []byte // valid JSON
	at     int    // offset of what is read next
	bad    int    // offset of what is wrong
	fields map[reflect.Type]map[string]jsonField
	walked map[reflect.Type]bool // what isWalked returned
}

// jsonField is a field of a struct.
type jsonField struct {
	number int   // among the fields of the struct
	index  []int // as of [reflect.Value.FieldByIndex]
}

// hasDefaults is implemented by structs whose absent fields are not all zero.
type hasDefaults interface{ setDefaults() }

// decodeJSON decodes text into a value of which a pointer is given, and leaves the value
// as it is if it cannot. Field of the error is the path of what is wrong, and offset its
// place.
func decodeJSON(text []byte, into any) (bad *Error, offset int) {
	if !json.Valid(text) {
		return syntaxError(text)
	}
	d := jsonDecoder{text: text, fields: map[reflect.Type]map[string]jsonField{}, walked: map[reflect.Type]bool{}}
	was := reflect.ValueOf(into).Elem()
	read := reflect.New(was.Type()).Elem()
	read.Set(was)
	if bad := d.value(read); bad != nil {
		return bad, d.bad
	}
	was.Set(read)
	return nil, 0
}

// syntaxError returns what is wrong with text that is not JSON.
func syntaxError(text []byte) (bad *Error, offset int) {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset = max(int(syntax.Offset)-1, 0) // which is behind what does not fit
	}
	return &Error{kind: ErrInvalid, cause: err}, offset
}

func (d *jsonDecoder) value(into reflect.Value) *Error {
	d.space()
	walked, known := d.walked[into.Type()]
	if !known {
		walked = isWalked(into.Type())
		d.walked[into.Type()] = walked
	}
	switch first := d.text[d.at]; {
	case !walked:
		return d.leaf(into)
	case first == 'n': // null leaves the value as it is
		d.skip()
		return nil
	case into.Kind() == reflect.Pointer:
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		return d.value(into.Elem())
	case into.Kind() == reflect.Struct && first == '{':
		return d.object(into)
	case into.Kind() == reflect.Slice && first == '[':
		return d.list(into)
	}
	start := d.at
	d.skip()
	return d.fail(start, wrongType(d.text[start:d.at], into.Type()))
}

// isWalked reports whether values of a type are decoded here, and not by package json.
func isWalked(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return isWalked(t.Elem())
	case reflect.Slice: // element by element, for the path; package json reads bytes from a string
		return t.Elem().Kind() != reflect.Uint8
	case reflect.Struct:
		p := reflect.PointerTo(t)
		return p.Implements(reflect.TypeFor[hasDefaults]()) ||
			!p.Implements(reflect.TypeFor[json.Unmarshaler]()) && !p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	}
	return false
}

func (d *jsonDecoder) object(into reflect.Value) *Error {
	if v, ok := into.Addr().Interface().(hasDefaults); ok {
		v.setDefaults()
	}
	d.at++
	fields := d.fieldsOf(into.Type())
	seen := make([]bool, len(fields))
	for d.more('}') {
		start := d.at
		name := d.key()
		f, known := fields[name]
		if !known {
			bad := invalid(clip(name), "is not a known field")
			bad.hint = didYouMean(name, fields)
			return d.fail(start, bad)
		}
		if seen[f.number] {
			return d.fail(start, invalid(name, "is there twice"))
		}
		seen[f.number] = true
		if bad := d.value(into.FieldByIndex(f.index)); bad != nil {
			bad.Field = joinPath(name, bad.Field)
			return bad
		}
	}
	return nil
}

func (d *jsonDecoder) list(into reflect.Value) *Error {
	d.at++
	into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	for n := 0; d.more(']'); n++ {
		into.Grow(1)
		into.SetLen(n + 1)
		into.Index(n).SetZero()
		if bad := d.value(into.Index(n)); bad != nil {
			bad.Field = joinPath("["+strconv.Itoa(n)+"]", bad.Field)
			return bad
		}
	}
	return nil
}

// leaf has package json decode a value.
func (d *jsonDecoder) leaf(into reflect.Value) *Error {
	start := d.at
	d.skip()
	err := json.Unmarshal(d.text[start:d.at], into.Addr().Interface())
	if err == nil {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field == "" {
		return d.fail(start, wrongType(d.text[start:d.at], into.Type()))
	}
	return d.fail(start, nested(err))
}

// nested returns the error of a value, with a path that begins at the value.
func nested(err error) *Error {
	var inner *Error
	if !errors.As(err, &inner) {
		return &Error{kind: ErrInvalid, cause: err}
	}
	bad := *inner
	if first, _ := utf8.DecodeRuneInString(bad.Field); unicode.IsUpper(first) { // a field in Go, of a value that is a text
		bad.Field = ""
		bad.prefix(bad.Object)
	}
	bad.detail = clip(bad.detail)
	return &bad
}

func (d *jsonDecoder) fail(at int, bad *Error) *Error {
	d.bad = at
	return bad
}

// fieldsOf returns the fields of a struct by their names in JSON. One that is deeper,
// of an embedded struct, is hidden by one of the same name.
func (d *jsonDecoder) fieldsOf(t reflect.Type) map[string]jsonField {
	if d.fields[t] == nil {
		d.fields[t] = map[string]jsonField{}
		for _, f := range reflect.VisibleFields(t) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" {
				name = f.Name
			}
			other, twice := d.fields[t][name]
			switch {
			case name == "-" || !f.IsExported() || f.Anonymous && f.Tag.Get("json") == "":
			case !twice:
				d.fields[t][name] = jsonField{len(d.fields[t]), f.Index}
			case len(f.Index) < len(other.index):
				d.fields[t][name] = jsonField{other.number, f.Index}
			}
		}
	}
	return d.fields[t]
}

// more moves to the next element of an object or a list, or past its end.
func (d *jsonDecoder) more(end byte) bool {
	d.space()
	switch d.text[d.at] {
	case end:
		d.at++
		return false
	case ',':
		d.at++
		d.space()
	}
	return true
}

// key reads the name of a field and the colon behind it.
func (d *jsonDecoder) key() string {
	start := d.at
	d.skip()
	quoted := d.text[start:d.at]
	d.space()
	d.at++
	if !bytes.ContainsRune(quoted, '\\') {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	json.Unmarshal(quoted, &name) // cannot fail: it is valid JSON
	return name
}

func (d *jsonDecoder) space() {
	for d.at < len(d.text) && strings.IndexByte(" \t\r\n", d.text[d.at]) >= 0 {
		d.at++
	}
}

// skip moves past a value.
func (d *jsonDecoder) skip() {
	depth := 0
	for d.at < len(d.text) {
		switch c := d.text[d.at]; c {
		case '"':
			d.skipString()
			if depth == 0 {
				return
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				if depth == 0 {
					d.at++
				}
				return
			}
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return
			}
		}
		d.at++
	}
}

func (d *jsonDecoder) skipString() {
	for d.at++; d.text[d.at] != '"'; d.at++ {
		if d.text[d.at] == '\\' {
			d.at++
		}
	}
	d.at++
}

// joinPath returns the path of a field or element within another.
func joinPath(outer, inner string) string {
	if outer == "" || inner == "" || inner[0] == '[' {
		return outer + inner
	}
	return outer + "." + inner
}

// wrongType refuses a value that a type cannot have.
func wrongType(raw []byte, t reflect.Type) *Error {
	is := clip(string(raw))
	switch raw[0] {
	case '{':
		is = "an object"
	case '[':
		is = "an array"
	}
	return invalid("", "is %s, and must be %s", is, wantedName(t))
}

// wantedName returns what a value of a type must be in JSON.
func wantedName(t reflect.Type) string {
	switch kind := t.Kind(); {
	case kind == reflect.String, reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "a string"
	case kind == reflect.Pointer:
		return wantedName(t.Elem())
	case kind == reflect.Slice:
		return "an array"
	case kind == reflect.Bool:
		return "true or false"
	case kind == reflect.Struct || kind == reflect.Map:
		return "an object"
	case kind >= reflect.Uint && kind <= reflect.Uint64:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	}
	return "a whole number"
}

// clip shortens text from a file for an error.
func clip(s string) string {
	const most = 300 // bytes
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
