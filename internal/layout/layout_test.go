// Package layout holds where the code is and how its prose reads. It has tests alone.
package layout

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.." // of the module

// floors are the families of files of package lvs, the lowest first, each with the
// patterns of its files. A file knows its own floor and those below it.
var floors = []struct {
	name  string
	files []string
}{
	{"ground", []string{"errors.go", "errno.go", "op.go", "doc.go", "encoding*.go"}},
	{"values", []string{"service*.go", "real_server.go", "mode.go", "mode_tunnel.go", "persistence*.go", "scheduler.go", "stats.go",
		"flow.go", "connection.go", "verdict*.go", "ipsec_key.go", "table.go", "table_validate.go", "table_encoding.go"}},
	{"client", []string{"lvs.go", "client_*.go", "change*.go", "batch_error.go", "convert.go", "errors_kernel.go", "snapshot*.go", "timeouts.go", "sync_daemon.go", "open_*.go"}},
	{"resources", []string{"resource*.go", "requirement.go", "sysctl*.go"}},
	{"modes", []string{"mode_setup.go", "mode_dr.go", "mode_nat.go", "mode_tun.go", "mode_tun_*.go"}},
	{"host", []string{"host*.go", "namespace_*.go"}},
	{"check", []string{"check*.go"}},
	{"simulator", []string{"simulator*.go"}},
	{"explain", []string{"explain*.go"}},
	{"table", []string{"table_*.go", "drain*.go"}},
}

// floorOf returns the floor of a file, or -1.
func floorOf(file string) int {
	for n, f := range floors {
		for _, pattern := range f.files {
			if ok, _ := path.Match(pattern, filepath.Base(file)); ok {
				return n
			}
		}
	}
	return -1
}

// TestFloors holds that no file refers to a floor above its own.
func TestFloors(t *testing.T) {
	fset := token.NewFileSet()
	var files []*ast.File
	names, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") || strings.HasSuffix(name, "_other.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if floorOf(name) < 0 {
			t.Errorf("%s is not on a floor: name it by its family", name)
		}
		files = append(files, f)
	}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: blindImporter{}, Error: func(error) {}}
	pkg, _ := config.Check("github.com/golvs/lvs", fset, files, &info) // what others export is not known, and need not be
	seen := map[string]bool{}
	for id, object := range info.Uses {
		if object.Pkg() != pkg || !object.Pos().IsValid() {
			continue
		}
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(object.Pos()).Filename)
		if floorOf(from) < floorOf(to) {
			problem := fmt.Sprintf("%s (%s) refers to %s of %s (%s)", from, floors[floorOf(from)].name,
				object.Name(), to, floors[floorOf(to)].name)
			seen[problem] = true
		}
	}
	for problem := range seen {
		t.Error(problem)
	}
}

// blindImporter imports packages of which nothing is known.
type blindImporter struct{}

func (blindImporter) Import(name string) (*types.Package, error) {
	pkg := types.NewPackage(name, path.Base(name))
	pkg.MarkComplete()
	return pkg, nil
}

// walls are imports that a folder must not have, directly or through others.
var walls = []struct{ folder, never, why string }{
	{"internal/simipvs", "internal/netstate", "the simulated kernel does not touch the real network"},
	{"internal/simnet", "internal/hostnet", "the simulated network does not touch the real one"},
	{"internal/simipvs", "internal/wire", "one codec on both sides would hide its own mistakes"},
	{"internal/wire", "internal/genl", "the encoding knows nothing of sockets"},
	{"internal/genl", "internal/wire", "sockets know nothing of IPVS"},
	{"director", "internal", "it is written with the public API alone"},
	{"health", "internal", "it is written with the public API alone"},
	{"health", "director", "it says what should be, and changes nothing"},
	{"ipvsadm", "internal", "it is written with the public API alone"},
	{"keepalived", "internal", "it is written with the public API alone"},
	{"keepalived", "director", "it reads, and changes nothing"},
	{"workload", "internal", "it is written with the public API alone"},
	{"capture", "internal", "it is written with the public API alone"},
	{"metrics", "internal", "it is written with the public API alone"},
	{"cmd/lvs", "internal", "it is written with the public API alone"},
}

// TestWalls holds that no package imports what its folder must not know.
func TestWalls(t *testing.T) {
	const module = "github.com/golvs/lvs/"
	for _, w := range walls {
		for file, imports := range importsBelow(t, w.folder) {
			for _, name := range imports {
				rest, ours := strings.CutPrefix(name, module+w.never)
				if ours && (rest == "" || rest[0] == '/') {
					t.Errorf("%s imports %s: %s", file, name, w.why)
				}
			}
		}
	}
}

// TestHealthOutsideKernels holds that the tests of health do not use testbed. They take
// minutes, and scripts/test repeats all tests of a package that does in each kernel. Those
// of probes that need a kernel are in examples/internal/lab.
func TestHealthOutsideKernels(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(root, "health", "*_test.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("health has no tests: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("internal/testbed")) {
			t.Errorf("%s uses internal/testbed: test this in examples/internal/lab", name)
		}
	}
}

// importsBelow returns what each file of a folder imports, tests excepted.
func importsBelow(t *testing.T, folder string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	err := filepath.WalkDir(filepath.Join(root, folder), func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range f.Imports {
			all[name] = append(all[name], strings.Trim(spec.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Errorf("%s has no Go files", folder)
	}
	return all
}

// TestFileSizes holds that each file stays one that can be read in one go.
func TestFileSizes(t *testing.T) {
	const most = 500
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		if lines := bytes.Count(text, []byte("\n")); lines > most {
			t.Errorf("%s has %d lines, more than %d: split it by concept", name, lines, most)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
