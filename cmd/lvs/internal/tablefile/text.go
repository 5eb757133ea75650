package tablefile

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/golvs/lvs/director"
)

// The largest texts that are read, in bytes. 64 MiB of JSON have more than half a million
// real servers and need about 350 MiB of memory. YAML needs 65 times its size.
const (
	MaxSize = 64 << 20
	MaxYAML = 4 << 20
)

// The most commands, and commas in JSON, that are read: short ones need hundreds of times
// their size.
const (
	maxCommands = 1 << 20
	maxCommas   = 4 << 20
)

// errEmpty refuses a file without a character, which a full disk or a failed program may
// have left behind, rather than an administrator who wants no services.
var errEmpty = errors.New(`the file is empty; for a table without services, write {"version": 1, "services": []}`)

// checkText refuses what is not text, or too much.
func checkText(text []byte, format string) error {
	switch size := len(text); {
	case len(bytes.TrimSpace(text)) == 0:
		return errEmpty
	case size > MaxSize:
		return fmt.Errorf("it has more than %d MiB, which is more than any table needs", MaxSize>>20)
	case size > MaxYAML && format == YAML:
		return fmt.Errorf("it has more than %d MiB of YAML, which needs much memory to read; use JSON or commands of ipvsadm, as 'lvs save' writes them", MaxYAML>>20)
	}
	if format == Commands && bytes.Count(text, []byte("\n")) > maxCommands || format == JSON && bytes.Count(text, []byte(",")) > maxCommas {
		return errors.New("it has millions of values, which is more than any table needs")
	}
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		isControl := r < ' ' && r != '\t' && r != '\n' && r != '\r'
		switch isNone := r == '\ufffe' || r == '\uffff'; {
		case isControl || isNone:
			return At(text, at, fmt.Errorf("control character %U; a table is text: JSON, YAML, or commands of ipvsadm", r))
		case r == utf8.RuneError && size == 1:
			return At(text, at, fmt.Errorf("byte %#02x is not UTF-8; save the text in that encoding", text[at]))
		}
		at += size
	}
	return nil
}

// At returns an error with the place of a byte of a text.
func At(text []byte, at int, err error) error {
	before := text[:at]
	line := before[bytes.LastIndexByte(before, '\n')+1:]
	return &director.FileError{Line: 1 + bytes.Count(before, []byte("\n")), Column: 1 + utf8.RuneCount(line), Err: err}
}

// withoutMark returns a text without the byte order mark that some editors begin it with.
func withoutMark(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\ufeff")) }
