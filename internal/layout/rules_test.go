package layout

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sources calls look for each file of the module's code, tests excepted.
func sources(t *testing.T, look func(name string, f *ast.File, at func(ast.Node) token.Position)) {
	t.Helper()
	count, fset := 0, token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		count++
		look(strings.TrimPrefix(name, root+"/"), f, func(n ast.Node) token.Position { return fset.Position(n.Pos()) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if count < 100 {
		t.Errorf("only %d files were found", count)
	}
}

// selected returns the names of a selector such as unix.Setns.
func selected(n ast.Node) (of, name string) {
	s, ok := n.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if x, ok := s.X.(*ast.Ident); ok {
		of = x.Name
	}
	return of, s.Sel.Name
}

// entersNamespace reports whether an expression moves its thread to another network
// namespace, or lets a library do so.
func entersNamespace(n ast.Node) bool {
	of, name := selected(n)
	switch of {
	case "unix", "syscall":
		return name == "Setns" || name == "Unshare" || name == "SYS_SETNS" || name == "SYS_UNSHARE"
	case "netns":
		return name == "Set" || name == "Setns" || name == "New" || name == "NewNamed"
	}
	field, ok := n.(*ast.KeyValueExpr)
	if !ok {
		return false
	}
	key, ok := field.Key.(*ast.Ident)
	return ok && (key.Name == "NetNS" || key.Name == "Cloneflags" || key.Name == "Unshareflags")
}

// TestOnlyNetspaceEntersNamespaces holds that one package enters network namespaces.
// Programs with namespaces or machines of their own are not part of the library.
func TestOnlyNetspaceEntersNamespaces(t *testing.T) {
	found := false
	sources(t, func(name string, f *ast.File, at func(ast.Node) token.Position) {
		if strings.HasPrefix(name, "bench/") || strings.HasPrefix(name, "cmd/") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch {
			case n == nil || !entersNamespace(n):
			case strings.HasPrefix(name, "internal/netspace/"):
				found = true
			default:
				t.Errorf("%s: only internal/netspace enters network namespaces", at(n))
			}
			return true
		})
	})
	if !found {
		t.Error("internal/netspace was not found to enter namespaces")
	}
}

// TestNothingCompiledAtInit holds that no package of the library compiles a regular
// expression when a program starts, whether the program needs it or not.
func TestNothingCompiledAtInit(t *testing.T) {
	sources(t, func(name string, f *ast.File, at func(ast.Node) token.Position) {
		for _, start := range []string{"cmd/", "bench/", "scripts/", "examples/", "internal/layout/"} {
			if strings.HasPrefix(name, start) {
				return
			}
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				if fn.Name.Name == "init" && fn.Recv == nil {
					t.Errorf("%s: a function init", at(d))
				}
				continue
			}
			called := map[ast.Node]bool{}
			ast.Inspect(d, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					called[n.Fun] = true
				case *ast.FuncLit:
					return called[n]
				}
				if of, sel := selected(n); of == "regexp" && strings.Contains(sel, "Compile") {
					t.Errorf("%s: a regular expression is compiled when each program starts", at(n))
				}
				return true
			})
		}
	})
}

var conflictMarker = regexp.MustCompile(`(?m)^(?:<<<<<<<|>>>>>>>) `)

// TestNoConflicts holds that no file has what git writes where a merge needs a decision.
func TestNoConflicts(t *testing.T) {
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		text, err := os.ReadFile(name)
		if at := conflictMarker.FindIndex(text); at != nil {
			t.Errorf("%s:%d: a merge was not finished", name, 1+bytes.Count(text[:at[0]], []byte("\n")))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
