package top

import (
	"errors"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

func TestAskWeight(t *testing.T) {
	w := newWorld(t)
	for _, test := range []struct {
		keys   string
		bottom string // what the last line says
		weight int    // that is set; -1: none
	}{
		{"d", "move to a real server first", -1},
		{"w", "move to a real server first", -1},
		{"u", "move to a real server first", -1},
		{"jd", "Drain 10.1.0.11:80 (weight 3 to 0; 112 connections go on)? y/n", -1},
		{"jdy", "", 0},
		{"jdY", "", 0},
		{"jdn", "not done", -1},
		{"jd<enter>", "not done", -1},
		{"jd<escape>", "q quit", -1},
		{"jjjd", "its weight is 0 already", -1},
		{"jjju", "it was not drained here", -1},
		{"jw", "Weight of 10.1.0.11:80 (now 3): _", -1},
		{"jw<enter>", "not done", -1},
		{"jw7<enter>", "Set the weight of 10.1.0.11:80 from 3 to 7? y/n", -1},
		{"jw7<enter>y", "", 7},
		{"jw 12 <enter>y", "", 12},
		{"jw7<enter>n", "not done", -1},
		{"jw7<escape>", "q quit", -1},
		{"jw-1<enter>", `"-1" is not a weight: want a number from 0 to 2147483647`, -1},
		{"jw2147483648<enter>", `"2147483648" is not a weight`, -1},
		{"jwheavy<enter>", `"heavy" is not a weight`, -1},
		{"jw2147483647<enter>y", "", 2147483647},
	} {
		m := w.model(100, 24)
		e := press(m, test.keys)
		if test.weight >= 0 {
			if e.SetWeight == nil || e.SetWeight.Weight != test.weight || e.SetWeight.Row != m.Cursor || m.Prompt != nil {
				t.Errorf("%q: %+v", test.keys, e.SetWeight)
			}
			continue
		}
		if e.SetWeight != nil {
			t.Errorf("%q sets %+v", test.keys, e.SetWeight)
		}
		if got := m.bottom().String(); !strings.Contains(got, test.bottom) {
			t.Errorf("%q: %q, want %q", test.keys, got, test.bottom)
		}
	}
}

// A drain that was made here can be undone, until another weight is set elsewhere.
func TestUndo(t *testing.T) {
	w := newWorld(t)
	m := w.model(100, 24)
	set := func(keys string) {
		t.Helper()
		e := press(m, keys)
		if e.SetWeight == nil {
			t.Fatalf("%q sets nothing:\n%s", keys, screenText(m))
		}
		c := *e.SetWeight
		m.WeightSet(c, w.host.Client().SetWeight(t.Context(), c.Row.Service, c.Row.Server, c.Weight))
		w.read(m)
	}
	set("jdy")
	if got := screenText(m); !strings.Contains(got, "set here, was 3: u undoes it") || !strings.Contains(got, "weight of 10.1.0.11:80 set to 0") {
		t.Errorf("drained:\n%s", got)
	}
	press(m, "u")
	if got := m.bottom().String(); !strings.Contains(got, "Undo the drain of 10.1.0.11:80 (weight 0 to 3)? y/n") {
		t.Error(got)
	}
	press(m, "<escape>")
	set("uy")
	if r, _ := m.find(m.Cursor); r.server().Weight != 3 || len(m.Quiesced) != 0 {
		t.Errorf("undone: weight %d, %v", r.server().Weight, m.Quiesced)
	}
	set("dy")
	w.setWeight("tcp://192.0.2.10:80", "10.1.0.11:80", 5)
	w.read(m)
	if press(m, "u"); !strings.Contains(m.Notice, "was not drained here") {
		t.Errorf("weight 5 was set elsewhere: %q", m.Notice)
	}
	m.WeightSet(WeightChange{Row: m.Cursor}, errors.New("refused\x1b[2J"))
	if m.Notice != `refused\x1b[2J` {
		t.Errorf("%q", m.Notice)
	}
	w.remove("tcp://192.0.2.10:80", m.Cursor.Server)
	press(m, "d")
	w.read(m)
	if press(m, "n"); m.Prompt != nil {
		t.Error("the question stays")
	}
}

func TestAskClient(t *testing.T) {
	web, web6, mark := lvs.MustParseServiceID("tcp://192.0.2.10:80"), lvs.MustParseServiceID("udp://[2001:db8::10]:53"), lvs.FWMark(7)
	for _, test := range []struct {
		service lvs.ServiceID
		input   string
		want    string // the flow, or the error
	}{
		{web, "", "tcp 192.0.2.1:40000 192.0.2.10:80 0"},
		{web, " 198.51.100.9 ", "tcp 198.51.100.9:40000 192.0.2.10:80 0"},
		{web, "198.51.100.9:1234", "tcp 198.51.100.9:1234 192.0.2.10:80 0"},
		{web, "somewhere", `"somewhere" is not an address: want one such as 192.0.2.1 or 192.0.2.1:40000`},
		{web, "192.0.2.1 192.0.2.2", "want one client"},
		{web6, "", "udp [2001:db8::1]:40000 [2001:db8::10]:53 0"},
		{web6, "[2001:db8::7]:99", "udp [2001:db8::7]:99 [2001:db8::10]:53 0"},
		{mark, "198.51.100.9 192.0.2.99:80", "tcp 198.51.100.9:40000 192.0.2.99:80 7"},
		{mark, "198.51.100.9", "want a client and the address and port"},
		{mark, "198.51.100.9 192.0.2.99", `"192.0.2.99" is not an address and a port`},
	} {
		flow, err := flowOf(test.service, test.input)
		got := strings.Join([]string{flow.Protocol.String(), flow.Client.String(), flow.VIP.String(), count(int(flow.FWMark))}, " ")
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, test.want) {
			t.Errorf("%q at %s: %s, want %s", test.input, test.service, got, test.want)
		}
	}
}

func TestExplanation(t *testing.T) {
	w := newWorld(t)
	m := w.model(80, 24)
	if e := press(m, "enowhere<enter>"); e.Explain != nil || !strings.Contains(m.Notice, "is not an address") {
		t.Errorf("%+v, %q", e, m.Notice)
	}
	e := press(m, "e198.51.100.9<enter>")
	if e.Explain == nil || !strings.Contains(screenText(m), "reading the host ...") {
		t.Fatalf("nothing is explained:\n%s", screenText(m))
	}
	m.Explained(w.host.Explain(t.Context(), *e.Explain))
	if got := screenText(m); !strings.Contains(got, "Explanation") || !strings.Contains(got, "198.51.100.9:40000") {
		t.Errorf("explained:\n%s", got)
	}
	m.Explained(lvs.Explanation{}, errors.New("no route\nrun this\x1b[2J"))
	if got := screenText(m); !strings.Contains(got, "no route\nrun this\\x1b[2J\n") {
		t.Errorf("failed:\n%s", got)
	}
	press(m, "<escape>")
	m.Explained(lvs.Explanation{}, errors.New("late"))
	if m.Panel != nil {
		t.Error("a panel that was closed opens again")
	}
	empty := NewModel("lvs top", 0)
	if empty.Press("e"); !strings.Contains(empty.Notice, "the table has no service yet") {
		t.Errorf("%q", empty.Notice)
	}
}

// A prompt shows the end of a long input, whatever is in it.
func TestPromptInput(t *testing.T) {
	w := newWorld(t)
	m := w.model(40, 24)
	press(m, "f"+strings.Repeat("負", 300)+"end")
	if got := m.bottom(); !strings.HasSuffix(got.String(), "負_") || got.Width() > 40 || len(m.Prompt.Input) != 200 {
		t.Errorf("%q fills %d cells", got, got.Width())
	}
}
