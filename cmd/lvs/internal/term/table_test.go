package term

import (
	"strings"
	"testing"
)

func example() *Table {
	t := &Table{Columns: []Column{{Head: "SERVICE", Least: 8}, {Head: "CONNS", Right: true}, {Head: "NOTE", Least: 4}}}
	t.Add("tcp://192.168.0.11:80", "12", "a note of some length")
	t.Add("fwmark://7", "4096")
	t.Add("udp://[fd00::1]:53", "3", "evil\x1b[2J")
	return t
}

func TestTable(t *testing.T) {
	for _, test := range []struct {
		width int
		want  string
	}{
		{0, `
SERVICE                CONNS  NOTE
tcp://192.168.0.11:80     12  a note of some length
fwmark://7              4096
udp://[fd00::1]:53         3  evil\x1b[2J
`}, {40, `
SERVICE          CONNS  NOTE
tcp://192.168.+     12  a note of some +
fwmark://7        4096
udp://[fd00::1+      3  evil\x1b[2J
`}, {10, `
SERVICE  +
tcp://1+ +
fwmark:+ +
udp://[+ +
`},
	} {
		var b strings.Builder
		if err := example().Write(&b, Output{Width: test.width}); err != nil {
			t.Fatal(err)
		}
		if got := "\n" + b.String(); got != test.want {
			t.Errorf("in %d cells:%s\nwant:%s", test.width, got, test.want)
		}
	}
}

// No width breaks a table, and no line is wider than it.
func TestTableFits(t *testing.T) {
	for width := 1; width < 80; width++ {
		for _, line := range example().Lines(width) {
			if got := line.Width(); got > width {
				t.Errorf("in %d cells, %q fills %d", width, line, got)
			}
		}
	}
}
