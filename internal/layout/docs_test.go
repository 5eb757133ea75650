package layout

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// public are the folders of packages that programs import.
var public = []string{".", "capture", "director", "health", "health/healthtest", "ipvsadm", "keepalived", "metrics", "workload"}

// TestDocs holds that each exported name has a comment that begins with it, that a
// function that returns a bool "reports whether", and that constants stand under their
// types.
func TestDocs(t *testing.T) {
	for _, folder := range public {
		p := packageDoc(t, folder)
		checkFuncs(t, p.Funcs)
		for _, v := range append(p.Consts, p.Vars...) {
			checkValue(t, v)
			checkGroup(t, v)
		}
		for _, typ := range p.Types {
			checkComment(t, typ.Name, typ.Name, typ.Doc)
			checkFuncs(t, typ.Funcs)
			checkFuncs(t, typ.Methods)
			checkFields(t, typ)
			for _, v := range append(typ.Consts, typ.Vars...) {
				checkValue(t, v)
			}
		}
	}
}

func packageDoc(t *testing.T, folder string) *doc.Package {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_other.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/golvs/lvs/"+folder)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func checkFuncs(t *testing.T, all []*doc.Func) {
	t.Helper()
	for _, f := range all {
		name := strings.TrimPrefix(f.Recv+"."+f.Name, ".")
		checkComment(t, name, f.Name, f.Doc)
		results := f.Decl.Type.Results
		if results == nil || len(results.List) != 1 {
			continue
		}
		if r, ok := results.List[0].Type.(*ast.Ident); ok && r.Name == "bool" && !strings.Contains(f.Doc, "reports whether") {
			t.Errorf("%s returns a bool, so its comment says that it \"reports whether\": %q", name, f.Doc)
		}
	}
}

func checkComment(t *testing.T, name, first, text string) {
	t.Helper()
	if !strings.HasPrefix(text, first+" ") {
		t.Errorf("the comment of %s does not begin with its name: %q", name, text)
	}
}

// checkFields expects a comment before each exported field, behind it, or before the
// first of a group of lines.
func checkFields(t *testing.T, typ *doc.Type) {
	t.Helper()
	s, ok := typ.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			if name.IsExported() && f.Doc == nil && f.Comment == nil {
				t.Errorf("the field %s.%s has no comment", typ.Name, name)
			}
		}
	}
}

// checkValue expects a comment for each constant or variable, or for their group.
func checkValue(t *testing.T, v *doc.Value) {
	t.Helper()
	for _, spec := range v.Decl.Specs {
		s := spec.(*ast.ValueSpec)
		if s.Names[0].IsExported() && v.Doc == "" && s.Doc == nil && s.Comment == nil {
			t.Errorf("%s has no comment", s.Names[0])
		}
	}
}

// checkGroup refuses a constant that go doc does not show under its type: it goes by
// the type that is written out, not by that of the value.
func checkGroup(t *testing.T, v *doc.Value) {
	t.Helper()
	for _, spec := range v.Decl.Specs {
		s := spec.(*ast.ValueSpec)
		for _, value := range s.Values {
			if _, converted := value.(*ast.CallExpr); converted && v.Decl.Tok == token.CONST {
				t.Errorf("go doc does not show %s under its type: write the type out", s.Names[0])
			}
		}
	}
}
