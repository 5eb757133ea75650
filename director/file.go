package director

import (
	"fmt"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// File is a source: a file with a table, its checks and its hooks, which is read again when
// it changes.
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

	// Decode returns what the content of the file wants; nil is [ParseConfig], which also
	// reads the JSON of a table alone. An error says where it is if it is an [*lvs.Error]
	// or [*lvs.TableError] with lines and columns, or a [*FileError], whose Path may be that
	// of another file.
	Decode func(content []byte) (Config, error)

	// Others returns the names of other files and folders on which the last Decode depended,
	// such as those that the content includes: when one of them has changed, the content is
	// decoded again. nil is none.
	Others func() []string

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
		f.Decode = ParseConfig
	}
	w := fileWatch{path: f.Path, others: f.Others}
	return &feed{poll: func() news { return f.poll(&w) }, interval: f.Interval}, nil
}

// poll looks at the file, and decodes it if it has changed.
func (f File) poll(w *fileWatch) news {
	var update *Update
	recovered, err := w.look(func(content []byte) error {
		config, err := f.Decode(content)
		if err == nil {
			update = &Update{Table: config.Table, Health: config.Health, Hooks: config.Hooks}
		}
		return err
	})
	return news{update: update, err: err, recovered: recovered}
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
