package tablefile

import (
	"errors"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"go.yaml.in/yaml/v4"
)

// decodeYAML returns what a text of YAML wants, and validates it. Its errors say where the
// text is wrong, as those of [director.ParseConfig] do.
func decodeYAML(content []byte) (c director.Config, err error) {
	var root yaml.Node
	if err := yaml.Load(content, &root); err != nil {
		return c, placed(&root, err)
	}
	hooks, checks := takeHooks(&root), takeHealth(&root)
	err = c.Table.UnmarshalYAML(root.Decode) // whose own errors would hide the path
	if err == nil {
		err = c.Table.Validate()
	}
	if err != nil {
		return director.Config{}, placed(&root, err)
	}
	if c.Health, err = decodeHealth(checks, c.Table); err != nil {
		return director.Config{}, err
	}
	if c.Hooks, err = decodeHooks(hooks, c.Table); err != nil {
		return director.Config{}, err
	}
	return c, nil
}

// placed returns an error with its place: where the YAML package says, or the values at
// the paths that errors of package lvs name, or else the beginning.
func placed(root *yaml.Node, err error) error {
	var syntax *yaml.LoadError
	if errors.As(err, &syntax) && syntax.Mark.Line > 0 {
		return &director.FileError{Line: syntax.Mark.Line, Column: syntax.Mark.Column, Err: errors.New(syntax.Message)}
	}
	var all []*lvs.Error
	switch bad := err.(type) {
	case *lvs.TableError:
		all = bad.Problems
	case *lvs.Error:
		all = []*lvs.Error{bad}
	default:
		return &director.FileError{Line: 1, Column: 1, Err: err}
	}
	for _, bad := range all {
		if len(root.Content) > 0 {
			n := find(root.Content[0], bad.Field)
			bad.Line, bad.Column = n.Line, n.Column
		}
	}
	return err
}

// find returns the value at a path such as services[3].realServers[0].mode, or the
// innermost one around it that exists.
func find(n *yaml.Node, path string) *yaml.Node {
	for path != "" {
		part, rest := firstPart(path)
		next := child(n, part)
		if next == nil {
			break
		}
		n, path = next, rest
	}
	return n
}

// firstPart returns the first key or index of a path, and what is behind it. Keys in
// brackets may have dots, and brackets of their own.
func firstPart(path string) (part, rest string) {
	path = strings.TrimPrefix(path, ".")
	if path[:min(1, len(path))] != "[" {
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return path[:end], path[end:]
	}
	depth := 0
	for i, r := range path {
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
		if depth == 0 {
			return path[1:i], path[i+1:]
		}
	}
	return path[1:], ""
}

// child returns the value of a key or at an index, or nil.
func child(n *yaml.Node, part string) *yaml.Node {
	switch n.Kind {
	case yaml.AliasNode:
		return child(n.Alias, part)
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(part); err == nil && i < len(n.Content) {
			return n.Content[i]
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == part {
				return n.Content[i+1]
			}
		}
	}
	return nil
}
