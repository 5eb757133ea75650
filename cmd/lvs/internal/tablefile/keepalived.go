package tablefile

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"github.com/golvs/lvs/keepalived"
)

// isKeepalived reports whether a line can only be of keepalived.conf: a keyword with which a
// block or an include begins, or a condition, a definition or a sequence.
func isKeepalived(line []byte) bool {
	for _, mark := range []string{"@", "$", "~SEQ", "~LST"} {
		if bytes.HasPrefix(line, []byte(mark)) {
			return true
		}
	}
	word := line
	if end := bytes.IndexAny(line, " \t{"); end >= 0 {
		word = line[:end]
	}
	if bytes.ContainsAny(word, ":=") {
		return false // a key of YAML, or an assignment
	}
	for _, prefix := range []string{"virtual_server", "vrrp_", "global_defs", "static_", "bfd_instance", "track_", "garp_group", "include", "net_namespace", "instance", "SSL"} {
		if bytes.HasPrefix(word, []byte(prefix)) {
			return true
		}
	}
	return false
}

func decodeKeepalived(name string, text []byte, o keepalived.Options) (f File, err error) {
	o.OnFile = func(name string) {
		if !slices.Contains(f.Included, name) {
			f.Included = append(f.Included, name)
		}
	}
	c, err := keepalived.Parse(name, text, o)
	var bad *keepalived.Error
	if errors.As(err, &bad) {
		err = &director.FileError{Path: bad.File, Line: bad.Line, Column: bad.Column, Err: errors.New(bad.Problem)}
	}
	if err != nil {
		return f, err
	}
	maps.DeleteFunc(c.Policies, func(_ lvs.ServiceID, p health.Policy) bool {
		return len(p.Servers) == 0 && p.Limit.Then == "" // nothing is ever decided
	})
	f.Table, f.Health, f.Hooks, f.Notes = c.Table, c.Policies, c.Hooks, c.Notes
	return f, nil
}

// noFiles is a file system without files.
type noFiles struct{}

func (noFiles) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
