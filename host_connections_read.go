package lvs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

const (
	// connectionsBlock is how much text is read at a time. A line must fit.
	connectionsBlock = 64 << 10

	// leastRead is the least room that is read into. The kernel returns a page at most, and
	// searches its place in the table for each read.
	leastRead = 4 << 10

	// maxInterned bounds the texts that are kept to be used again. The kernel has about
	// thirty states.
	maxInterned = 256
)

// connectionReader reads a listing of connections line by line.
type connectionReader struct {
	from    io.Reader
	block   []byte // that is read into
	end     int    // of what was read into the block
	text    []byte // that ends there, not yet parsed
	line    int    // number of the last line
	columns connectionColumns
	fields  [][]byte // of the last line
	texts   map[string]string
	c       Connection
}

func newConnectionReader(from io.Reader) *connectionReader {
	return &connectionReader{from: from, block: make([]byte, connectionsBlock), texts: make(map[string]string)}
}

// next returns the next connection, which is overwritten by the one after it. The error
// is [io.EOF] behind the last, that of reading, or says which line cannot be understood.
func (r *connectionReader) next() (*Connection, error) {
	if r.line == 0 {
		if err := r.header(); err != nil {
			return nil, err
		}
	}
	line, err := r.readLine()
	if err != nil {
		return nil, err
	}
	r.c = Connection{}
	if err := r.parse(line); err != nil {
		return nil, err
	}
	return &r.c, nil
}

// header learns the columns from the first line.
func (r *connectionReader) header() error {
	line, err := r.readLine()
	if err == io.EOF {
		r.line = 1
		err = r.notUnderstood(nil, 0, "the header is missing")
	}
	if err != nil {
		return err
	}
	if r.columns, err = parseConnectionColumns(line); err != nil {
		return r.notUnderstood(line, 0, err.Error())
	}
	return nil
}

// notUnderstood returns the error of the last line, from a byte of it on.
func (r *connectionReader) notUnderstood(line []byte, at int, why string) error {
	return &Error{
		Line: r.line, Column: utf8.RuneCount(line[:at]) + 1, kind: errors.ErrUnsupported, detail: why,
		hint: "this kernel lists connections in a form that is not known",
	}
}

// readLine returns the next line without its end. It stays until the next call.
func (r *connectionReader) readLine() ([]byte, error) {
	for searched := 0; ; {
		if n := bytes.IndexByte(r.text[searched:], '\n'); n >= 0 {
			line := r.text[:searched+n]
			r.text = r.text[searched+n+1:]
			r.line++
			return line, nil
		}
		searched = len(r.text)
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads more text behind the rest of the last block.
func (r *connectionReader) fill() error {
	kept := len(r.text)
	if len(r.block)-r.end < leastRead {
		r.end = copy(r.block, r.text)
	}
	if r.end == len(r.block) {
		return r.endless("is too long")
	}
	n, err := r.from.Read(r.block[r.end:])
	r.end += n
	r.text = r.block[r.end-n-kept : r.end]
	switch {
	case n > 0:
		return nil
	case err == nil:
		return io.ErrNoProgress
	case err == io.EOF && kept > 0:
		return r.endless("ends early")
	}
	return err
}

// endless returns the error of a line of which there is only the beginning.
func (r *connectionReader) endless(what string) error {
	r.line++
	return r.notUnderstood(r.text, len(r.text), "the line "+what)
}

// parse parses a line into r.c.
func (r *connectionReader) parse(line []byte) error {
	r.fields = appendFields(r.fields[:0], line)
	columns, ok := r.columns.of(r.fields)
	if !ok {
		return r.notUnderstood(line, len(line), fmt.Sprintf("%q does not have the columns of the header", clip(string(line))))
	}
	for i, column := range columns {
		if !r.set(column, i) {
			if _, ok := parseListedAddr(r.fields[i]); ok && column.hasPort() {
				i, column = i+1, column+1
			}
			at := cap(line) - cap(r.fields[i]) // fields are parts of the line
			return r.notUnderstood(line, at, fmt.Sprintf("%s is %q", columnNames[column], clip(string(r.fields[i]))))
		}
	}
	return nil
}

// set parses the field of a column. It reports whether it could.
func (r *connectionReader) set(column connectionColumn, i int) (ok bool) {
	c, field := &r.c, r.fields[i]
	switch column {
	case columnProtocol:
		c.Protocol, ok = parseListedProtocol(field)
		return ok
	case columnClient:
		return parseListedEnd(&c.Client, field, r.fields[i+1])
	case columnVIP:
		return parseListedEnd(&c.VIP, field, r.fields[i+1])
	case columnServer:
		return parseListedEnd(&c.Server, field, r.fields[i+1])
	case columnState:
		c.State = ConnState(r.intern(field))
	case columnOrigin:
		c.Origin = ConnOrigin(r.intern(field))
	case columnExpires:
		seconds, ok := parseListedNumber(field)
		c.Expires = time.Duration(seconds) * time.Second
		return ok
	case columnEngine:
		c.Engine = r.intern(field)
	case columnData:
		// It is the last column that is known, and may have spaces.
		c.Data = joinFields(r.fields[i : len(r.fields)-r.columns.behindData])
	}
	return true
}

func joinFields(fields [][]byte) string {
	if len(fields) == 1 {
		return string(fields[0])
	}
	return string(bytes.Join(fields, []byte(" ")))
}

// intern returns a text, the same one for the same bytes.
func (r *connectionReader) intern(text []byte) string {
	if known, ok := r.texts[string(text)]; ok {
		return known
	}
	made := string(text)
	if len(r.texts) < maxInterned {
		r.texts[made] = made
	}
	return made
}
