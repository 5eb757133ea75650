package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Config is a table and how its real servers are checked. In JSON it is the object of an
// [lvs.Table], in which each service may have a "health": the JSON of a [health.Policy].
// So the JSON of a table is that of a Config without checks.
type Config struct {
	Table  lvs.Table                       // what is wanted
	Health map[lvs.ServiceID]health.Policy // of the services that are checked
}

// Validate returns an error that matches [lvs.ErrInvalid] if the table is not valid, or
// its checks cannot work with it.
func (c Config) Validate() error {
	if err := c.Table.Validate(); err != nil {
		return err
	}
	for id := range c.Health {
		if !slices.ContainsFunc(c.Table.Services, func(s lvs.TableService) bool { return s.ID == id }) {
			return invalid("Health", "has checks of %s, which the table does not have", id)
		}
	}
	for i, s := range c.Table.Services {
		if p, checked := c.Health[s.ID]; checked {
			if err := p.Validate(s); err != nil {
				return NewHealthError(i, err)
			}
		}
	}
	return nil
}

// ParseConfig returns what a text of JSON wants, and validates it: all of it is refused,
// or nothing. Errors have the path of what is wrong, its line and its column, and are
// those of [lvs.ParseTable], or a [*FileError] without a path of a file.
func ParseConfig(text []byte) (Config, error) {
	found, bare, err := splitHealth(text)
	if err != nil {
		return Config{}, err
	}
	table, err := lvs.ParseTable(bare)
	if err != nil || len(found) == 0 {
		return Config{Table: table}, err
	}
	c := Config{table, make(map[lvs.ServiceID]health.Policy, len(found))}
	for _, f := range found {
		var p health.Policy
		err := json.Unmarshal(f.value, &p)
		if err == nil {
			err = p.Validate(table.Services[f.service])
		}
		if err != nil {
			return Config{}, f.wrong(text, err)
		}
		c.Health[table.Services[f.service].ID] = p
	}
	return c, nil
}

// UnmarshalJSON does what [ParseConfig] does.
func (c *Config) UnmarshalJSON(text []byte) error {
	read, err := ParseConfig(text)
	if err == nil {
		*c = read
	}
	return err
}

// configFile is a Config in JSON.
type configFile struct {
	Version  int             `json:"version"`
	Services []configService `json:"services"`
}

type configService struct {
	lvs.TableService
	Health *health.Policy `json:"health,omitempty"`
}

// MarshalJSON returns what [ParseConfig] reads. It fails for checks that have no JSON,
// such as a [health.Func].
func (c Config) MarshalJSON() ([]byte, error) {
	file := configFile{1, make([]configService, len(c.Table.Services))}
	for i, s := range c.Table.Services {
		file.Services[i].TableService = s
		if p, checked := c.Health[s.ID]; checked {
			file.Services[i].Health = &p
		}
	}
	return json.Marshal(file)
}

// HealthError says where in a Config the checks of a service are wrong.
type HealthError struct {
	Field string // a path such as "services[0].health.checks[1].interval"
	Err   error  // what is wrong
}

// Error returns the path and what is wrong there.
func (e *HealthError) Error() string { return e.Field + ": " + problemOf(e.Err) }

// Unwrap returns what is wrong.
func (e *HealthError) Unwrap() error { return e.Err }

// Is reports whether target is [lvs.ErrInvalid].
func (e *HealthError) Is(target error) bool { return target == lvs.ErrInvalid }

// NewHealthError returns the error of the checks of a service, which is the one at an
// index of its table.
func NewHealthError(service int, err error) *HealthError {
	path := fmt.Sprintf("services[%d].health", service)
	var bad *health.InvalidError
	if errors.As(err, &bad) {
		path += pathOf(bad.Field)
	}
	return &HealthError{path, err}
}

// problemOf returns the text of an error without the field, which the path names.
func problemOf(err error) string {
	var bad *health.InvalidError
	if errors.As(err, &bad) {
		return bad.Problem
	}
	return err.Error()
}

// pathOf returns how a path in JSON goes on to a field as Go names it, such as
// "Policy.Checks[0].Interval".
func pathOf(field string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.TrimPrefix(field, "Policy."), ".") {
		first, size := utf8.DecodeRuneInString(part)
		if size == 0 || first == '[' {
			b.WriteString(part)
			continue
		}
		b.WriteString("." + string(unicode.ToLower(first)) + part[size:])
	}
	return b.String()
}
