package health

import (
	"strings"
	"testing"
)

func TestParseState(t *testing.T) {
	asks := func(share float64) Answer { return Answer{Share: share, Reported: true} }
	for _, c := range []struct {
		line  string
		want  Answer
		wrong string
	}{
		{"", Answer{}, ""},
		{"up", Answer{}, ""},
		{"Ready, UP", Answer{}, ""},
		{"75%", asks(0.75), ""},
		{"0.75", asks(0.75), ""},
		{"1", asks(1), ""},
		{"200%", asks(2), ""},
		{"0%", asks(0), ""},
		{"drain", asks(0), ""},
		{"maint", asks(0), ""},
		{"up 50% drain", asks(0), ""},
		{"\tup,ready 50%,maxconn:30 # all is well, down", asks(0.5), ""},
		{"# nothing to say", Answer{}, ""},
		{"down", Answer{}, `it says "down"`},
		{"STOPPED", Answer{}, `it says "STOPPED"`},
		{"fail # no database", Answer{}, `it says "fail # no database"`},
		{"failed", Answer{}, `it says "failed"`},
		{"75%,maxconn:30,maint,down", Answer{}, "it says "},
		{"ready 75% #", asks(0.75), ""},
		{"75", Answer{}, `"75" is not a share such as 0.5, at most 1, or 50%, at most 100000%`},
		{"1.01", Answer{}, "is not a share"},
		{"100001%", Answer{}, "is not a share"},
		{"-1%", Answer{}, "is not a share"},
		{"NaN%", Answer{}, "is not a share"},
		{"Inf", Answer{}, "is not a share"},
		{"50 %", Answer{}, `"50" is not a share`},
		{"up and running", Answer{}, `"and" is not up, ready, drain, maint, down, fail or stopped`},
	} {
		answer, err := parseState(c.line)
		if answer != c.want || (err == nil) != (c.wrong == "") || err != nil && !strings.Contains(err.Error(), c.wrong) {
			t.Errorf("%q: %+v, %v, want %+v, %q", c.line, answer, err, c.want, c.wrong)
		}
	}
}

func TestFirstLine(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "up": "up", " up \r\ndown": "up", "up\rdown": "up", "\ndown": "", strings.Repeat(" ", 1000) + "down": "down",
		strings.Repeat("x", 1000): strings.Repeat("x", mostLine),
	} {
		if got := firstLine([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzState(f *testing.F) {
	for _, line := range []string{"up", "down # x", "ready,50%", "NaN%", "-1%", "1e400%", "maxconn:", ""} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if a, err := parseState(line); !(a.Share >= 0 && a.Share <= maxShare) || err != nil && a.Reported {
			t.Errorf("%q: %+v, %v", line, a, err)
		}
	})
}
