package simipvs

import (
	"strings"
	"testing"
)

func TestCallID(t *testing.T) {
	long := strings.Repeat("x", maxCallID)
	for _, c := range []struct{ message, want string }{
		{"INVITE sip:b@h SIP/2.0\r\nCall-ID: a@h\r\n\r\n", "a@h"},
		{"INVITE sip:b@h SIP/2.0\ncALL-id:a\n", "a"},
		{"\r\ni: a\r\n", "a"},
		{"\ri : a\r", "a"},
		{"\r\nCall-ID:\r\n  a\r\n", "a"},
		{"\r\nCall-ID\r\n : a\r\n", "a"},
		{"\r\nCall-ID: @\r\nCall-ID: a\r\n", "a"},
		{"\r\nCall-ID: " + long + "\r\n", long},
		{"\r\n\r\nCall-ID: a\r\n", "a"}, // it need not be in the header
		{"\r\nCall-ID: a\r\ni: b\r\n", "a"},

		{"", ""},
		{"Call-ID: a\r\n", ""}, // in the first line
		{"\n\nCall-ID: a\n", ""},
		{"\r\n Call-ID: a\r\n", ""}, // goes on with the line before
		{"\r\nCall-ID: a", ""},
		{"\r\nCall-ID: a b\r\n", ""},
		{"\r\nCall-ID: a \r\n", ""},
		{"\r\nCall-ID: a@\r\n", ""},
		{"\r\nCall-ID: a@h@h\r\n", ""},
		{"\r\nCall-ID: \r\n", ""},
		{"\r\nCall-ID: " + long + "x\r\n", ""},
		{"\r\nCall-IDs: a\r\nCall-ID: b\r\n", ""}, // the first of that name counts
		{"\r\nix: a\r\n", ""},
		{"OPTIONS sip:b@example.com SIP/2.0\r\n" + strings.Repeat("Call-ID: @\r\n", 2) + "Call-ID: a\r\n", ""}, // it looks too far behind the second
	} {
		if got, found := callID(c.message); got != c.want || found != (c.want != "") {
			t.Errorf("%q: %q, %t, want %q", c.message, got, found, c.want)
		}
	}
}

// What is found is a header's value: a word, or two, in one line.
func FuzzCallID(f *testing.F) {
	f.Add("INVITE sip:b@h SIP/2.0\r\nCall-ID: a@h\r\n\r\n")
	f.Add("\n\ri\r\n : @\r\n\ncall-id:\t \r\n a@b\r")
	f.Fuzz(func(t *testing.T, message string) {
		id, found := callID(message)
		if !found {
			if id != "" {
				t.Errorf("%q: %q, and none", message, id)
			}
			return
		}
		if n := callIDLength(id); n != len(id) || n == 0 || n > maxCallID || strings.ContainsAny(id, "\r\n \t") {
			t.Errorf("%q: %q is not a value", message, id)
		}
		within := false
		for _, before := range []string{":", " ", "\t"} {
			within = within || strings.Contains(message, before+id+"\r") || strings.Contains(message, before+id+"\n")
		}
		if !within {
			t.Errorf("%q: %q does not end a line", message, id)
		}
	})
}
