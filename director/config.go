package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Config is a table, how its real servers are checked, and which programs run for what the
// checks find out. In JSON it is the object of an [lvs.Table], in which each service may
// have a "health": the JSON of a [health.Policy], and beside the services there may be
// "hooks": the JSON of [health.Hooks]. So the JSON of a table is that of a Config without
// checks and hooks.
type Config struct {
	Table  lvs.Table                       // what is wanted
	Health map[lvs.ServiceID]health.Policy // of the services that are checked
	Hooks  health.Hooks                    // programs that run for events of the checks, by names
}

// Validate returns an error that matches [lvs.ErrInvalid] if the table is not valid, or
// its checks or hooks cannot work with it.
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
	if err := c.Hooks.Validate(c.Table); err != nil {
		return NewHooksError(err)
	}
	return nil
}

// ParseConfig returns what a text of JSON wants, and validates it: all of it is refused,
// or nothing. Errors have the path of what is wrong, its line and its column, and are
// those of [lvs.ParseTable], or a [*FileError] without a path of a file.
func ParseConfig(text []byte) (Config, error) {
	parts, bare, err := split(text)
	if err != nil {
		return Config{}, err
	}
	c := Config{}
	if c.Table, err = lvs.ParseTable(bare); err != nil {
		return Config{}, err
	}
	for _, p := range parts {
		if err := c.add(p); err != nil {
			return Config{}, wrongAt(text, err)
		}
	}
	return c, nil
}

// add decodes a part of the text, and validates it.
func (c *Config) add(p part) *ConfigError {
	if p.service == hooksPart {
		err := json.Unmarshal(p.value, &c.Hooks)
		if err == nil {
			err = c.Hooks.Validate(c.Table)
		}
		if err != nil {
			return NewHooksError(err)
		}
		return nil
	}
	var policy health.Policy
	s := c.Table.Services[p.service]
	err := json.Unmarshal(p.value, &policy)
	if err == nil {
		err = policy.Validate(s)
	}
	if err != nil {
		return NewHealthError(p.service, err)
	}
	if c.Health == nil {
		c.Health = map[lvs.ServiceID]health.Policy{}
	}
	c.Health[s.ID] = policy
	return nil
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
	Hooks    health.Hooks    `json:"hooks,omitempty"`
	Services []configService `json:"services"`
}

type configService struct {
	lvs.TableService
	Health *health.Policy `json:"health,omitempty"`
}

// MarshalJSON returns what [ParseConfig] reads. It fails for checks that have no JSON,
// such as a [health.Func].
func (c Config) MarshalJSON() ([]byte, error) {
	file := configFile{1, c.Hooks, make([]configService, len(c.Table.Services))}
	for i, s := range c.Table.Services {
		file.Services[i].TableService = s
		if p, checked := c.Health[s.ID]; checked {
			file.Services[i].Health = &p
		}
	}
	return json.Marshal(file)
}

// ConfigError says where in a Config the checks of a service or the hooks are wrong.
type ConfigError struct {
	Field string // a path such as "services[0].health.checks[1].interval"
	Err   error  // what is wrong
}

// Error returns the path and what is wrong there.
func (e *ConfigError) Error() string { return e.Field + ": " + problemOf(e.Err) }

// Unwrap returns what is wrong.
func (e *ConfigError) Unwrap() error { return e.Err }

// Is reports whether target is [lvs.ErrInvalid].
func (e *ConfigError) Is(target error) bool { return target == lvs.ErrInvalid }

// NewHealthError returns the error of the checks of a service, which is the one at an
// index of its table.
func NewHealthError(service int, err error) *ConfigError {
	return configError(fmt.Sprintf("services[%d].health", service), err)
}

// NewHooksError returns the error of hooks.
func NewHooksError(err error) *ConfigError { return configError("hooks", err) }

// configError returns an error of what is at a path.
func configError(path string, err error) *ConfigError {
	var bad *health.InvalidError
	if errors.As(err, &bad) {
		path += pathOf(bad.Field)
	}
	return &ConfigError{path, err}
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
// "Policy.Checks[0].Interval". What is in brackets stays as it is.
func pathOf(field string) string {
	var b strings.Builder
	field = strings.TrimPrefix(strings.TrimPrefix(field, "Policy."), "Override.")
	for field != "" {
		name := field[:endOfName(field)]
		field = strings.TrimPrefix(field[len(name):], ".")
		if name[0] != '[' {
			b.WriteByte('.')
		}
		b.WriteString(uncapitalized(name))
	}
	return b.String()
}

// endOfName returns where the first name of a path ends, with its brackets.
func endOfName(path string) int {
	depth := 0
	for i, r := range path {
		switch {
		case r == '[':
			depth++
		case r == ']':
			depth--
		case r == '.' && i > 0 && depth == 0:
			return i
		}
	}
	return len(path)
}

// uncapitalized returns a name of Go as it is in JSON: "caFile" of "CAFile", "tls" of "TLS".
func uncapitalized(name string) string {
	n := 0 // capitals at the beginning
	for n < len(name) && 'A' <= name[n] && name[n] <= 'Z' {
		n++
	}
	if n > 1 && n < len(name) && 'a' <= name[n] && name[n] <= 'z' {
		n-- // the last one begins the next word
	}
	return strings.ToLower(name[:n]) + name[n:]
}
