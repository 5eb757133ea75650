package lvs

import "encoding/json"

// snapshotFile is a Snapshot in JSON and YAML.
type snapshotFile struct {
	Version  int            `json:"version" yaml:"version"`
	Services []ServiceEntry `json:"services" yaml:"services"`
}

func (s Snapshot) file() snapshotFile {
	if s.Services == nil {
		s.Services = []ServiceEntry{}
	}
	return snapshotFile{formatVersion, s.Services}
}

// MarshalJSON returns the snapshot with the version of its format.
func (s Snapshot) MarshalJSON() ([]byte, error) { return json.Marshal(s.file()) }

// UnmarshalJSON decodes what MarshalJSON returns, and leaves the snapshot as it is if it
// cannot. Another version, or none, and unknown fields match [ErrInvalid].
func (s *Snapshot) UnmarshalJSON(text []byte) error {
	return s.unmarshal(func(into any) error { return unmarshalVersioned("snapshot", text, into) })
}

// MarshalYAML returns the fields of MarshalJSON, for the usual YAML packages.
func (s Snapshot) MarshalYAML() (any, error) { return s.file(), nil }

// UnmarshalYAML decodes what MarshalYAML returns, as UnmarshalJSON does. It is the method
// that YAML packages look for.
func (s *Snapshot) UnmarshalYAML(unmarshal func(any) error) error {
	return s.unmarshal(func(into any) error { return unmarshalVersionedYAML("snapshot", unmarshal, into) })
}

func (s *Snapshot) unmarshal(into func(any) error) error {
	var f snapshotFile
	if err := into(&f); err != nil {
		return err
	}
	s.Services = f.Services
	return nil
}
