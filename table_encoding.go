package lvs

import (
	"encoding/json"
	"fmt"
)

// tableFile is a Table in JSON and YAML.
type tableFile struct {
	Version  int            `json:"version" yaml:"version"`
	Services []TableService `json:"services" yaml:"services"`
}

func (t Table) file() tableFile {
	if t.Services == nil {
		t.Services = []TableService{}
	}
	return tableFile{formatVersion, t.Services}
}

// ParseTable parses a table in JSON, as [Table.UnmarshalJSON] does. The Object of its
// errors says where text is wrong, such as "table, line 12, column 7".
func ParseTable(text []byte) (Table, error) {
	var f tableFile
	bad, offset := decodeVersioned(text, &f)
	if bad == nil {
		return Table{f.Services}, nil
	}
	what := "table"
	if offset >= 0 {
		line, column := placeOf(text, offset)
		what = fmt.Sprintf("table, line %d, column %d", line, column)
	}
	return Table{}, bad.about(OpParse, what)
}

// MarshalJSON returns the table with the version of its format. The error matches
// [ErrInvalid] for a mask that is not valid.
func (t Table) MarshalJSON() ([]byte, error) { return json.Marshal(t.file()) }

// UnmarshalJSON decodes what MarshalJSON returns, and leaves the table as it is if it
// cannot. Another version, or none, and unknown fields match [ErrInvalid]. The weight of
// a real server is 1 if absent. [ParseTable] also reports the line and the column of what
// is wrong.
func (t *Table) UnmarshalJSON(text []byte) error {
	return t.unmarshal(func(into any) error { return unmarshalVersioned("table", text, into) })
}

// MarshalYAML returns the fields of MarshalJSON, for the usual YAML packages.
func (t Table) MarshalYAML() (any, error) { return t.file(), nil }

// UnmarshalYAML decodes what MarshalYAML returns, as UnmarshalJSON does. It is the method
// that YAML packages look for. Values of text, such as addresses, must be texts in YAML
// too: put quotes around what YAML takes for something else.
func (t *Table) UnmarshalYAML(unmarshal func(any) error) error {
	return t.unmarshal(func(into any) error { return unmarshalVersionedYAML("table", unmarshal, into) })
}

func (t *Table) unmarshal(into func(any) error) error {
	var f tableFile
	if err := into(&f); err != nil {
		return err
	}
	t.Services = f.Services
	return nil
}
