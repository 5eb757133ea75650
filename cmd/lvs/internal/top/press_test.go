package top

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// press presses keys, of which those in <> have names, and returns the last effect.
func press(m *Model, keys string) (e Effect) {
	for keys != "" {
		key := Key([]rune(keys)[:1])
		if name, ok := strings.CutPrefix(keys, "<"); ok {
			name, _, _ = strings.Cut(name, ">")
			key, keys = Key(name), keys[len(name)+1:]
		}
		keys = keys[len(string([]rune(keys)[:1])):]
		e = m.Press(key)
	}
	return e
}

// cursor returns the row at the cursor, after a frame.
func cursor(m *Model) string {
	m.Draw()
	if m.Cursor.Server.IsValid() {
		return m.Cursor.Server.String()
	}
	return m.Cursor.Service.String()
}

func TestMove(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct{ keys, want string }{
		{"", "tcp://192.0.2.10:80"},
		{"j", "10.1.0.11:80"},
		{"<down><down>k", "10.1.0.11:80"},
		{"jj<up><up><up>", "tcp://192.0.2.10:80"},
		{"G", "tcp://192.0.2.10:110"},
		{"<end>k", "10.1.0.31:25"},
		{"Gg", "tcp://192.0.2.10:80"},
		{"G<home>j", "10.1.0.11:80"},
		{"<page down>", "[2001:db8:1::11]:80"},
		{" <page up>", "tcp://192.0.2.10:80"},
		{"<escape>j", "10.1.0.11:80"},
	} {
		m := w.model(80, 16)
		press(m, test.keys)
		if got := cursor(m); got != test.want {
			t.Errorf("%q moves to %s, want %s", test.keys, got, test.want)
		}
		if drawn := screenText(m); !strings.Contains(drawn, ">") || !strings.Contains(drawn, test.want) {
			t.Errorf("%q: the cursor is not on the screen:\n%s", test.keys, drawn)
		}
	}
}

// A cursor at the top stays there, and any other on its row, or that of its service.
func TestCursorFollows(t *testing.T) {
	w := newWorld(t)
	m := w.model(80, 24)
	press(m, "s") // by active connections, of which 192.0.2.10:80 has most
	w.connectMany("192.0.2.10:443", 400)
	w.read(m)
	if got := cursor(m); got != "tcp://192.0.2.10:443" {
		t.Errorf("the cursor left the top, and is at %s", got)
	}
	press(m, "j")
	at := m.Cursor
	w.connectMany("192.0.2.10:80", 900)
	w.read(m)
	if cursor(m); m.Cursor != at {
		t.Errorf("the cursor was at %v, and is at %v", at, m.Cursor)
	}
	w.remove("tcp://192.0.2.10:443", at.Server)
	w.read(m)
	if got := cursor(m); got != "tcp://192.0.2.10:443" {
		t.Errorf("after its real server went, the cursor is at %s", got)
	}
}

func TestPress(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		keys string
		want func(m *Model, e Effect) bool
	}{
		{"q", func(_ *Model, e Effect) bool { return e.Quit }},
		{"<interrupt>", func(_ *Model, e Effect) bool { return e.Quit }},
		{"f<interrupt>", func(_ *Model, e Effect) bool { return e.Quit }},
		{"?<interrupt>", func(_ *Model, e Effect) bool { return e.Quit }},
		{"<suspend>", func(_ *Model, e Effect) bool { return e.Suspend }},
		{"f<redraw>", func(m *Model, e Effect) bool { return e.Redraw && e.Read && m.Prompt != nil }},
		{"?", func(m *Model, _ Effect) bool { return m.Panel.Title == "Help" }},
		{"?q", func(m *Model, e Effect) bool { return m.Panel == nil && !e.Quit }},
		{"h<escape>", func(m *Model, _ Effect) bool { return m.Panel == nil }},
		{"?e", func(m *Model, _ Effect) bool { return m.Panel == nil && m.Prompt != nil }},
		{"sss", func(m *Model, _ Effect) bool { return m.Sort == ByWeight }},
		{"ssss", func(m *Model, _ Effect) bool { return m.Sort == ByRate }},
		{"p", func(m *Model, e Effect) bool { return m.Paused && !e.Read }},
		{"pp", func(m *Model, e Effect) bool { return !m.Paused && e.Read }},
		{"+", func(m *Model, _ Effect) bool { return m.Interval == 2*time.Second }},
		{"---", func(m *Model, _ Effect) bool { return m.Interval == MinInterval }},
		{strings.Repeat("+", 20), func(m *Model, _ Effect) bool { return m.Interval == MaxInterval }},
		{"c", func(m *Model, e Effect) bool { return m.CountStates && e.Read }},
		{"cc", func(m *Model, _ Effect) bool { return !m.CountStates && m.States == nil }},
		{"z", func(m *Model, _ Effect) bool { return strings.Contains(m.Notice, "? lists the keys") }},
		{"zj", func(m *Model, _ Effect) bool { return m.Notice == "" }},
	} {
		m := w.model(80, 24)
		if e := press(m, test.keys); !test.want(m, e) {
			t.Errorf("%q has the effect %+v, and shows\n%s", test.keys, e, screenText(m))
		}
	}
}

func TestPanelScrolls(t *testing.T) {
	w := newWorld(t)
	m := w.model(60, 12)
	press(m, "?")
	for _, test := range []struct {
		key  Key
		want string
	}{
		{KeyUp, "lines 1 to 7 of"}, {KeyDown, "lines 2 to 8 of"}, {KeyPageDown, "lines 8 to 14 of"}, {KeyHome, "lines 1 to 7 of"},
	} {
		m.Press(test.key)
		if got := screenText(m); !strings.Contains(got, test.want) {
			t.Errorf("%s: no %q:\n%s", test.key, test.want, got)
		}
	}
	m.Press(KeyEnd)
	if got := screenText(m); !strings.Contains(got, "predicted") {
		t.Errorf("the end is not seen:\n%s", got)
	}
	m.Width, m.Height = 200, 50 // all of it fits
	if got := screenText(m); !strings.Contains(got, "keys\n") || strings.Contains(got, "lines ") {
		t.Errorf("enlarged:\n%s", got)
	}
}

// names returns all rows.
func names(m *Model) (all []string) {
	for _, r := range m.rows() {
		all = append(all, strings.TrimSpace(nameOf(r)))
	}
	return all
}

func TestFilterAndFold(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		keys string
		want string
	}{
		{"f[2001<enter>", "tcp://[2001:db8::10]:80 [2001:db8:1::11]:80 [2001:db8:1::12]:80"},
		{"/0.2.53<enter>", "udp://192.0.2.53:53 10.1.0.22:53 10.1.0.21:53"},
		{"f  WLC <enter>", "tcp://192.0.2.10:443 10.1.0.11:443 10.1.0.12:443 10.1.0.13:443"}, // the scheduler, in any case
		{"f.12:<enter>", "tcp://192.0.2.10:80 10.1.0.12:80 tcp://192.0.2.10:443 10.1.0.12:443"},
		{"f.122<backspace>:<enter>", "tcp://192.0.2.10:80 10.1.0.12:80 tcp://192.0.2.10:443 10.1.0.12:443"},
		{"fnothing<erase>:25<enter>", "tcp://192.0.2.10:25 10.1.0.31:25"},
		{"f:25<enter>f0<escape>", "tcp://192.0.2.10:25 10.1.0.31:25"},
		{"fé負<enter>", ""},
		{"f:25<enter><enter>", "tcp://192.0.2.10:25"},
		{"f:25<enter><down><left>", "tcp://192.0.2.10:25"},
		{"f:25<enter><enter><right>", "tcp://192.0.2.10:25 10.1.0.31:25"},
		{"f:25<enter>F", "tcp://192.0.2.10:25"},
		{"f:25<enter>FF", "tcp://192.0.2.10:25 10.1.0.31:25"},
	} {
		m := w.model(80, 24)
		press(m, test.keys)
		if got := strings.Join(names(m), " "); got != test.want {
			t.Errorf("%q shows %s, want %s", test.keys, got, test.want)
		}
		if got := screenText(m); test.want == "" && !strings.Contains(got, "nothing contains") {
			t.Errorf("%q:\n%s", test.keys, got)
		}
	}
}

func TestSort(t *testing.T) {
	w := newWorld(t)
	for name, want := range map[string][]string{
		"rate":    {"tcp://192.0.2.10:80", "10.1.0.11:80", "10.1.0.13:80", "10.1.0.12:80", "tcp://192.0.2.10:443"},
		"active":  {"tcp://192.0.2.10:80", "10.1.0.11:80", "10.1.0.13:80", "10.1.0.12:80", "tcp://192.0.2.10:25"},
		"address": {"tcp://192.0.2.10:25", "10.1.0.31:25", "tcp://192.0.2.10:80", "10.1.0.11:80", "10.1.0.12:80"},
		"weight":  {"tcp://[2001:db8::10]:80", "[2001:db8:1::11]:80", "[2001:db8:1::12]:80", "tcp://192.0.2.10:443", "10.1.0.11:443"},
	} {
		m := w.model(80, 24)
		if err := m.Sort.UnmarshalText([]byte(name)); err != nil {
			t.Fatal(err)
		}
		if got := names(m)[:len(want)]; !slices.Equal(got, want) {
			t.Errorf("by %s: %q, want %q", name, got, want)
		}
	}
	var s Sort
	if err := s.UnmarshalText([]byte("size")); err == nil || !strings.Contains(err.Error(), "rate, active, address, weight") {
		t.Errorf("by size: %v", err)
	}
}
