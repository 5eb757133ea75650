package tablefile_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/tablefile"
	"github.com/golvs/lvs/director"
)

// What is read is valid, and is the same when it is written and read again. What is refused
// has a place that is in the text, unless it is about all of it.
func FuzzDecode(f *testing.F) {
	text, err := os.ReadFile("testdata/table.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	for _, text := range []string{
		"-A -t 10.168.0.91:80 -s wrr\n-a -t 10.168.0.91:80 -r 10.168.0.94:80 -g -w 3 -x 20 -y 10\n--set 1 2 3\n--start-daemon master --mcast-interface eth0\n",
		`{"version": 1, "services": [{"id": "fwmark://7", "scheduler": "wrr", "realServers": [{"addr": "10.168.0.94:80", "mode": "gue:6080", "weight": 3}]}]}`,
		"\ufeffversion: 1\r\nservices: []\r\n", "version: 1\nservices: &a [*a]\n", "a: &a [b, b]\nc: &c [*a, *a]\nd: [*c, *c]\nversion: 1\n", "--- 1\n--- 2\n",
		"version: 1\nservices: [{id: \"\\e[31m\"}]\n", "? {}\n: 1\n", "<<: {version: 1}\nservices: []\n", "", "{", "# c\n", "! c\nvirtual_server 10.0.0.1 80 {\n protocol TCP\n real_server 10.1.0.1 80 { TCP_CHECK { } } }\n", "include *\n", "\x00", "\xff\xfe1\x00",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if _, err := tablefile.DecodePlan(text); err == nil {
			return
		}
		file, err := tablefile.Decode(text)
		if err != nil {
			wantPlace(t, text, err)
			return
		}
		if err := file.Table.Validate(); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		for _, format := range []string{tablefile.Commands, tablefile.JSON, tablefile.YAML} {
			written, err := tablefile.Encode(file.File, format)
			if format == tablefile.Commands && (err != nil || len(written) == 0) {
				continue // it has no words for some tables
			}
			if err != nil {
				t.Fatalf("%q as %s: %v", text, format, err)
			}
			if again, err := tablefile.Decode(written); err != nil || !again.Table.Equal(file.Table) {
				t.Fatalf("%q as %s: %v\n%s", text, format, err, written)
			}
		}
	})
}

// placeOf returns where an error says that a text is wrong.
func placeOf(err error) (line, column int) {
	var file *director.FileError
	var value *lvs.Error
	switch {
	case errors.As(err, &file):
		return file.Line, file.Column
	case errors.As(err, &value):
		return value.Line, value.Column
	}
	return 0, 0
}

func wantPlace(t *testing.T, text []byte, err error) {
	t.Helper()
	line, column := placeOf(err)
	lines := 2 // with the one behind the last
	for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
		lines += bytes.Count(text, []byte(end))
	}
	if line < 0 || column < 0 || line > lines || (line == 0) != (column == 0) {
		t.Errorf("%q: the place %d:%d is not in it: %v", text, line, column, err)
	}
	if line == 0 && tablefile.Format(text) == tablefile.YAML && len(bytes.TrimSpace(text)) > 0 {
		t.Errorf("%q: no place: %v", text, err)
	}
}
