package health

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writer returns a new folder, and a function that writes a file in it and returns the
// file's path.
func writer(t *testing.T) (dir string, write func(name, text string) string) {
	dir = t.TempDir()
	return dir, func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
}

func TestNumber(t *testing.T) {
	dir, write := writer(t)
	write("10.1.0.1", "-5\n")
	asks := func(share float64) Answer { return Answer{Share: share, Reported: true} }
	for _, c := range []struct {
		name  string
		probe Number
		want  Answer
		err   string
	}{
		{"zero", Number{Path: write("zero", "0\n")}, Answer{}, ""},
		{"another number", Number{Path: write("three", "3")}, Answer{}, "has the number 3"},
		{"missing", Number{Path: dir + "/none"}, Answer{}, ""},
		{"empty", Number{Path: write("empty", "")}, Answer{}, ""},
		{"zero that fails", Number{Path: dir + "/zero", Reverse: true}, Answer{}, "has the number 0"},
		{"missing that fails", Number{Path: dir + "/none", Reverse: true}, Answer{}, "has the number 0"},
		{"another number that works", Number{Path: dir + "/three", Reverse: true}, Answer{}, ""},
		{"all of the weight", Number{Path: dir + "/zero", Step: 0.25}, asks(1), ""},
		{"more", Number{Path: dir + "/three", Step: 0.25}, asks(1.75), ""},
		{"less", Number{Path: dir + "/three", Step: -0.25}, asks(0.25), ""},
		{"nothing", Number{Path: dir + "/three", Step: -1}, asks(0), ""},
		{"of the server", Number{Path: dir + "/{server}", Step: 0.1}, asks(0.5), ""},
		{"in hexadecimal digits, and more lines", Number{Path: write("hex", " 0x10 \nmore"), Step: 0.5}, asks(9), ""},
		{"the least number", Number{Path: write("least", "-2147483648"), Step: 0.5}, Answer{}, "has the number -2147483648, which means down"},
		{"the greatest", Number{Path: write("greatest", "2147483648"), Step: 0.5}, asks(1<<30 + 1), ""},
		{"too great", Number{Path: write("great", "2147483649"), Step: 0.5}, Answer{}, "is not a whole number of 32 bits"},
		{"too small", Number{Path: write("small", "-2147483649"), Step: 0.5}, Answer{}, "is not a whole number of 32 bits"},
		{"no number", Number{Path: write("word", "up")}, Answer{}, `"up" is not a whole number of 32 bits`},
		{"no file", Number{Path: dir}, Answer{}, "is not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.probe.validate(); err != nil {
				t.Fatal(err)
			}
			answer, err := c.probe.Probe(t.Context(), Target{Server: rip(1)})
			if answer != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %+v, %v; want %+v, %q", answer, err, c.want, c.err)
			}
		})
	}
	for field, bad := range map[string]Number{
		"Path": {Path: "x"}, "Step": {Path: "/x", Step: math.NaN()}, "Reverse": {Path: "/x", Step: 1, Reverse: true},
	} {
		checkField(t, bad.validate(), field)
	}
}
