package tablefile

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
	"github.com/golvs/lvs/health"
	"go.yaml.in/yaml/v4"
)

// The keys of the checks of a service, and of the hooks.
const (
	healthKey = "health"
	hooksKey  = "hooks"
)

// takeHealth takes the checks out of a document, and returns them by the indexes of their
// services. What is left is the document of a table.
func takeHealth(root *yaml.Node) map[int]*yaml.Node {
	if len(root.Content) == 0 {
		return nil
	}
	services := child(root.Content[0], "services")
	if services == nil {
		return nil
	}
	all, taken := map[int]*yaml.Node{}, map[*yaml.Node]*yaml.Node{}
	for i, s := range resolved(services).Content {
		s = resolved(s)
		if _, known := taken[s]; !known {
			taken[s] = take(s, healthKey)
		}
		if taken[s] != nil {
			all[i] = taken[s]
		}
	}
	return all
}

// take removes the first value of a key from a mapping, and returns it; nil if there is
// none.
func take(n *yaml.Node, key string) *yaml.Node {
	if n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			value := n.Content[i+1]
			n.Content = slices.Delete(slices.Clone(n.Content), i, i+2)
			return value
		}
	}
	return nil
}

// resolved returns what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// decodeHealth returns the checks of the services of a table, and validates them.
func decodeHealth(checks map[int]*yaml.Node, table lvs.Table) (map[lvs.ServiceID]health.Policy, error) {
	if len(checks) == 0 {
		return nil, nil
	}
	all := make(map[lvs.ServiceID]health.Policy, len(checks))
	left := maxHealth
	for i, s := range table.Services {
		n := checks[i]
		if n == nil {
			continue
		}
		var p health.Policy
		err := decodeJSON(n, &left, &p)
		if err == nil {
			err = p.Validate(s)
		}
		if err != nil {
			bad := director.NewHealthError(i, err)
			_, inside, _ := strings.Cut(bad.Field, "]."+healthKey)
			return nil, placedAt(n, inside, bad)
		}
		all[s.ID] = p
	}
	return all, nil
}

// takeHooks takes the hooks out of a document, and returns them; nil if there are none.
func takeHooks(root *yaml.Node) *yaml.Node {
	if len(root.Content) == 0 {
		return nil
	}
	return take(resolved(root.Content[0]), hooksKey)
}

// decodeHooks returns the hooks of a table, and validates them.
func decodeHooks(n *yaml.Node, table lvs.Table) (hooks health.Hooks, err error) {
	if n == nil {
		return nil, nil
	}
	left := maxHealth
	if err = decodeJSON(n, &left, &hooks); err == nil {
		err = hooks.Validate(table)
	}
	if err != nil {
		bad := director.NewHooksError(err)
		return nil, placedAt(n, strings.TrimPrefix(bad.Field, hooksKey), bad)
	}
	return hooks, nil
}

// decodeJSON decodes a value as its JSON, which may have so many bytes, less afterwards.
func decodeJSON(n *yaml.Node, left *int, into any) error {
	text := jsonText{left: *left}
	err := text.node(n, 0)
	*left = text.left
	if err != nil {
		return err
	}
	return json.Unmarshal(text.Bytes(), into)
}

// placedAt returns an error with the place of what is at a path in a value.
func placedAt(n *yaml.Node, path string, err error) error {
	at := find(n, path)
	return &director.FileError{Line: at.Line, Column: at.Column, Err: err}
}

// maxHealth is how many bytes of JSON the checks of a file may become: aliases can make
// any amount of a short text.
const maxHealth = 16 << 20

// maxDepth is how deep the values of checks may be.
const maxDepth = 100

// errTooMuch refuses aliases that multiply.
var errTooMuch = errors.New("it is too large or too deep: look at its anchors and aliases")

// jsonText is YAML as a text of JSON. Keys that are there twice stay, so that they can be
// refused.
type jsonText struct {
	bytes.Buffer
	left int // how much may still be written
}

func (t *jsonText) node(n *yaml.Node, depth int) error {
	if depth > maxDepth || t.left <= 0 {
		return errTooMuch
	}
	switch n.Kind {
	case yaml.AliasNode:
		return t.node(n.Alias, depth+1)
	case yaml.SequenceNode:
		return t.elements(n.Content, "[]", 1, depth)
	case yaml.MappingNode:
		return t.elements(n.Content, "{}", 2, depth)
	}
	var value any
	if err := n.Decode(&value); err != nil {
		return err
	}
	return t.value(value)
}

// elements writes a list of elements, or an object of keys and values in turn.
func (t *jsonText) elements(all []*yaml.Node, brackets string, each, depth int) error {
	t.write(brackets[:1])
	for i, n := range all {
		switch {
		case i == 0:
		case i%each == 0:
			t.write(",")
		default:
			t.write(":")
		}
		err := error(nil)
		if each == 2 && i%2 == 0 {
			err = t.value(resolved(n).Value) // keys are texts in JSON
		} else {
			err = t.node(n, depth+1)
		}
		if err != nil {
			return err
		}
	}
	t.write(brackets[1:])
	return nil
}

func (t *jsonText) value(v any) error {
	text, err := json.Marshal(v)
	t.write(string(text))
	return err
}

func (t *jsonText) write(text string) {
	t.left -= len(text)
	t.WriteString(text)
}
