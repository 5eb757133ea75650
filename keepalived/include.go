package keepalived

import (
	"io/fs"
	"path"
	"slices"
	"strings"
)

// cutInclude returns the variant and the pattern of an include. The variants r, m, w, b and
// a refuse files that include leaves out, such as those that are missing.
func cutInclude(text string) (kind byte, pattern string, ok bool) {
	word, rest, ok := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	if !ok {
		return 0, "", false
	}
	switch word {
	case "include":
	case "includer", "includem", "includew", "includeb", "includea":
		kind = word[len("include")]
	default:
		return 0, "", false
	}
	return kind, strings.Trim(rest, blanks+`"`), true
}

// include reads the files that a pattern matches.
func (r *reader) include(kind byte, pattern string, l line) error {
	if len(r.files) > maxDepth {
		return l.at.errorf("files include each other more than %d deep", maxDepth)
	}
	for _, one := range braces(pattern) {
		if !path.IsAbs(one) {
			one = path.Join("/", r.folder, one)
		}
		one = strings.TrimPrefix(path.Clean(one), "/")
		names, err := fs.Glob(r.root, one)
		if err != nil {
			return l.at.errorf("%q is not a pattern of files", pattern)
		}
		wild := isWild(one)
		r.report(one)
		if len(names) == 0 {
			if kind == 'a' || wild && kind == 'w' || !wild && (kind == 'm' || kind == 'w' || kind == 'b') {
				return l.at.errorf("no file is called %q", "/"+one)
			}
			r.notes = append(r.notes, l.at.note("include", "no file is called %q", "/"+one))
		}
		for _, name := range names {
			if err := r.includeFile(name, kind, l); err != nil {
				return err
			}
		}
	}
	return nil
}

func isWild(pattern string) bool { return strings.ContainsAny(pattern, `*?[`) }

// report reports the file that is to be included, or the files that a pattern matches and
// the folders in which it looks for them.
func (r *reader) report(pattern string) {
	for isWild(pattern) {
		names, _ := fs.Glob(r.root, pattern) // the pattern is valid, and so is the beginning of it
		for _, name := range names {
			r.onFile(path.Join("/", name))
		}
		pattern = path.Dir(pattern)
	}
	r.onFile(path.Join("/", pattern))
}

func (r *reader) includeFile(name string, kind byte, l line) error {
	if slices.Contains(r.files, name) {
		return l.at.errorf("%q includes itself", "/"+name)
	}
	text, err := r.load(name)
	if err != nil {
		if kind != 0 {
			return l.at.errorf("%q cannot be read: %v", "/"+name, err)
		}
		r.notes = append(r.notes, l.at.note("include", "%q cannot be read: %v", "/"+name, err))
		return nil
	}
	if r.left -= len(text); r.left < 0 {
		return l.at.errorf("the included files have more than %d MiB", maxRead>>20)
	}
	return r.text("/"+name, text)
}

// maxAlternatives bounds the patterns that braces make of one.
const maxAlternatives = 256

// braces returns the patterns that one with alternatives in braces means, such as
// {a,b}.conf.
func braces(pattern string) []string {
	all := []string{pattern}
	for i := 0; i < len(all) && len(all) < maxAlternatives; {
		before, inside, after, ok := cutBraces(all[i])
		if !ok {
			i++
			continue
		}
		var alternatives []string
		for _, one := range splitItems(inside) {
			alternatives = append(alternatives, before+one+after)
		}
		all = slices.Replace(all, i, i+1, alternatives...)
	}
	return all
}

// cutBraces returns what stands before, in and after the first pair of braces.
func cutBraces(text string) (before, inside, after string, ok bool) {
	from := strings.IndexByte(text, '{')
	if from < 0 {
		return "", "", "", false
	}
	depth := 0
	for i := from; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:from], text[from+1 : i], text[i+1:], true
			}
		}
	}
	return "", "", "", false
}
