package lvs

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// formatVersion is the version of what is saved in files and sent between hosts.
// Other versions are refused, because a program that ignored what it does not
// know would undo or judge something else than was meant.
const formatVersion = 1

// unmarshalVersioned decodes JSON that must have the version of this package.
func unmarshalVersioned(what string, text []byte, into any) error {
	bad, _ := decodeVersioned(text, into)
	return notParsed(what, bad)
}

// decodeVersioned is decodeJSON of text that must have the version of this package. The
// offset is -1 if the version is wrong.
func decodeVersioned(text []byte, into any) (bad *Error, offset int) {
	var head struct {
		Version json.RawMessage `json:"version"`
	}
	version := 0
	switch err := json.Unmarshal(text, &head); {
	case err != nil: // decodeJSON says what is wrong
	case head.Version == nil:
		return invalid("version", "is missing, and must be %d", formatVersion), -1
	case json.Unmarshal(head.Version, &version) != nil || version != formatVersion:
		return invalid("version", "is %s, and this version of the library reads only %d", clip(string(head.Version)), formatVersion), -1
	}
	return decodeJSON(text, into)
}

// unmarshalStrict decodes JSON without unknown fields.
func unmarshalStrict(what string, text []byte, into any) error {
	bad, _ := decodeJSON(text, into)
	return notParsed(what, bad)
}

// notParsed returns the error of a value that was not parsed, or nil.
func notParsed(what string, bad *Error) error {
	if bad == nil {
		return nil
	}
	return bad.about(OpParse, what)
}

// unmarshalStrictYAML decodes YAML without unknown fields into a struct, whatever
// the options of the YAML package. What it reads is the JSON of the same fields.
func unmarshalStrictYAML(what string, unmarshal func(any) error, into any) error {
	return decodeYAML(unmarshal, func(text []byte) error { return unmarshalStrict(what, text, into) })
}

// unmarshalVersionedYAML is unmarshalStrictYAML of text that must have the version of
// this package.
func unmarshalVersionedYAML(what string, unmarshal func(any) error, into any) error {
	return decodeYAML(unmarshal, func(text []byte) error { return unmarshalVersioned(what, text, into) })
}

// decodeYAML decodes YAML by way of JSON.
func decodeYAML(unmarshal func(any) error, fromJSON func(text []byte) error) error {
	var found any
	if err := unmarshal(&found); err != nil {
		return err
	}
	var k textKeys
	found = k.of(found, 0)
	text, err := []byte(nil), errTooMuch
	if !k.tooMuch() {
		text, err = json.Marshal(found)
	}
	if err != nil {
		return (&Error{kind: ErrInvalid, cause: err}).about(OpParse, "YAML")
	}
	return fromJSON(text)
}

var errTooMuch = errors.New("it is too large or too deep: look at its anchors and aliases")

// textKeys makes values of YAML such as package json encodes: some YAML packages decode
// into maps whose keys have any type. In JSON, values that aliases share are repeated,
// so that a short text could become any amount of it.
type textKeys struct {
	size int // about that of the JSON
	deep bool
}

func (k *textKeys) tooMuch() bool {
	const most = 256 << 20
	return k.deep || k.size > most
}

func (k *textKeys) of(v any, depth int) any {
	const deepest = 100
	k.size += 8
	k.deep = k.deep || depth > deepest
	if k.tooMuch() {
		return nil
	}
	switch v := v.(type) {
	case string:
		k.size += len(v)
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			name := fmt.Sprint(key)
			k.size += len(name)
			m[name] = k.of(value, depth+1)
		}
		return m
	case map[string]any:
		for key, value := range v {
			k.size += len(key)
			v[key] = k.of(value, depth+1)
		}
	case []any:
		for n, value := range v {
			v[n] = k.of(value, depth+1)
		}
	}
	return v
}

// textDuration is a duration whose text form in JSON and YAML is that of
// [time.Duration.String], such as "15m0s".
type textDuration time.Duration

func (d textDuration) String() string { return time.Duration(d).String() }

func (d textDuration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d *textDuration) UnmarshalText(text []byte) error {
	read, err := time.ParseDuration(string(text))
	if err != nil {
		return invalid("", "want a duration such as 15m or 900s, with its unit").about(OpParse, `"`+string(text)+`"`)
	}
	*d = textDuration(read)
	return nil
}
