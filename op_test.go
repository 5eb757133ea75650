package lvs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Each operation has a stable text of its own, and words for messages.
func TestOps(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "op.go", nil, 0)
	must(t, err)
	form, seen := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`), make(map[string]string)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Op") {
			return true
		}
		name := spec.Names[0].Name
		text, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		must(t, err)
		// OpListRealServers is "list-real-servers".
		if want := strings.ReplaceAll(text, "-", ""); !strings.EqualFold(name, "Op"+want) || !form.MatchString(text) {
			t.Errorf("%s is %q", name, text)
		}
		if seen[text] != "" {
			t.Errorf("%s and %s are both %q", name, seen[text], text)
		}
		seen[text] = name
		if words := Op(text).words(); words == "" || strings.Contains(words, "-") {
			t.Errorf("%s reads %q", name, words)
		}
		return true
	})
	for _, k := range changeKinds {
		if k.op != "" && seen[string(k.op)] == "" {
			t.Errorf("a change has the operation %q, which is not in op.go", k.op)
		}
	}
}
