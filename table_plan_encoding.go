package lvs

import (
	"encoding/json"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const tablePlanObject = "table plan" // for errors

// tablePlanFile is a plan in JSON and YAML.
type tablePlanFile struct {
	Version    int         `json:"version" yaml:"version"`
	Want       Table       `json:"want" yaml:"want"`
	Steps      []TableStep `json:"steps" yaml:"steps"`
	Unwanted   []ServiceID `json:"unwanted,omitempty" yaml:"unwanted,omitempty"`
	Misordered []ServiceID `json:"misordered,omitempty" yaml:"misordered,omitempty"`
	Found      []foundFile `json:"found,omitempty" yaml:"found,omitempty"`
}

// foundFile is a foundService in JSON and YAML.
type foundFile struct {
	ID     ServiceID        `json:"id" yaml:"id"`
	Was    digestText       `json:"was,omitempty" yaml:"was,omitempty"`
	Way    []digestText     `json:"way,omitempty" yaml:"way,omitempty"`
	Ending []netip.AddrPort `json:"ending,omitempty" yaml:"ending,omitempty"`
}

// digestText is a digest in text, such as "x1bcb544b471a0c87". Programs that keep numbers
// as floating point would change a number, and YAML knows texts that are numbers.
type digestText uint64

func (d digestText) MarshalText() ([]byte, error) {
	return strconv.AppendUint([]byte("x"), uint64(d), 16), nil
}

func (d *digestText) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "x")
	n, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil {
		return invalid("", "want an x and at most 16 hexadecimal digits").about(OpParse, strconv.Quote(string(text)))
	}
	*d = digestText(n)
	return nil
}

func (p TablePlan) file() tablePlanFile {
	f := tablePlanFile{Version: formatVersion, Want: p.Want, Steps: p.Steps, Unwanted: p.Unwanted, Misordered: p.Misordered}
	if f.Steps == nil {
		f.Steps = []TableStep{}
	}
	for _, s := range p.found {
		way := make([]digestText, len(s.Way))
		for i, d := range s.Way {
			way[i] = digestText(d)
		}
		f.Found = append(f.Found, foundFile{s.ID, digestText(s.Was), way, s.Ending})
	}
	return f
}

func (f tablePlanFile) plan() TablePlan {
	p := TablePlan{Want: f.Want, Steps: f.Steps, Unwanted: f.Unwanted, Misordered: f.Misordered}
	if len(p.Steps) == 0 {
		p.Steps = nil
	}
	for _, s := range f.Found {
		var way []uint64
		for _, d := range s.Way {
			way = append(way, uint64(d))
		}
		p.found = append(p.found, foundService{s.ID, uint64(s.Was), way, s.Ending})
	}
	return p
}

// MarshalJSON returns the plan with the version of its format. It also has digests of
// the services as the plan found them, by which applying it notices that they have
// changed.
func (p TablePlan) MarshalJSON() ([]byte, error) { return json.Marshal(p.file()) }

// UnmarshalJSON reads what MarshalJSON returns. The error matches [ErrInvalid] for
// another version, or none, for unknown fields, and for a plan that [Diff] cannot have
// made: [Error.Field] is the path of what is wrong, such as "steps[3].drain".
func (p *TablePlan) UnmarshalJSON(text []byte) error {
	return p.decode(func(into any) error { return unmarshalVersioned(tablePlanObject, text, into) })
}

// MarshalYAML returns the fields of MarshalJSON, for the usual YAML packages.
func (p TablePlan) MarshalYAML() (any, error) { return p.file(), nil }

// UnmarshalYAML reads what MarshalYAML returns, as UnmarshalJSON does. It is the method
// that YAML packages look for.
func (p *TablePlan) UnmarshalYAML(unmarshal func(any) error) error {
	return p.decode(func(into any) error { return unmarshalVersionedYAML(tablePlanObject, unmarshal, into) })
}

func (p *TablePlan) decode(into func(any) error) error {
	var f tablePlanFile
	if err := into(&f); err != nil {
		return err
	}
	read := f.plan()
	if bad := read.validate(); bad != nil {
		return bad.about(OpParse, tablePlanObject)
	}
	*p = read
	return nil
}

// tableStepFile is a step in JSON and YAML.
type tableStepFile struct {
	Change      Change       `json:"change" yaml:"change"`
	Was         *Change      `json:"was,omitempty" yaml:"was,omitempty"`
	RealServers []RealServer `json:"realServers,omitempty" yaml:"realServers,omitempty"`
	Drain       textDuration `json:"drain,omitempty" yaml:"drain,omitempty"`
	Notes       []string     `json:"notes,omitempty" yaml:"notes,omitempty"`
}

func (s TableStep) file() tableStepFile {
	f := tableStepFile{s.Change, nil, s.RealServers, textDuration(s.Drain), s.Notes}
	if s.Was.get().kind != noChange {
		f.Was = &s.Was
	}
	return f
}

// MarshalJSON returns the fields of the type, with Drain in its text form.
func (s TableStep) MarshalJSON() ([]byte, error) { return json.Marshal(s.file()) }

// UnmarshalJSON reads what MarshalJSON returns. Errors match [ErrInvalid].
func (s *TableStep) UnmarshalJSON(text []byte) error {
	return s.decode(func(into any) error { return unmarshalStrict("step of a table plan", text, into) })
}

// MarshalYAML returns the fields of MarshalJSON.
func (s TableStep) MarshalYAML() (any, error) { return s.file(), nil }

// UnmarshalYAML reads what MarshalYAML returns. It is the method that YAML packages look
// for.
func (s *TableStep) UnmarshalYAML(unmarshal func(any) error) error {
	return s.decode(func(into any) error { return unmarshalStrictYAML("step of a table plan", unmarshal, into) })
}

func (s *TableStep) decode(into func(any) error) error {
	var f tableStepFile
	if err := into(&f); err != nil {
		return err
	}
	*s = TableStep{Change: f.Change, RealServers: f.RealServers, Drain: time.Duration(f.Drain), Notes: f.Notes}
	setIfPresent(&s.Was, f.Was)
	return nil
}
