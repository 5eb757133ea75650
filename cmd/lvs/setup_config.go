package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// readConfig sets the flags that a file has and the command line has not.
func (s *setup) readConfig() error {
	text, err := os.ReadFile(s.config)
	if err != nil {
		return err
	}
	if err := s.setFlags(text); err != nil {
		return fmt.Errorf("%s: %w", s.config, err)
	}
	return nil
}

func (s *setup) setFlags(text []byte) error {
	if err := requireVersion(text); err != nil {
		return err
	}
	given := make(map[string]bool)
	s.all.Visit(func(f *flag.Flag) { given[f.Name] = true })
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, _ := key.(string)
		var value any
		if err := d.Decode(&value); err != nil {
			return err
		}
		if seen[name] {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		if given[name] {
			continue
		}
		if err := s.setFlag(name, value); err != nil {
			return err
		}
	}
	if !seen["setup"] {
		return fmt.Errorf("setup is missing: want %q", s.mode)
	}
	if _, err := d.Token(); err != nil { // the closing brace
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the object")
	}
	return nil
}

// setFlag sets a flag of the mode to a value of JSON.
func (s *setup) setFlag(name string, value any) error {
	switch name {
	case "version":
		return nil
	case "setup":
		if value != s.mode {
			return fmt.Errorf("setup is %v, not %q", value, s.mode)
		}
		return nil
	}
	if s.keys.Lookup(name) == nil {
		var names []string
		s.keys.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		return fmt.Errorf("%q is not a flag of %s, which has %s", name, s.mode, cli.Or(names))
	}
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	for _, v := range values {
		switch v.(type) {
		case string, bool, json.Number:
		default:
			return fmt.Errorf("%q: want a string, a number, true, false, or a list of them", name)
		}
		if err := s.keys.Set(name, fmt.Sprint(v)); err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}
