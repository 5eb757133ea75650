package lvs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// Every *Error has a kind where it is made, or gets that of its cause in the files
// that explain errors.
func TestEveryErrorHasAKind(t *testing.T) {
	files, err := filepath.Glob("*.go")
	must(t, err)
	set, made := token.NewFileSet(), 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		must(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			fields, ok := errorLiteral(n)
			if !ok {
				return true
			}
			made++
			if !fields["kind"] && !(fields["cause"] && strings.Contains(name, "errors")) {
				t.Errorf("%s: an Error without a kind", set.Position(n.Pos()))
			}
			return true
		})
	}
	if made < 10 {
		t.Errorf("only %d were found", made)
	}
}

// errorLiteral returns the fields that a literal of an Error sets.
func errorLiteral(n ast.Node) (fields map[string]bool, ok bool) {
	lit, ok := n.(*ast.CompositeLit)
	if !ok {
		return nil, false
	}
	if id, ok := lit.Type.(*ast.Ident); !ok || id.Name != "Error" {
		return nil, false
	}
	fields = make(map[string]bool)
	for _, e := range lit.Elts {
		fields[e.(*ast.KeyValueExpr).Key.(*ast.Ident).Name] = true
	}
	return fields, true
}
