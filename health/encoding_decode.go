package health

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/golvs/lvs"
)

// A decoder reads what an [encoder] writes. It refuses fields that are unknown or there
// twice, and its errors have the path of what is wrong.
type decoder struct {
	path  string
	depth int
}

// deepest is how deep values may be in each other.
const deepest = 50

// decode leaves the value as it is if it fails.
func decode[T any](text []byte, into *T) error {
	var d decoder
	if err := json.Unmarshal(text, new(json.RawMessage)); err != nil {
		return d.fail("%v", err)
	}
	read := reflect.New(reflect.TypeFor[T]()).Elem()
	if err := d.value(text, read); err != nil {
		return err
	}
	*into = read.Interface().(T)
	return nil
}

func (d *decoder) fail(format string, args ...any) error {
	return invalid(d.path, format, args...)
}

// failAt returns the error of a member of a name. One that no field can have is quoted.
func (d *decoder) failAt(name, format string, args ...any) error {
	name = clip(name)
	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsLower(first) || strings.ContainsFunc(name, unicode.IsControl) {
		name = strconv.Quote(name)
	}
	return invalid(joinPath(d.path, name), format, args...)
}

// failAtKey returns the error of a member of a map.
func (d *decoder) failAtKey(key, format string, args ...any) error {
	return invalid(d.path+"["+clip(key)+"]", format, args...)
}

func (d *decoder) value(text json.RawMessage, into reflect.Value) error {
	t := into.Type()
	switch {
	case d.depth > deepest:
		return d.fail("is more than %d levels deep", deepest)
	case !isWalked(t):
		return d.leaf(text, into)
	case string(text) == "null":
		return nil
	case t == durationType:
		return d.duration(text, into)
	case t == probeType:
		return d.probe(text, into)
	case t.Kind() == reflect.Struct:
		return d.object(text, into)
	case t.Kind() == reflect.Map:
		return d.table(text, into)
	case t.Kind() == reflect.Slice:
		return d.list(text, into)
	}
	into.Set(reflect.New(t.Elem()))
	return d.value(text, into.Elem())
}

// within reads a value that has a name.
func (d *decoder) within(name string, text json.RawMessage, into reflect.Value) error {
	inner := decoder{joinPath(d.path, name), d.depth + 1}
	return inner.value(text, into)
}

// joinPath returns the path of a field or an element within another.
func joinPath(outer, inner string) string {
	if outer == "" || inner == "" || inner[0] == '[' {
		return outer + inner
	}
	return outer + "." + inner
}

func (d *decoder) object(text json.RawMessage, into reflect.Value) error {
	members, err := d.members(text)
	if err != nil {
		return err
	}
	fields := fieldsOf(into.Type())
	seen := make([]bool, len(fields))
	for _, m := range members {
		i := slices.IndexFunc(fields, func(f jsonField) bool { return f.name == m.name })
		if i < 0 {
			return d.failAt(m.name, "is not a known field; want %s", fieldNames(fields))
		}
		if seen[i] {
			return d.failAt(m.name, "is there twice")
		}
		seen[i] = true
		if err := d.within(m.name, m.value, into.FieldByIndex(fields[i].index)); err != nil {
			return err
		}
	}
	return nil
}

func fieldNames(fields []jsonField) string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// table reads a map whose keys are texts.
func (d *decoder) table(text json.RawMessage, into reflect.Value) error {
	members, err := d.members(text)
	if err != nil {
		return err
	}
	t := into.Type()
	if len(members) > 0 {
		into.Set(reflect.MakeMap(t))
	}
	for _, m := range members {
		key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
		if err := readKey(m.name, key); err != nil {
			return d.failAtKey(m.name, "%v", err)
		}
		if into.MapIndex(key).IsValid() {
			return d.failAtKey(m.name, "is there twice")
		}
		if err := d.within(fmt.Sprintf("[%v]", key), m.value, value); err != nil {
			return err
		}
		into.SetMapIndex(key, value)
	}
	return nil
}

// readKey reads the key of a map, which is a string or has a text form.
func readKey(name string, into reflect.Value) error {
	if text, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return text.UnmarshalText([]byte(name))
	}
	into.SetString(name)
	return nil
}

func (d *decoder) list(text json.RawMessage, into reflect.Value) error {
	var all []json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return d.fail("is %s, and must be an array", found(text))
	}
	if len(all) == 0 {
		return nil
	}
	into.Set(reflect.MakeSlice(into.Type(), len(all), len(all)))
	for i, one := range all {
		if err := d.within(fmt.Sprintf("[%d]", i), one, into.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) duration(text json.RawMessage, into reflect.Value) error {
	var s string
	err := json.Unmarshal(text, &s)
	read, wrong := time.ParseDuration(s)
	if err != nil || wrong != nil {
		return d.fail("is %s, and must be a duration such as \"1m30s\", with its unit", found(text))
	}
	into.SetInt(int64(read))
	return nil
}

// leaf has package json read a value.
func (d *decoder) leaf(text json.RawMessage, into reflect.Value) error {
	err := json.Unmarshal(text, into.Addr().Interface())
	var wrong *json.UnmarshalTypeError
	var inner *lvs.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		return d.fail("is %s, and must be %s", found(text), wanted(wrong.Type))
	case errors.As(err, &inner) && inner.Field != "":
		return invalid(joinPath(d.path, inner.Field), "%v", err)
	}
	return d.fail("%v", err)
}

// found returns a value for an error.
func found(text json.RawMessage) string {
	switch text[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return clip(string(text))
}

// wanted returns what a value of a type must be in JSON.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return fmt.Sprintf("a whole number from 0 to %d", uint64(1)<<t.Bits()-1)
	}
	return "a whole number"
}

// clip shortens a text for an error.
func clip(s string) string {
	const most = 300 // bytes
	if len(s) > most {
		s = s[:most] + "…"
	}
	return strings.ToValidUTF8(s, "")
}

// jsonMember is a member of an object.
type jsonMember struct {
	name  string
	value json.RawMessage
}

// members returns the members of an object, in its order.
func (d *decoder) members(text json.RawMessage) (members []jsonMember, err error) {
	if text[0] != '{' {
		return nil, d.fail("is %s, and must be an object", found(text))
	}
	read := json.NewDecoder(bytes.NewReader(text))
	_, _ = read.Token() // the brace; nothing fails below, because the text is valid
	for read.More() {
		key, _ := read.Token()
		m := jsonMember{name: key.(string)}
		_ = read.Decode(&m.value)
		members = append(members, m)
	}
	return members, nil
}
