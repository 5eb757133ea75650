// Package tablefile reads and writes files with a table: commands of ipvsadm, JSON, and
// YAML. The latter two may have checks and hooks too. It also reads those of keepalived.
package tablefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/ipvsadm"
	"github.com/golvs/lvs/keepalived"
	"go.yaml.in/yaml/v4"
)

// The formats. Only [Commands] has timeouts and sync daemons.
const (
	Commands = "ipvsadm"
	JSON     = "json"
	YAML     = "yaml"
)

// Keepalived is a format that is read only.
const Keepalived = "keepalived"

// File is what a file has.
type File struct {
	ipvsadm.File
	Health map[lvs.ServiceID]health.Policy // the checks of services that have some
	Hooks  health.Hooks                    // programs that run for events of the checks
	Notes  []keepalived.Note               // on what was not taken over from keepalived

	// Included has the files and folders with what keepalived.conf includes, also if it
	// could not be decoded.
	Included []string
}

// Config returns the part that a director keeps true.
func (f File) Config() director.Config {
	return director.Config{Table: f.Table, Health: f.Health, Hooks: f.Hooks}
}

// Format returns the format of a text.
func Format(text []byte) string {
	for line := range bytes.Lines(withoutMark(text)) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0 || line[0] == '#' || bytes.HasPrefix(line, []byte("! ")) || string(line) == "!":
			continue
		case isKeepalived(line):
			return Keepalived
		case line[0] == '{':
			return JSON
		case len(line) > 1 && line[0] == '-' && line[1] != ' ' && !bytes.HasPrefix(line, []byte("---")), bytes.HasPrefix(line, []byte("ipvsadm")):
			return Commands
		}
		return YAML
	}
	return Commands // comments alone
}

// Decode returns what a text of any format has. It is valid. Errors say where the text is
// wrong. No other file is read.
func Decode(text []byte) (f File, err error) {
	return decode("", text, keepalived.Options{Root: noFiles{}})
}

// DecodeNamed decodes the text of a file with a name, and what keepalived includes there.
func DecodeNamed(name string, text []byte) (f File, err error) {
	return decode(name, text, keepalived.Options{})
}

func decode(name string, text []byte, o keepalived.Options) (f File, err error) {
	text = withoutMark(text)
	format := Format(text)
	if err := checkText(text, format); err != nil {
		return f, err
	}
	switch format {
	case JSON, YAML:
		decode := director.ParseConfig
		if format == YAML {
			decode = decodeYAML
		}
		var c director.Config
		c, err = decode(text)
		f.Table, f.Health, f.Hooks = c.Table, c.Health, c.Hooks
	case Keepalived:
		return decodeKeepalived(name, text, o)
	default:
		if f.File, err = ipvsadm.ParseFile(text); err == nil {
			err = f.Table.Validate()
		}
		err = placedCommand(err)
	}
	return f, err
}

// placedCommand returns the error of a command with its place before it.
func placedCommand(err error) error {
	var bad *ipvsadm.Error
	if !errors.As(err, &bad) || bad.Line == 0 {
		return err
	}
	bare := *bad
	bare.Line, bare.Column = 0, 0
	return &director.FileError{Line: bad.Line, Column: bad.Column, Err: &bare}
}

// Encode returns a text of a format.
func Encode(f ipvsadm.File, format string) ([]byte, error) {
	switch format {
	case JSON:
		text, err := json.MarshalIndent(f.Table, "", "  ")
		return append(text, '\n'), err
	case YAML:
		return yaml.Dump(f.Table)
	}
	text, err := f.MarshalText()
	if err != nil {
		err = fmt.Errorf("%w; -o json has everything", err)
	}
	return text, err
}
