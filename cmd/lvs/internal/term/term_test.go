package term

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"unicode"
)

func TestInspectFile(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, w := range []interface{ Write([]byte) (int, error) }{file, &bytes.Buffer{}} {
		o := Inspect(w, func(string) string { return "" })
		if o.IsTerminal || o.Width != 0 || o.Style.Paint(Red, "x") != "x" {
			t.Errorf("%T is seen as a terminal: %+v", w, o)
		}
	}
}

func TestPaint(t *testing.T) {
	for _, test := range []struct {
		attr Attr
		want string
	}{
		{0, "x"}, {Bold, "\x1b[1mx\x1b[0m"}, {Bold | Red, "\x1b[1;31mx\x1b[0m"}, {Reverse | Magenta, "\x1b[7;35mx\x1b[0m"},
	} {
		if got := Coloured.Paint(test.attr, "x"); got != test.want {
			t.Errorf("Paint(%d) = %q, want %q", test.attr, got, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	for text, want := range map[string]string{
		"wlc":              "wlc",
		"a b~":             "a b~",
		"é 負荷":             "é 負荷",
		"\x1b[2Jgone":      `\x1b[2Jgone`,
		"bell\a\n\x7f":     `bell\a\n\x7f`,
		"\u009b31m":        `\u009b31m`,
		"\u202ereversed":   `\u202ereversed`,
		"\xff\xfe":         `\xff\xfe`,
		"zero\u200bspace":  `zero\u200bspace`,
		"line\u2028break.": `line\u2028break.`,
	} {
		if got := Clean(text); got != want {
			t.Errorf("Clean(%q) = %q, want %q", text, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("wlc\x1b[31m\x9b負荷\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		clean := Clean(text)
		if strings.ContainsFunc(clean, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Clean(%q) = %q has something to obey", text, clean)
		}
		for width := range 9 {
			if got := Width(Cut(clean, width)); got > width {
				t.Errorf("Cut(%q, %d) fills %d cells", clean, width, got)
			}
		}
	})
}

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"10.0.0.1", 8, "10.0.0.1"}, {"10.0.0.1", 7, "10.0.0+"}, {"10.0.0.1", 1, "+"}, {"10.0.0.1", 0, ""}, {"x", -1, ""},
		{"負荷分散", 8, "負荷分散"}, {"負荷分散", 7, "負荷分+"}, {"負荷分散", 6, "負荷+"},
	} {
		if got := Cut(test.text, test.width); got != test.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", test.text, test.width, got, test.want)
		}
	}
}

func TestLineCut(t *testing.T) {
	line := Line{{"ab", Bold}, {"cd", Red}, {"ef", 0}}
	for width, want := range []string{"", "+", "a+", "ab+", "abc+", "abcd+", "abcdef", "abcdef"} {
		if got := line.Cut(width).String(); got != want {
			t.Errorf("Cut(%d) = %q, want %q", width, got, want)
		}
	}
}
