package health

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// An encoder writes values of this package as JSON, as a [decoder] reads them: durations
// as text, probes with their kinds, and no fields that are zero. Package json does
// the rest.
type encoder struct{ bytes.Buffer }

func encode[T any](v *T) ([]byte, error) {
	var e encoder
	err := e.value(reflect.ValueOf(v).Elem())
	return e.Bytes(), err
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	probeType    = reflect.TypeFor[Probe]()
	here         = reflect.TypeFor[Policy]().PkgPath()
)

// isWalked reports whether values of a type are encoded and decoded here, and not by
// package json.
func isWalked(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer:
		return isWalked(t.Elem())
	case reflect.Slice: // element by element, for the path; package json reads bytes from a string
		return t.Elem().Kind() != reflect.Uint8
	case reflect.Map:
		return true
	case reflect.Struct:
		return t.PkgPath() == here && !t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	}
	return t == durationType || t == probeType
}

func (e *encoder) value(v reflect.Value) error {
	switch {
	case !isWalked(v.Type()):
		text, err := json.Marshal(v.Interface())
		e.Write(text)
		return err
	case v.Type() == durationType:
		fmt.Fprintf(e, "%q", time.Duration(v.Int()))
		return nil
	case v.Type() == probeType:
		return e.probe(v)
	case v.Kind() == reflect.Struct:
		return e.object(v)
	case v.Kind() == reflect.Map:
		return e.table(v)
	case v.Kind() == reflect.Slice:
		return e.list(v)
	case v.IsNil():
		e.WriteString("null")
		return nil
	}
	return e.value(v.Elem())
}

func (e *encoder) object(v reflect.Value) error {
	e.WriteByte('{')
	first := true
	for _, f := range fieldsOf(v.Type()) {
		field := v.FieldByIndex(f.index)
		if field.IsZero() || (field.Kind() == reflect.Slice || field.Kind() == reflect.Map) && field.Len() == 0 {
			continue
		}
		if err := e.next(&first, f.name, field); err != nil {
			return err
		}
	}
	e.WriteByte('}')
	return nil
}

// table writes a map whose keys are texts, in their order.
func (e *encoder) table(v reflect.Value) error {
	type entry struct {
		key   string
		value reflect.Value
	}
	var entries []entry
	for it := v.MapRange(); it.Next(); {
		key, err := writtenKey(it.Key())
		if err != nil {
			return err
		}
		entries = append(entries, entry{key, it.Value()})
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.key, b.key) })
	e.WriteByte('{')
	first := true
	for _, one := range entries {
		if err := e.next(&first, one.key, one.value); err != nil {
			return err
		}
	}
	e.WriteByte('}')
	return nil
}

// writtenKey returns what readKey reads.
func writtenKey(v reflect.Value) (string, error) {
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		key, err := text.MarshalText()
		return string(key), err
	}
	return v.String(), nil
}

// next writes a member of an object.
func (e *encoder) next(first *bool, name string, v reflect.Value) error {
	if !*first {
		e.WriteByte(',')
	}
	*first = false
	key, err := json.Marshal(name)
	if err != nil {
		return err
	}
	e.Write(key)
	e.WriteByte(':')
	return e.value(v)
}

func (e *encoder) list(v reflect.Value) error {
	e.WriteByte('[')
	for i := range v.Len() {
		if i > 0 {
			e.WriteByte(',')
		}
		if err := e.value(v.Index(i)); err != nil {
			return err
		}
	}
	e.WriteByte(']')
	return nil
}

// jsonField is a field of a struct in JSON.
type jsonField struct {
	name  string
	index []int
}

func fieldsOf(t reflect.Type) (fields []jsonField) {
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "" && name != "-" {
			fields = append(fields, jsonField{name, f.Index})
		}
	}
	return fields
}
