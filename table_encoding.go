package lvs

import "encoding/json"

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

// ParseTable returns the table in a text of JSON, as [Table.UnmarshalJSON] does, and
// validates it, as [Table.Validate] does. The error is an [*Error] of what is wrong first
// with the text, or a [*TableError] of all that is wrong with the table. Each of its
// problems has the line and the column: of the value, of the name of a field that should
// not be there, or of what a missing value would be in.
func ParseTable(text []byte) (Table, error) {
	var f tableFile
	bad, offset := decodeVersioned(text, &f)
	switch {
	case bad == nil:
	case offset < 0:
		placeByPath(text, problems{bad})
	default:
		bad.placeAt(text, offset)
	}
	if bad != nil {
		return Table{}, bad.about(OpParse, "table")
	}
	t := Table{f.Services}
	if all := t.problems(); len(all) > 0 {
		placeByPath(text, all)
		return Table{}, &TableError{all}
	}
	return t, nil
}

// MarshalJSON returns the table with the version of its format. The error matches
// [ErrInvalid] for a mask that is not valid.
func (t Table) MarshalJSON() ([]byte, error) { return json.Marshal(t.file()) }

// UnmarshalJSON decodes what MarshalJSON returns, and leaves the table as it is if it
// cannot. Another version, or none, and unknown fields match [ErrInvalid]. The weight of
// a real server is 1 if absent. [ParseTable] also validates, and says in which line and
// column the text is wrong.
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
