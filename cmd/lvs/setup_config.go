package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
)

// readConfig sets the flags that a file has and the command line has not.
func (s *setup) readConfig() error {
	text, err := readSmall(s.config)
	if err != nil {
		return err
	}
	return placedIn(s.config, s.setFlags(text))
}

// setFlags sets the flags of a text. The errors have a place.
func (s *setup) setFlags(text []byte) error {
	if err := requireVersion(text); err != nil {
		return placedJSON(text, 0, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	at, err := s.decodeFlags(d, text)
	if err != nil {
		return placedJSON(text, at, err)
	}
	return nil
}

// placedJSON returns an error of JSON with its place, which a syntax error knows.
func placedJSON(text []byte, at int, err error) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at = int(syntax.Offset) - 1
	}
	return tablefile.At(text, max(0, at), err)
}

// decodeFlags sets the flags of an object, and returns where it stopped.
func (s *setup) decodeFlags(d *json.Decoder, text []byte) (at int, err error) {
	given := make(map[string]bool)
	s.all.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if _, err := d.Token(); err != nil {
		return 0, err
	}
	seen := make(map[string]bool)
	for d.More() {
		rest := text[d.InputOffset():]
		at = len(text) - len(bytes.TrimLeft(rest, " \t\r\n,"))
		key, err := d.Token()
		if err != nil {
			return at, err
		}
		name, _ := key.(string)
		var value any
		if err := d.Decode(&value); err != nil {
			return at, err
		}
		if seen[name] {
			return at, fmt.Errorf("%q is there twice", name)
		}
		seen[name] = true
		if given[name] {
			continue
		}
		if err := s.setFlag(name, value); err != nil {
			return at, err
		}
	}
	if !seen["setup"] {
		return 0, fmt.Errorf("setup is missing: want %q", s.mode)
	}
	return at, nil
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
		return fmt.Errorf("%q is not a flag of %s, which has %s%s", name, s.mode, cli.Or(names), cli.DidYouMean(name, names, ""))
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
