package lvs

import (
	"encoding/json"
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

// decodeVersioned is decodeJSON of text that must have the version of this package.
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
	text, err := json.Marshal(withTextKeys(found))
	if err != nil {
		return (&Error{kind: ErrInvalid, cause: err}).about(OpParse, "YAML")
	}
	return fromJSON(text)
}

// withTextKeys returns a value of YAML as one that package json encodes: some YAML
// packages decode into maps whose keys have any type.
func withTextKeys(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[fmt.Sprint(key)] = withTextKeys(value)
		}
		return m
	case map[string]any:
		for key, value := range v {
			v[key] = withTextKeys(value)
		}
	case []any:
		for n, value := range v {
			v[n] = withTextKeys(value)
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
