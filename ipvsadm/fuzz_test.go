package ipvsadm

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

// FuzzParse holds that no text makes the parser panic, that an error has a place, and
// that what is read and written without loss is read as the same again.
func FuzzParse(f *testing.F) {
	text, err := os.ReadFile("testdata/commands.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f.Add([]byte(strings.TrimPrefix(line, ":")))
	}
	f.Add([]byte(lossless))
	f.Add([]byte(saved))
	for seed := range uint64(20) {
		g := newGenerator(seed)
		var lines strings.Builder
		for range 10 {
			lines.WriteString(g.line() + "\n")
		}
		f.Add([]byte(lines.String()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		changes, err := Parse(text)
		if err != nil {
			var at *Error
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 || changes != nil {
				t.Fatalf("%d changes, and an error without a place: %#v", len(changes), err)
			}
			return
		}
		commands, err := Commands(changes...)
		if err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := Parse([]byte(commands))
		if err != nil || !slices.EqualFunc(changes, again, lvs.Change.Equal) {
			t.Fatalf("read as\n%q\nand then (%v) as\n%q", texts(changes), err, texts(again))
		}
		fuzzFile(t, text)
	})
}

// fuzzFile holds the same of a file.
func fuzzFile(t *testing.T, text []byte) {
	file, err := ParseFile(text)
	if err != nil {
		return
	}
	written, err := file.MarshalText()
	if err != nil {
		t.Fatalf("read, but not written: %v", err)
	}
	again, err := ParseFile(written)
	if err != nil || !slices.EqualFunc(file.Table.Services, again.Table.Services, lvs.TableService.Equal) ||
		file.Timeouts != again.Timeouts || !slices.Equal(file.SyncDaemons, again.SyncDaemons) {
		t.Fatalf("written as\n%s\nand read as\n%v (%v)", written, again, err)
	}
	second, err := again.MarshalText()
	if err != nil || string(second) != string(written) {
		t.Fatalf("written as\n%s\nand then (%v) as\n%s", written, err, second)
	}
}
