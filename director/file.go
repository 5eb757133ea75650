package director

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// File is a source: a file with a table, which is read again when it changes.
//
// The file may be written in place, replaced by a rename, or reached through symbolic
// links that change, as those of a Kubernetes ConfigMap. A change is noticed by the
// file's identity, size and time. It is read when these have stayed the same for an
// Interval, so that a file that is being written is not taken, and only another content
// counts as new. A program that pauses for longer in the middle of writing should write
// another file and rename it: half a file of YAML can be a valid, shorter table. A file
// of more than 256 MiB is not read.
//
// While the file is missing or broken, the last table stays wanted, and
// [SourceBroken] says what is wrong with it, and where.
type File struct {
	Path string // must be set

	// Decode returns the table in the content of the file; nil is [lvs.ParseTable]. An
	// error says where it is if it is an [*lvs.Error] or [*lvs.TableError] with lines and
	// columns, or a [*FileError] without Path.
	Decode func(content []byte) (lvs.Table, error)

	// Interval is the time between two looks at the file; 0 is half a second. Of two
	// writes of equally many bytes within one tick of the file system's clock, which can
	// be 10 ms, the second is noticed only if Interval is longer.
	Interval time.Duration
}

// maxFileSize is the size above which a file is not read. A million real servers need
// less.
const maxFileSize = 256 << 20

func (f File) open() (*feed, error) {
	switch {
	case f.Path == "":
		return nil, invalid("Source.Path", "must be set")
	case f.Interval < 0:
		return nil, invalid("Source.Interval", "%s is negative", f.Interval)
	case f.Interval == 0:
		f.Interval = 500 * time.Millisecond
	}
	if f.Decode == nil {
		f.Decode = lvs.ParseTable
	}
	w := &watcher{File: f}
	return &feed{poll: w.poll, interval: f.Interval}, nil
}

// FileError says what is wrong with the file of a table, and where. Each problem of an
// [*lvs.TableError] has a place of its own.
type FileError struct {
	Path         string // of the file
	Line, Column int    // from 1, the column in characters; 0 if not known
	Err          error  // what is wrong
}

// Error returns the error behind its place, such as "table.json:12:5: …".
func (e *FileError) Error() string {
	place, err := e.Path, e.Err
	if e.Line > 0 {
		place = strings.TrimPrefix(fmt.Sprintf("%s:%d:%d", e.Path, e.Line, e.Column), ":")
		err = unplaced(err)
	}
	if place == "" {
		return err.Error()
	}
	return place + ": " + err.Error()
}

// unplaced returns an error without its place, if it has only one.
func unplaced(err error) error {
	if all, ok := err.(*lvs.TableError); ok && len(all.Problems) == 1 {
		err = all.Problems[0]
	}
	if one, ok := err.(*lvs.Error); ok {
		bare := *one
		bare.Line, bare.Column = 0, 0
		return &bare
	}
	return err
}

// Unwrap returns what is wrong.
func (e *FileError) Unwrap() error { return e.Err }

// watcher looks at a file.
type watcher struct {
	File
	read   os.FileInfo // the file whose content was read last
	latest os.FileInfo // the file as it was at the last look
	good   *[sha256.Size]byte
	broken string // the error that was returned last; "" if the file is in order
}

// poll reads the file if it has changed and stayed the same since.
func (w *watcher) poll() news {
	now, err := w.stat()
	if err != nil {
		return w.lost(err)
	}
	if sameFile(now, w.read) {
		return news{}
	}
	if !sameFile(now, w.latest) {
		w.latest = now
		return news{}
	}
	content, err := os.ReadFile(w.Path)
	after, statErr := w.stat()
	if err != nil || statErr != nil {
		return w.lost(errors.Join(err, statErr))
	}
	if w.latest = after; !sameFile(after, now) {
		return news{} // it changed while it was read
	}
	w.read = now
	return w.take(content)
}

// lost returns the error of a file that cannot be read. It is read again even if it comes
// back as it was.
func (w *watcher) lost(err error) news {
	w.read, w.latest = nil, nil
	return w.problem(err)
}

// stat returns what the file is, through symbolic links.
func (w *watcher) stat() (os.FileInfo, error) {
	info, err := os.Stat(w.Path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &FileError{Path: w.Path, Err: errors.New("it is not a regular file")}
	case info.Size() > maxFileSize:
		return nil, &FileError{Path: w.Path, Err: fmt.Errorf("it has %d bytes, and only a file of up to %d is read", info.Size(), maxFileSize)}
	}
	return info, nil
}

// take decodes a content that is not the last good one.
func (w *watcher) take(content []byte) news {
	sum := sha256.Sum256(content)
	if w.good != nil && sum == *w.good {
		recovered := w.broken != ""
		w.broken = ""
		return news{recovered: recovered}
	}
	table, err := w.Decode(content)
	if err != nil {
		return w.problem(err)
	}
	w.good, w.broken = &sum, ""
	return news{update: &Update{Table: table}}
}

// problem returns an error with its place, unless it was returned last.
func (w *watcher) problem(err error) news {
	placed := &FileError{Path: w.Path, Err: err}
	var inside *FileError
	var value *lvs.Error
	var path *os.PathError
	switch {
	case errors.As(err, &inside):
		placed = &FileError{w.Path, inside.Line, inside.Column, inside.Err}
	case errors.As(err, &value):
		placed.Line, placed.Column = value.Line, value.Column
	case errors.As(err, &path):
		placed.Err = path.Err // whose text has the path again
	}
	if placed.Error() == w.broken {
		return news{}
	}
	w.broken = placed.Error()
	return news{err: placed}
}

// sameFile reports whether a file has not changed between two looks.
func sameFile(a, b os.FileInfo) bool {
	return a != nil && b != nil && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}
