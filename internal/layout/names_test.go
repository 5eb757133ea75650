package layout

import (
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// api is what a package exports, by the names that pages and comments use.
type api struct {
	pkg     string
	names   map[string]bool            // "Client", "Open", "RR"
	funcs   map[string]bool            // "Open", "DR"
	members map[string]map[string]bool // methods and fields of types: "Client", "Do"
	embeds  map[string][]string        // types that a type embeds
}

// exported reads what the package of a folder exports.
func exported(t *testing.T, folder string) api {
	t.Helper()
	files := goFiles(t, folder)
	a := api{files[0].Name.Name, map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}, map[string][]string{}}
	for _, f := range files {
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					a.names[d.Name.Name], a.funcs[d.Name.Name] = true, true
				} else {
					a.member(typeName(d.Recv.List[0].Type), d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					a.spec(spec)
				}
			}
		}
	}
	return a
}

// goFiles returns the files of the package of a folder, tests excepted.
func goFiles(t *testing.T, folder string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, folder, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatalf("%s has no Go files", folder)
	}
	return files
}

func (a api) spec(spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			a.names[id.Name] = true
		}
	case *ast.TypeSpec:
		name := spec.Name.Name
		a.names[name] = true
		switch body := spec.Type.(type) {
		case *ast.StructType:
			a.fields(name, body.Fields)
		case *ast.InterfaceType:
			a.fields(name, body.Methods)
		}
	}
}

func (a api) fields(name string, list *ast.FieldList) {
	for _, f := range list.List {
		for _, id := range f.Names {
			a.member(name, id.Name)
		}
		if len(f.Names) == 0 {
			embedded := typeName(f.Type)
			a.member(name, embedded)
			a.embeds[name] = append(a.embeds[name], embedded)
		}
	}
}

func (a api) member(typ, name string) {
	if a.members[typ] == nil {
		a.members[typ] = map[string]bool{}
	}
	a.members[typ][name] = true
}

// has reports whether a type has a method or field, of its own or by embedding.
func (a api) has(typ, name string) bool {
	if a.members[typ][name] {
		return true
	}
	for _, embedded := range a.embeds[typ] {
		if a.has(embedded, name) {
			return true
		}
	}
	return false
}

func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// variables are what pages call values of these types.
var variables = map[string]string{"client": "Client", "host": "Host", "sim": "Simulator"}

var (
	inlineCode = regexp.MustCompile("`([^`]+)`")
	qualified  = regexp.MustCompile(`\b(lvs|client|host|sim|director|health|healthtest|ipvsadm|keepalived|workload)\.([A-Z]\w*)(?:\.([A-Z]\w*))?`)
)

// TestPagesNames holds that pages name only what the packages have, and that calls
// and values of package lvs that they show in a line are Go.
func TestPagesNames(t *testing.T) {
	all, found := map[string]api{}, 0
	for _, folder := range public {
		a := exported(t, folder)
		all[a.pkg] = a
	}
	for _, p := range pages(t) {
		if p.name == "CHANGELOG.md" { // which has names that are gone
			continue
		}
		check := func(n int, code string) {
			for _, problem := range unknownNames(all, code) {
				t.Errorf("%s:%d: %s: in `%s`", p.name, n, problem, code)
			}
			found += len(qualified.FindAllString(code, -1))
		}
		for _, b := range p.blocks {
			for n, line := range strings.Split(b.text, "\n") {
				check(b.line+n, line)
			}
		}
		p.prose(func(n int, line string) {
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				check(n, m[1])
				if strings.Contains(m[1], "lvs.") && strings.ContainsAny(m[1], "({") {
					for _, problem := range all["lvs"].literals(m[1]) {
						t.Errorf("%s:%d: %s: in `%s`", p.name, n, problem, m[1])
					}
				}
			}
		})
	}
	if found == 0 {
		t.Error("no page names anything")
	}
}

// unknownNames returns the qualified names in a piece of code that do not exist.
func unknownNames(packages map[string]api, code string) (all []string) {
	for _, m := range qualified.FindAllStringSubmatch(code, -1) {
		pkg, name, member := m[1], m[2], m[3]
		if typ := variables[pkg]; typ != "" {
			pkg, name, member = "lvs", typ, name
		}
		switch a := packages[pkg]; {
		case !a.names[name]:
			all = append(all, "package "+pkg+" has no "+name)
		case member != "" && !a.has(name, member):
			all = append(all, fmt.Sprintf("%s.%s has no %s", pkg, name, member))
		}
	}
	return all
}

// literals returns what is wrong with Go code that is shown in a line: it must
// parse, its functions must be called, and the fields of its values must exist.
func (a api) literals(code string) (all []string) {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _() {\n"+code+"\n}", parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	called := map[ast.Expr]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			called[n.Fun] = true
		case *ast.SelectorExpr:
			if a.funcs[n.Sel.Name] && typeName(n.X) == "lvs" && !called[n] {
				all = append(all, "lvs."+n.Sel.Name+" is a function, and not called")
			}
		case *ast.CompositeLit:
			all = append(all, a.unknownFields(n)...)
		}
		return true
	})
	return all
}

func (a api) unknownFields(lit *ast.CompositeLit) (all []string) {
	typ := typeName(lit.Type)
	for _, e := range lit.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok && a.names[typ] && !a.has(typ, typeName(pair.Key)) {
			all = append(all, fmt.Sprintf("lvs.%s has no field %s", typ, typeName(pair.Key)))
		}
	}
	return all
}

// TestDocLinks holds that links in the comments of package lvs, such as
// [Client.Do], lead somewhere.
func TestDocLinks(t *testing.T) {
	a := exported(t, ".")
	for _, f := range goFiles(t, ".") {
		for _, group := range f.Comments {
			p := comment.Parser{LookupSym: func(recv, name string) bool {
				known := a.names[name] && recv == "" || recv != "" && a.has(recv, name)
				if !known {
					t.Errorf("a comment links to [%s]: %.60q", strings.TrimPrefix(recv+"."+name, "."), group.Text())
				}
				return known
			}}
			p.Parse(group.Text())
		}
	}
}
