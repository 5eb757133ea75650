package lvs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"unicode/utf8"
)

// readIPVSFile reads a file of IPVS, which exists if the kernel has IPVS.
func (h *Host) readIPVSFile(ctx context.Context, path string) ([]byte, error) {
	text, err := h.readFile(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		err = (&Error{kind: ErrUnavailable, cause: fs.ErrNotExist, hint: hintNoIPVS}).about(OpReadHost, path)
	}
	return text, err
}

// procRows reads a file of /proc row by row, and each row word by word.
type procRows struct {
	path string
	rest []byte // the rows that follow

	row    []byte
	line   int    // of the row, from 1
	word   []byte // the current one, empty at the end of the row
	column int    // of the word, from 0
}

// next goes to the next row, and reports whether there is one.
func (r *procRows) next() bool {
	r.word, r.column = nil, 0
	if len(r.rest) == 0 {
		r.row = nil
		return false
	}
	r.row, r.rest, _ = bytes.Cut(r.rest, []byte{'\n'})
	r.line++
	return true
}

// nextWord goes to the next word of the row, and returns it.
func (r *procRows) nextWord() []byte {
	begin := r.column + len(r.word)
	for begin < len(r.row) && r.row[begin] == ' ' {
		begin++
	}
	end := begin
	for end < len(r.row) && r.row[end] != ' ' {
		end++
	}
	r.word, r.column = r.row[begin:end], begin
	return r.word
}

// expect reads a row that must begin with these words, as a heading does. What follows
// them is ignored.
func (r *procRows) expect(words ...string) error {
	r.next()
	for _, want := range words {
		if string(r.nextWord()) != want {
			return r.refuse(fmt.Sprintf("%q", want))
		}
	}
	return nil
}

// unsigned reads a word that is a number.
func (r *procRows) unsigned(base, size int) (uint64, error) {
	n, err := strconv.ParseUint(string(r.nextWord()), base, size)
	if err != nil {
		return 0, r.refuse(fmt.Sprintf("a number of base %d and %d bits", base, size))
	}
	return n, nil
}

// signed is like unsigned for a decimal number that may be negative.
func (r *procRows) signed() (int, error) {
	n, err := strconv.ParseInt(string(r.nextWord()), 10, 32)
	if err != nil {
		return 0, r.refuse("a decimal number of 32 bits")
	}
	return int(n), nil
}

// refuse returns the error of the current word.
func (r *procRows) refuse(want string) error {
	found := strconv.Quote(clip(string(r.word)))
	if len(r.word) == 0 {
		found = "the end of the row"
	}
	return (&Error{
		Line: max(r.line, 1), Column: utf8.RuneCount(r.row[:r.column]) + 1, kind: errors.ErrUnsupported,
		detail: fmt.Sprintf("found %s, want %s", found, want),
		hint:   "this kernel writes the file in a form that is not known here: report it with the release of the kernel",
	}).about(OpReadHost, r.path)
}
