package lvs

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// formatVersion is the version of what is saved in files and sent between hosts.
// Other versions are refused, because a program that ignored what it does not
// know would undo or judge something else than was meant.
const formatVersion = 1

// unmarshalVersioned decodes JSON that must have the version of this package.
func unmarshalVersioned(what string, text []byte, into any) error {
	var head struct {
		Version *int `json:"version"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return notParsed(what, err)
	}
	switch {
	case head.Version == nil:
		return invalid("version", "is missing, and must be %d", formatVersion).about(OpParse, what)
	case *head.Version != formatVersion:
		return invalid("version", "is %d, and this version of the library reads only %d", *head.Version, formatVersion).about(OpParse, what)
	}
	return unmarshalStrict(what, text, into)
}

// unmarshalStrict decodes JSON without unknown fields.
func unmarshalStrict(what string, text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return notParsed(what, err)
	}
	return nil
}

// unmarshalStrictYAML decodes YAML without unknown fields into a struct, whatever
// the options of the YAML package.
func unmarshalStrictYAML(what string, unmarshal func(any) error, into any) error {
	var found map[string]any
	if err := unmarshal(&found); err != nil {
		return err
	}
	known := yamlFields(reflect.TypeOf(into).Elem())
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(known, name) {
			return unknownField(what, name)
		}
	}
	return unmarshal(into)
}

// yamlFields returns the names that the fields of a struct have in YAML.
func yamlFields(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if option == "inline" {
			names = append(names, yamlFields(t.Field(i).Type)...)
		} else {
			names = append(names, name)
		}
	}
	return names
}

func unknownField(what, name string) error {
	return invalid(name, "is not a field of it").about(OpParse, what)
}

// notParsed returns a decoder's error as one that matches [ErrInvalid]. It leaves
// the errors of nested values as they are.
func notParsed(what string, err error) error {
	var bad *Error
	if errors.As(err, &bad) {
		return err
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return unknownField(what, strings.Trim(field, `"`))
	}
	return (&Error{kind: ErrInvalid, cause: err}).about(OpParse, what)
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
