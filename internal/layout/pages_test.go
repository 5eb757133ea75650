package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// page is a Markdown file.
type page struct {
	name   string // from the root of the module
	lines  []string
	blocks []block
}

// block is a fenced code block of a page.
type block struct {
	language string
	line     int // of its first line in the page
	text     string
}

// pages returns all Markdown files of the module.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case strings.HasSuffix(name, ".md"):
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			name, err = filepath.Rel(root, name)
			all = append(all, newPage(name, string(text)))
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func newPage(name, text string) page {
	p := page{name: filepath.ToSlash(name), lines: strings.Split(text, "\n")}
	var open *block
	for n, line := range p.lines {
		language, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && open == nil:
			open = &block{language: language, line: n + 2}
		case fence:
			p.blocks = append(p.blocks, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	return p
}

// prose calls visit with the lines of a page that are outside of code blocks.
func (p page) prose(visit func(n int, line string)) {
	inside := false
	for n, line := range p.lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			inside = !inside
		} else if !inside {
			visit(n+1, line)
		}
	}
}

var linkTarget = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestPagesLinks holds that relative links lead to files and headings that exist.
func TestPagesLinks(t *testing.T) {
	all := pages(t)
	for _, p := range all {
		p.prose(func(n int, line string) {
			for _, m := range linkTarget.FindAllStringSubmatch(line, -1) {
				target, anchor, _ := strings.Cut(m[1], "#")
				if strings.Contains(target, "://") {
					continue
				}
				file := p.name
				if target != "" {
					file = filepath.ToSlash(filepath.Join(filepath.Dir(p.name), target))
				}
				if _, err := os.Stat(filepath.Join(root, file)); err != nil {
					t.Errorf("%s:%d: the link to %s leads nowhere", p.name, n, m[1])
					continue
				}
				if anchor != "" && !slices.ContainsFunc(all, func(q page) bool { return q.name == file && q.hasHeading(anchor) }) {
					t.Errorf("%s:%d: the link to %s names a heading that does not exist", p.name, n, m[1])
				}
			}
		})
	}
}

var notInAnchors = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)

// hasHeading reports whether a page has a heading of the anchor that GitHub makes.
func (p page) hasHeading(anchor string) (found bool) {
	p.prose(func(_ int, line string) {
		if text := strings.TrimLeft(line, "#"); text != line {
			text = notInAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
			found = found || strings.ReplaceAll(text, " ", "-") == anchor
		}
	})
	return found
}

// TestPagesCode holds that each block of Go in a page is part of a Go file of the
// module, so that it compiles, and runs where that file is a test.
func TestPagesCode(t *testing.T) {
	var sources []string
	err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".go") {
			return err
		}
		text, err := os.ReadFile(name)
		sources = append(sources, outdent(string(text)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			text := outdent(b.text)
			if b.language == "go" && !slices.ContainsFunc(sources, func(s string) bool { return strings.Contains(s, text) }) {
				t.Errorf("%s:%d: no Go file has this block", p.name, b.line)
			}
		}
	}
}

// outdent removes the indentation of all lines, so that the body of a function is
// found where it is shown without the function.
func outdent(text string) string {
	lines := strings.Split(text, "\n")
	for n := range lines {
		lines[n] = strings.TrimLeft(lines[n], "\t")
	}
	return strings.Join(lines, "\n")
}

// commands returns the indented lines of a page, which are commands of a shell.
func (p page) commands() (all []string) {
	p.prose(func(_ int, line string) {
		if command, indented := strings.CutPrefix(line, "    "); indented {
			all = append(all, command)
		}
	})
	return all
}

var listItem = regexp.MustCompile(`^(\d+)\. `)

// TestPagesLists holds that each item of a numbered list has the number after the one
// before it, and that lists begin with 1.
func TestPagesLists(t *testing.T) {
	for _, p := range pages(t) {
		last := 0
		p.prose(func(n int, line string) {
			if strings.HasPrefix(line, "#") {
				last = 0
			}
			if m := listItem.FindStringSubmatch(line); m != nil {
				if number, _ := strconv.Atoi(m[1]); number != 1 && number != last+1 {
					t.Errorf("%s:%d: item %d comes after item %d", p.name, n, number, last)
				} else {
					last = number
				}
			}
		})
	}
}

// TestReadmes holds that the README stays short, and that the Chinese one shows
// the same code.
func TestReadmes(t *testing.T) {
	const most = 150
	all := map[string]page{}
	for _, p := range pages(t) {
		all[p.name] = p
	}
	english, chinese := all["README.md"], all["README.zh-CN.md"]
	if e, c := english.commands(), chinese.commands(); !slices.Equal(e, c) {
		t.Errorf("README.md shows the commands %q, README.zh-CN.md %q", e, c)
	}
	for _, p := range []page{english, chinese} {
		if n := len(p.lines) - 1; n > most {
			t.Errorf("%s has %d lines, more than %d: move some of it to docs", p.name, n, most)
		}
	}
	if len(english.blocks) == 0 || len(english.blocks) != len(chinese.blocks) {
		t.Fatalf("README.md has %d blocks of code, README.zh-CN.md %d", len(english.blocks), len(chinese.blocks))
	}
	for n, b := range english.blocks {
		if c := chinese.blocks[n]; b.language != c.language || b.text != c.text {
			t.Errorf("README.md:%d and README.zh-CN.md:%d show different code", b.line, c.line)
		}
	}
}

var pathInCode = regexp.MustCompile(`^(?:[a-z*][\w*]*\.go|(?:internal|examples|cmd|scripts|testdata|docs|bench|director|health|ipvsadm|keepalived|workload)(?:/[\w*./-]+)?)$`)

// TestMap holds that the map of the code names files and folders that exist.
func TestMap(t *testing.T) {
	found := 0
	for _, p := range pages(t) {
		if p.name != "CONTRIBUTING.md" {
			continue
		}
		p.prose(func(n int, line string) {
			for _, m := range inlineCode.FindAllStringSubmatch(line, -1) {
				if !pathInCode.MatchString(m[1]) {
					continue
				}
				found++
				if files, err := filepath.Glob(filepath.Join(root, m[1])); err != nil || len(files) == 0 {
					t.Errorf("%s:%d: %s does not exist", p.name, n, m[1])
				}
			}
		})
	}
	if found == 0 {
		t.Error("the map names no files")
	}
}

var doctorClaim = regexp.MustCompile(`(\d+).+\bCheck\D*(\d+)`)

// TestDoctorFigures holds that the READMEs quote the figures of docs/doctor.md.
func TestDoctorFigures(t *testing.T) {
	measured, err := os.ReadFile(filepath.Join(root, "docs/doctor.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages(t) {
		if p.name != "README.md" && p.name != "README.zh-CN.md" {
			continue
		}
		found := false
		p.prose(func(n int, line string) {
			m := doctorClaim.FindStringSubmatch(line)
			if m == nil || !strings.Contains(line, "docs/doctor.md") {
				return
			}
			found = true
			broke, seen := "break traffic | "+m[1]+" |", "| found | "+m[2]+" "
			for _, figure := range []string{broke, seen, "| silent | 0 |"} {
				if !strings.Contains(string(measured), figure) {
					t.Errorf("%s:%d: docs/doctor.md does not have %q", p.name, n, figure)
				}
			}
		})
		if !found {
			t.Errorf("%s does not quote docs/doctor.md", p.name)
		}
	}
}
