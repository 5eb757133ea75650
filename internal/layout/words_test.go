package layout

import (
	"fmt"
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

// stale are patterns of prose that a reader has to read twice, and what to write.
var stale = []struct{ pattern, write string }{
	{`\btells? (if|whether)\b`, "reports whether"},
	{`\b(is|are|was) told\b`, "is reported, is given"},
	{`\bhangs? on\b`, "depends on"},
	{`\bmend(s|ed|ing)?\b`, "fix"},
	{`\b(some|no)body\b`, "another program, nothing"},
	{`\bwhom\b`, "name the program or the server"},
	{`\bbecomes? of\b`, "happens to"},
	{`\bby itself\b`, "automatically, alone"},
	{`\banew\b`, "again"},
	{`\bmeanwhile\b`, "in the meantime, concurrently"},
	{`\bof one's own\b`, "custom, its own X"},
	{`\bsuch that\b`, "so that"},
	{`\bnot within\b`, "out of range [A, B]"},
	{`\bof the kind \[?Err`, "matches ErrX"},
	{`\banswers? (with )?\[?(Err|E[A-Z]{3})`, "returns"},
	{`\bto be had\b`, "available"},
	{`\bexists already\b`, "already exists"},
	{`\b(is|are) there already\b`, "already exists"},
	{`\bof before\b`, "previous"},
	{`\bwhat there is\b`, "what exists"},
	{`\bmakes? that\b`, "makes sure that"},
	{`\btakes? (no )?(root|CAP_)`, "needs"},
	{`\bthe other way round\b`, "the reverse"},
	{`\ball the same\b`, "nevertheless"},
}

// notA matches "is no X" for "is not an X". What follows "there" or a count is plain English.
var notA = regexp.MustCompile(`(?i)(\w+,?) (?:is|are|was) no (\w+)`)

func staleIn(text string) (problems []string) {
	for _, m := range notA.FindAllStringSubmatch(text, -1) {
		switch m[2] {
		case "longer", "more", "less", "fewer", "greater", "later", "earlier", "different", "shorter":
			continue
		}
		if before := strings.ToLower(m[1]); before != "there" {
			problems = append(problems, fmt.Sprintf("%q: write \"is not a\"", m[0]))
		}
	}
	for n, re := range stalePatterns {
		if found := re.FindString(text); found != "" {
			problems = append(problems, fmt.Sprintf("%q: write %s", found, stale[n].write))
		}
	}
	return problems
}

var stalePatterns = func() []*regexp.Regexp {
	all := make([]*regexp.Regexp, len(stale))
	for n, s := range stale {
		all[n] = regexp.MustCompile(`(?i)` + s.pattern)
	}
	return all
}()

// TestWords holds that comments, messages and pages read like the documentation of
// Go's standard library.
func TestWords(t *testing.T) {
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == ".git"):
			return fs.SkipDir
		case d.Name() == "CHANGELOG.md" || d.Name() == "words_test.go":
			return nil
		case strings.HasSuffix(name, ".go"):
			return wordsOfGo(t, name)
		case strings.HasSuffix(name, ".md"):
			text, err := os.ReadFile(name)
			for n, line := range strings.Split(string(text), "\n") {
				complain(t, fmt.Sprintf("%s:%d", name, n+1), line)
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func wordsOfGo(t *testing.T, name string) error {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, group := range f.Comments {
		complain(t, fset.Position(group.Pos()).String(), strings.Join(strings.Fields(group.Text()), " "))
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			complain(t, fset.Position(lit.Pos()).String(), lit.Value)
		}
		return true
	})
	return nil
}

func complain(t *testing.T, where, text string) {
	t.Helper()
	for _, problem := range staleIn(text) {
		t.Errorf("%s: %s", where, problem)
	}
}
