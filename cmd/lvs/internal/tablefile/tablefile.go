// Package tablefile reads and writes files with a table: commands of ipvsadm, JSON, and
// YAML.
package tablefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/ipvsadm"
	"go.yaml.in/yaml/v4"
)

// The formats. Only [Commands] has timeouts and sync daemons.
const (
	Commands = "ipvsadm"
	JSON     = "json"
	YAML     = "yaml"
)

// errEmpty refuses a file without a character, which a full disk or a failed program may
// have left behind, rather than an administrator who wants no services.
var errEmpty = errors.New(`the file is empty; for a table without services, write {"version": 1, "services": []}`)

// Format returns the format of a text.
func Format(text []byte) string {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
			continue
		case line[0] == '{':
			return JSON
		case len(line) > 1 && line[0] == '-' && line[1] != ' ' && !strings.HasPrefix(line, "---"), strings.HasPrefix(line, "ipvsadm"):
			return Commands
		}
		return YAML
	}
	return Commands // comments alone
}

// Decode returns what a text of any format has. It is valid. Errors say where the text is
// wrong.
func Decode(text []byte) (f ipvsadm.File, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return f, errEmpty
	}
	switch Format(text) {
	case JSON:
		f.Table, err = lvs.ParseTable(text)
	case YAML:
		f.Table, err = decodeYAML(text)
	default:
		if f, err = ipvsadm.ParseFile(text); err == nil {
			err = f.Table.Validate()
		}
	}
	return f, err
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
