package director

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/golvs/lvs"
)

// fileWatch looks at a file now and then.
type fileWatch struct {
	path     string
	optional bool            // a file that does not exist is like one without content
	others   func() []string // on which the content depends; nil is none

	read   seen // when its content was read last
	latest seen // at the last look
	good   *[sha256.Size]byte
	broken string // the error that was returned last; "" if the file is in order
}

// seen is what a look has seen of the file, and of others on which its content depends.
type seen struct {
	file   os.FileInfo // nil if it was not there
	names  []string
	others []os.FileInfo // of names; nil where there is none
}

// look reads the file if it has changed and stayed the same since, and has take decode
// it, but for a content that is the last good one. It returns an error only once, and
// says when the file is in order again.
func (w *fileWatch) look(take func(content []byte) error) (recovered bool, err error) {
	now, err := w.see()
	if w.optional && errors.Is(err, fs.ErrNotExist) {
		w.read, w.latest = seen{}, seen{}
		return w.use(nil, take)
	}
	if err != nil {
		return false, w.lost(err)
	}
	if now.same(w.read) {
		return false, nil
	}
	if !now.same(w.latest) {
		w.latest = now
		return false, nil
	}
	content, err := os.ReadFile(w.path)
	after, statErr := w.see()
	if err != nil || statErr != nil {
		return false, w.lost(errors.Join(err, statErr))
	}
	if w.latest = after; !after.same(now) {
		return false, nil // it changed while it was read
	}
	if !now.sameOthers(w.read) {
		w.good = nil // the same content may mean something else
	}
	// If it depends on others than before, it is read once more when they stay the same.
	w.read = now
	return w.use(content, take)
}

// see looks at the file and the others.
func (w *fileWatch) see() (s seen, err error) {
	if s.file, err = statRegular(w.path); err != nil || w.others == nil {
		return s, err
	}
	s.names = w.others()
	for _, name := range s.names {
		info, _ := os.Stat(name) // decoding it says what is wrong
		s.others = append(s.others, info)
	}
	return s, nil
}

func (s seen) same(other seen) bool { return sameFile(s.file, other.file) && s.sameOthers(other) }

func (s seen) sameOthers(other seen) bool {
	return slices.Equal(s.names, other.names) && slices.EqualFunc(s.others, other.others, func(a, b os.FileInfo) bool {
		return a == nil && b == nil || sameFile(a, b)
	})
}

// statRegular returns what a file is, through symbolic links, if it can be read.
func statRegular(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &FileError{Path: path, Err: errors.New("it is not a regular file")}
	case info.Size() > maxFileSize:
		return nil, &FileError{Path: path, Err: fmt.Errorf("it has %d bytes, and only a file of up to %d is read", info.Size(), maxFileSize)}
	}
	return info, nil
}

// use has a content decoded that is not the last good one.
func (w *fileWatch) use(content []byte, take func(content []byte) error) (recovered bool, err error) {
	sum := sha256.Sum256(content)
	if w.good != nil && sum == *w.good {
		recovered = w.broken != ""
		w.broken = ""
		return recovered, nil
	}
	if err := take(content); err != nil {
		return false, w.problem(err)
	}
	w.good, w.broken = &sum, ""
	return false, nil
}

// lost returns the error of a file that cannot be read. It is read again even if it comes
// back as it was.
func (w *fileWatch) lost(err error) error {
	w.read, w.latest = seen{}, seen{}
	return w.problem(err)
}

// problem returns an error with its place, unless it was returned last.
func (w *fileWatch) problem(err error) error {
	placed := inFile(w.path, err)
	if placed.Error() == w.broken {
		return nil
	}
	w.broken = placed.Error()
	return placed
}

// inFile returns an error with the path of its file, unless it has one itself, and its
// place if it has one.
func inFile(file string, err error) error {
	placed := &FileError{Path: file, Err: err}
	var inside *FileError
	var value *lvs.Error
	var path *os.PathError
	switch {
	case errors.As(err, &inside):
		return &FileError{cmp.Or(inside.Path, file), inside.Line, inside.Column, inside.Err}
	case errors.As(err, &value):
		placed.Line, placed.Column = value.Line, value.Column
	case errors.As(err, &path) && path.Path == file:
		placed.Err = path.Err // whose path is that of the file
	}
	return placed
}

// sameFile reports whether a file has not changed between two looks.
func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
