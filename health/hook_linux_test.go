package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/golvs/lvs"
)

// script returns the options of a hook that runs a script of the shell, which stands for
// a user's program. % is a file that it may write to.
func script(t *testing.T, text string) (HookOptions, func() string) {
	file := filepath.Join(t.TempDir(), "out")
	read := func() string {
		out, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return string(out)
	}
	return HookOptions{Path: "/bin/sh", Args: []string{"-c", strings.ReplaceAll(text, "%", file)}}, read
}

// hooked returns a hook, and the errors that it reports.
func hooked(t *testing.T, o HookOptions) (*Hook, *[]string) {
	t.Helper()
	var errs []string
	h, err := NewHook(o, func(err error) { errs = append(errs, err.Error()) })
	if err != nil {
		t.Fatal(err)
	}
	return h, &errs
}

// runUntil runs a hook until something is so.
func runUntil(t *testing.T, h *Hook, so func(HookStatus) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- h.Run(ctx) }()
	for !so(h.Status()) && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	late := ctx.Err() != nil
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || late {
		t.Fatalf("Run: %v, %+v", err, h.Status())
	}
}

func idle(s HookStatus) bool { return s.Waiting == 0 && !s.Running && s.Runs > 0 }

func went(i int, is State) Event { return ServerChanged{web, rip(i), Unknown, is, ""} }

// TestHookOrder holds that the program sees each event, in order, on its input and in its
// environment.
func TestHookOrder(t *testing.T) {
	o, read := script(t, `read -r line && echo "$LVS_EVENT/$LVS_SERVICE/$LVS_SERVER/$LVS_STATE/$MODE $line" >> %`)
	o.Env = []string{"MODE=test"}
	h, errs := hooked(t, o)
	var want []string
	for i := range 20 {
		h.OnEvent(went(i, Up))
		want = append(want, fmt.Sprintf("server changed/%s/%s/up/test", web, rip(i)))
	}
	runUntil(t, h, idle)
	var got []string
	for line := range strings.Lines(read()) {
		head, text, _ := strings.Cut(line, " {")
		got = append(got, head)
		if !strings.Contains(text, `"version":1,"event":"server changed"`) {
			t.Errorf("the input was {%s", text)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if len(*errs) > 0 {
		t.Error(*errs)
	}
}

// TestHookDrops holds that the oldest events are dropped, and that both the program and
// the hook's owner hear of it.
func TestHookDrops(t *testing.T) {
	o, read := script(t, `echo "$LVS_SERVER:$LVS_DROPPED" >> %`)
	o.Queue = 3
	h, errs := hooked(t, o)
	for i := range 10_000 {
		h.OnEvent(went(i, Down))
	}
	if s := h.Status(); s.Waiting != 3 || s.Dropped != 9997 {
		t.Errorf("%+v", s)
	}
	runUntil(t, h, idle)
	want := fmt.Sprintf("%s:9997\n%s:\n%s:\n", rip(9997), rip(9998), rip(9999))
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	if len(*errs) != 1 || !strings.Contains((*errs)[0], "9997 events were dropped") {
		t.Errorf("errors: %q", *errs)
	}
}

// TestHookFails holds that a program that fails or hangs is reported, killed with what it
// started, and followed by the next event.
func TestHookFails(t *testing.T) {
	o, read := script(t, `case $LVS_STATE in
		up) sleep 60 & echo $! > %; wait ;;
		down) echo no route; exit 4 ;;
		*) echo last >> % ;;
	esac`)
	o.Timeout = 4 * time.Second // in which a busy machine runs the others
	h, errs := hooked(t, o)
	for _, state := range []State{Up, Down, Unknown} {
		h.OnEvent(went(1, state))
	}
	runUntil(t, h, idle)
	child, last, _ := strings.Cut(read(), "\n")
	if last != "last\n" {
		t.Errorf("after the failures: %q", last)
	}
	var pid int
	if _, err := fmt.Sscan(child, &pid); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); running(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is left", pid)
		}
	}
	want := []string{"was killed", `exited with status 4: "no route"`}
	if !slices.EqualFunc(*errs, want, strings.Contains) {
		t.Errorf("errors: %q, want %q", *errs, want)
	}
	if s := h.Status(); s.Runs != 3 || s.Failed != 2 || s.Error != "" {
		t.Errorf("%+v", s)
	}
}

// TestHookEnds holds that Run ends with its context while the program hangs, and that the
// events that wait are run for later.
func TestHookEnds(t *testing.T) {
	o, read := script(t, `[ -e % ] && echo again >> % && exit; echo begun > %; sleep 60`)
	h, _ := hooked(t, o)
	h.OnEvent(went(1, Up))
	h.OnEvent(went(2, Up))
	runUntil(t, h, func(HookStatus) bool { return read() == "begun\n" })
	runUntil(t, h, func(s HookStatus) bool { return s.Runs == 2 })
	if text := read(); text != "begun\nagain\n" {
		t.Errorf("ran: %q", text)
	}
}

// TestHookChooses holds that a hook runs for what all of its options admit, and for nothing
// else.
func TestHookChooses(t *testing.T) {
	mail := lvs.MustParseServiceID("tcp://10.168.0.92:25")
	mapped := netip.AddrPortFrom(netip.AddrFrom16(rip(1).Addr().As16()), rip(1).Port())
	events := []Event{
		0: went(1, Up), 1: went(1, Down), 2: went(2, Down), 3: ServerChanged{mail, rip(1), Up, Down, ""},
		4: LimitCrossed{Service: web, Below: true}, 5: LimitCrossed{Service: mail}, 6: ContentDiffers{Service: web, Server: rip(2)},
		7: OverrideEnded{Override{Service: web, Server: rip(1)}}, 8: ServerChanged{web, rip(1), Up, Unknown, ""},
	}
	for _, test := range []struct {
		o    HookOptions
		want []int
	}{
		{HookOptions{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8}},
		{HookOptions{Events: []EventKind{KindLimitCrossed}}, []int{4, 5}},
		{HookOptions{Events: []EventKind{KindContentDiffers, KindOverrideEnded}}, []int{6, 7}},
		{HookOptions{States: []string{"down", "below"}}, []int{1, 2, 3, 4}},
		{HookOptions{States: []string{"above"}}, []int{5}},
		{HookOptions{States: []string{"unknown"}}, []int{8}},
		{HookOptions{Services: []lvs.ServiceID{mail}}, []int{3, 5}},
		{HookOptions{Servers: []netip.AddrPort{mapped}}, []int{0, 1, 3, 7, 8}},
		{HookOptions{Events: []EventKind{KindServerChanged}, States: []string{"down"}, Services: []lvs.ServiceID{web, mail}, Servers: []netip.AddrPort{rip(2)}}, []int{2}},
	} {
		test.o.Path = "/hook"
		h, _ := hooked(t, test.o)
		var got []int
		for i, e := range events {
			before := h.Status().Waiting
			if h.OnEvent(e); h.Status().Waiting > before {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: runs for %v, want %v", test.o, got, test.want)
		}
	}
}

// TestHookSet holds that other options count for the events that wait, in their order, and
// that a hook that is finished runs for these first.
func TestHookSet(t *testing.T) {
	o, read := script(t, `echo "$0 $LVS_SERVER $LVS_DROPPED" >> %`)
	o.Args = append(o.Args, "old")
	h, _ := hooked(t, o)
	for i := range 4 {
		h.OnEvent(went(i, Up))
	}
	o.Args = append(o.Args[:2:2], "new")
	o.States, o.Queue = []string{"down"}, 3
	bad := o
	bad.Queue = -1
	refused(t, "HookOptions.Queue", h.Set(bad))
	if err := h.Set(o); err != nil {
		t.Fatal(err)
	}
	h.OnEvent(went(4, Up))
	h.Finish()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := h.Run(ctx); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("new %s 1\nnew %s \nnew %s \n", rip(1), rip(2), rip(3))
	if diff := cmp.Diff(want, read()); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// TestHooks holds that hooks are read strictly, and fit their table.
func TestHooks(t *testing.T) {
	table := lvs.Table{Services: []lvs.TableService{
		{Service: lvs.Service{ID: web, Scheduler: lvs.RR}, RealServers: []lvs.RealServer{lvs.NewRealServer(rip(1), lvs.DR())}},
		{Service: lvs.Service{ID: lvs.FWMark(7), Scheduler: lvs.RR}},
	}}
	read := func(text string) error {
		var h Hooks
		if err := json.Unmarshal([]byte(text), &h); err != nil {
			return err
		}
		if again, err := json.Marshal(h); err != nil || string(again) != text {
			t.Errorf("%s, %v; want %s", again, err, text)
		}
		return h.Validate(table)
	}
	for _, good := range []string{
		`{}`,
		`{"a":{"path":"/a"},"b":{"path":"/a","services":["fwmark://7"]}}`,
		`{"tcp://10.0.0.1:80/down":{"path":"/a","services":["tcp://10.168.0.91:80"],"servers":["10.1.0.1:80"]}}`,
	} {
		if err := read(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for text, field := range map[string]string{
		`{"a":{"path":"a"}}`:           "[a].Path",
		`{"":{"path":"/a"}}`:           `[""]`,
		`{"a b":{"path":"/a"}}`:        `["a b"]`,
		`{"a]":{"path":"/a"}}`:         `["a]"]`,
		`{"a":{"path":3}}`:             "[a].path",
		`{"a":{"Path":"/a"}}`:          `[a]."Path"`,
		`{"a":{"path":"/a","path":1}}`: "[a].path",
		`{"a":{},"a":{}}`:              "[a]",
		`[]`:                           "",
		`{"a":{"path":"/a","services":["tcp://10.168.0.91:81"]}}`:                          "[a].Services[0]",
		`{"a":{"path":"/a","servers":["10.1.0.1:80","10.1.0.2:80"]}}`:                      "[a].Servers[1]",
		`{"a":{"path":"/a","services":["fwmark://7"],"servers":["10.1.0.1:80"]}}`:          "[a].Servers[0]",
		`{"b":{"path":"/a"},"a":{"path":"/a","services":["tcp://10.168.0.91:80","x://"]}}`: "[a].services[1].Protocol",
	} {
		refused(t, field, read(text))
	}
}

func TestHookStatusString(t *testing.T) {
	for want, s := range map[string]HookStatus{
		"0 runs": {}, "1 run": {Runs: 1}, "4 runs, 2 failed, 3 waiting, 1 dropped: broken": {Runs: 4, Failed: 2, Waiting: 3, Dropped: 1, Error: "broken"},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestHookText(t *testing.T) {
	at := time.Date(2026, 11, 27, 19, 0, 0, 0, time.UTC)
	limit := Limit{Share: 0.5, Then: Withdraw}
	for _, c := range []struct {
		event Event
		want  string // in JSON, behind the text
		env   string
	}{
		{ServerChanged{web, rip(1), Up, Down, "refused"},
			`"service":"tcp://10.168.0.91:80","server":"10.1.0.1:80","was":"up","is":"down","reason":"refused"}`,
			"LVS_STATE=down LVS_SERVICE=tcp://10.168.0.91:80 LVS_SERVER=10.1.0.1:80"},
		{LimitCrossed{web, true, limit, 0, 0.5},
			`"service":"tcp://10.168.0.91:80","was":"above","is":"below","then":"withdraw","working":0,"needed":0.5}`,
			"LVS_STATE=below LVS_SERVICE=tcp://10.168.0.91:80"},
		{LimitCrossed{web, false, limit, 0.75, 0.5},
			`"service":"tcp://10.168.0.91:80","was":"below","is":"above","then":"withdraw","working":0.75,"needed":0.5}`,
			"LVS_STATE=above LVS_SERVICE=tcp://10.168.0.91:80"},
		{ContentDiffers{web, rip(1), "a", "b"},
			`"service":"tcp://10.168.0.91:80","server":"10.1.0.1:80","content":"a","most":"b"}`,
			"LVS_SERVICE=tcp://10.168.0.91:80 LVS_SERVER=10.1.0.1:80"},
		{ContentAgrees{web, rip(1)},
			`"service":"tcp://10.168.0.91:80","server":"10.1.0.1:80"}`,
			"LVS_SERVICE=tcp://10.168.0.91:80 LVS_SERVER=10.1.0.1:80"},
		{OverrideEnded{Override{Service: web, Server: rip(1), Kind: Drain}},
			`"service":"tcp://10.168.0.91:80","server":"10.1.0.1:80","override":{"service":"tcp://10.168.0.91:80","server":"10.1.0.1:80","kind":"drain"}}`,
			"LVS_SERVICE=tcp://10.168.0.91:80 LVS_SERVER=10.1.0.1:80"},
	} {
		text := textOf(c.event, at)
		line, err := text.line()
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"version":1,"event":%q,"at":"2026-11-27T19:00:00Z","text":%q,%s`, c.event.event(), c.event.String(), c.want)
		want = strings.ReplaceAll(want, ">", `\u003e`) + "\n"
		if diff := cmp.Diff(want, string(line)); diff != "" {
			t.Errorf("%T (-want +got):\n%s", c.event, diff)
		}
		if env := strings.Join(text.env()[2:], " "); env != c.env {
			t.Errorf("%T: environment %q, want %q", c.event, env, c.env)
		}
	}
	long := ServerChanged{Reason: strings.Repeat("x\x00", 100_000)}
	for _, v := range textOf(long, at).env() {
		if len(v) > longestVariable+20 || strings.Contains(v, "\x00") {
			t.Errorf("a variable has %d bytes", len(v))
		}
	}
}

func TestHookOptions(t *testing.T) {
	for field, bad := range map[string]HookOptions{
		"HookOptions.Path":        {Path: "hook"},
		"HookOptions.Env[0]":      {Path: "/hook", Env: []string{"X"}},
		"HookOptions.Args[0]":     {Path: "/hook", Args: []string{"\x00"}},
		"HookOptions.Events[1]":   {Path: "/hook", Events: []EventKind{KindLimitCrossed, "limit"}},
		"HookOptions.States[0]":   {Path: "/hook", States: []string{"Down"}},
		"HookOptions.Services[0]": {Path: "/hook", Services: []lvs.ServiceID{{}}},
		"HookOptions.Servers[1]":  {Path: "/hook", Servers: []netip.AddrPort{rip(1), {}}},
		"HookOptions.Timeout":     {Path: "/hook", Timeout: -1},
		"HookOptions.Queue":       {Path: "/hook", Queue: -1},
	} {
		_, err := NewHook(bad, nil)
		refused(t, field, err)
	}
	var o HookOptions
	text := `{"path":"/hook","args":["-v"],"events":["limit crossed"],"states":["below"],` +
		`"services":["tcp://10.168.0.91:80"],"servers":["10.1.0.1:80"],"timeout":"5s","queue":9}`
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if again, err := o.MarshalJSON(); err != nil || string(again) != text || o.Timeout != 5*time.Second {
		t.Errorf("%s, %v; want %s", again, err, text)
	}
	if err := o.UnmarshalJSON([]byte(`{"program":"/hook"}`)); !errors.Is(err, lvs.ErrInvalid) {
		t.Errorf("an unknown field: %v", err)
	}
}
