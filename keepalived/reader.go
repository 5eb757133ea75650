package keepalived

import (
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// Limits on what is read, so that no text can use up memory or time: sequences and
// definitions can make much of little.
const (
	maxRead  = 32 << 20 // bytes of lines, each of which counts 32 more
	maxFile  = 16 << 20 // bytes of a file
	maxLine  = 64 << 10 // bytes of a line, after definitions are put in
	maxDepth = 32       // of includes, definitions and sequences within each other
)

// reader turns files into statements.
type reader struct {
	root   fs.FS
	isHost bool   // whether root is that of the host
	id     string // that lines with '@' are for
	onFile func(name string)
	notes  []Note
	tree   tree

	definitions map[string]definition
	open        string // the definition that goes on with the next line; "" if none

	folder string   // of the file that is read
	files  []string // that are being read, each included by the one before
	left   int      // of maxRead
}

// line is a text that is read as a line: one of a file, a definition or a sequence.
type line struct {
	text      string
	at        place
	exact     bool // whether bytes of text are those of the file
	continues bool // whether a backslash ended it
}

// from returns the rest of a line after its first n bytes.
func (l line) from(n int) line {
	rest := strings.TrimLeft(l.text[n:], blanks)
	if l.exact {
		l.at.column += len(l.text) - len(rest)
	}
	l.text = rest
	return l
}

const blanks = " \t"

// main reads the file with which reading begins.
func (r *reader) main(name string) error {
	full, err := r.absolute(name)
	if err != nil {
		return err
	}
	text, err := r.load(full)
	if err != nil {
		return err
	}
	return r.text(name, text)
}

func (r *reader) load(full string) ([]byte, error) {
	f, err := r.root.Open(full)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: full, Err: errOr(err, fs.ErrInvalid)}
	}
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// text reads the lines of a file.
func (r *reader) text(name string, text []byte) error {
	full, err := r.absolute(name)
	if err != nil {
		return err
	}
	defer func(folder string) { r.folder = folder }(r.folder)
	r.folder = path.Dir(full)
	r.files = append(r.files, full)
	defer func() { r.files = r.files[:len(r.files)-1] }()

	at := place{file: name}
	if len(text) > maxFile {
		return place{name, 1, 1}.errorf("the file has more than %d MiB", maxFile>>20)
	}
	for raw := range strings.Lines(string(text)) {
		at.line++
		at.column = 1
		if err := r.physical(strings.TrimRight(raw, "\r\n"), at); err != nil {
			return err
		}
	}
	r.open = ""
	return nil
}

// physical reads a line as it stands in a file.
func (r *reader) physical(raw string, at place) error {
	if raw == "" {
		r.open = "" // an empty line ends a definition, and a comment does not
		return nil
	}
	if err := checkText(raw, at); err != nil {
		return err
	}
	text := strings.TrimLeft(raw, blanks)
	at.column += len(raw) - len(text)
	text, continues, ok := withoutComment(text)
	if !ok {
		return at.errorf("a quote has no end on this line")
	}
	l := line{text: text, at: at, exact: true, continues: continues}
	if r.open != "" {
		return r.goOn(l)
	}
	return r.process(l, 0)
}

func checkText(raw string, at place) error {
	if len(raw) > maxLine {
		return at.errorf("the line has more than %d bytes", maxLine)
	}
	for i, c := range raw {
		if c == utf8.RuneError || c < ' ' && c != '\t' || c == 0x7f {
			at.column += i
			return at.errorf("byte %#02x does not belong to a configuration", raw[i])
		}
	}
	return nil
}

// process reads a line without its comment.
func (r *reader) process(l line, depth int) error {
	if depth > maxDepth {
		return l.at.errorf("definitions and sequences are more than %d deep: does one contain itself?", maxDepth)
	}
	for l.text != "" {
		if r.left -= len(l.text) + 32; r.left < 0 {
			return l.at.errorf("definitions and sequences make more than %d MiB of lines", maxRead>>20)
		}
		if l.text[0] == '@' {
			n, meant := r.condition(l.text)
			if !meant {
				return nil
			}
			l = l.from(n)
			continue
		}
		if name, value, ok := cutDefinition(l.text); ok {
			r.define(name, value, l.continues)
			return nil
		}
		if isSequence(l.text) {
			return r.sequence(l, depth)
		}
		text, more, err := r.substitute(l.text, l.at)
		if err != nil {
			return err
		}
		if text != l.text || more != nil {
			l.text, l.exact = text, false
			if err := r.process(l, depth+1); err != nil {
				return err
			}
			return r.lines(more, l.at, depth+1)
		}
		if kind, pattern, ok := cutInclude(l.text); ok {
			return r.include(kind, pattern, l)
		}
		if l.continues {
			r.notes = append(r.notes, l.at.note(`\`, "a backslash joins the lines of a definition only; the next line is read on its own"))
			l.continues = false
		}
		n := pieceLength(l.text)
		if err := r.tree.add(l.text[:n], l); err != nil {
			return err
		}
		l = l.from(n)
	}
	return nil
}

// lines reads the lines of a definition at the place where it is used.
func (r *reader) lines(texts []string, at place, depth int) error {
	for _, text := range texts {
		if err := r.process(line{text: text, at: at}, depth); err != nil {
			return err
		}
	}
	return nil
}

// condition returns where the text of a line with '@' begins, and whether the line is for
// this host.
func (r *reader) condition(text string) (n int, meant bool) {
	word, _, _ := strings.Cut(strings.ReplaceAll(text, "\t", " "), " ")
	if len(word) == len(text) {
		return 0, false // nothing follows
	}
	name, not := strings.CutPrefix(word[1:], "^")
	return len(word), (name == r.id) != not
}
