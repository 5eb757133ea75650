package lvs

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/seam"
)

func someTableState() TableState {
	servers := []RealServer{NewRealServer(webRIP, DR()), {Addr: webRIP2, Mode: DR()}}
	began := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	return TableState{
		Applied: Table{Services: []TableService{{Service{ID: webID, Scheduler: RR}, servers}}},
		Drains:  []Drain{{Service: webID, RealServer: webRIP2, Began: began, Deadline: began.Add(time.Minute), Before: []RealServer{NewRealServer(webRIP2, DR())}}},
	}
}

func TestTableStateFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	s, err := ReadTableState(file)
	must(t, err)
	compare(t, "without a file", TableState{}, s)
	want := someTableState()
	for range 2 {
		must(t, want.WriteFile(file))
		got, err := ReadTableState(file)
		must(t, err)
		if !got.Equal(want) {
			t.Errorf("%+v became %+v", want, got)
		}
		want.Applied.Services[0].RealServers[0].Weight++
	}
	if all, err := os.ReadDir(filepath.Dir(file)); len(all) != 1 || err != nil {
		t.Errorf("the folder has %v, %v", all, err)
	}
}

// A file that is not a state that this version writes may be all that is left of one.
func TestTableStateFileRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	must(t, someTableState().WriteFile(file))
	whole, err := os.ReadFile(file)
	must(t, err)
	text := string(whole)
	cases := map[string]string{
		"":                        "unexpected end",
		"\x00\x00\x00":            "invalid character",
		"{}":                      "version: is missing",
		"null":                    "version: is missing",
		text + text:               "after top-level value",
		text[:len(text)/2]:        "unexpected end",
		`{"version": 1, "a": {}}`: "a: is not a known field",
		strings.Replace(text, `"version": 1`, `"version": 2`, 1):                                "version: is 2",
		strings.Replace(text, webID.String(), "tcp://nowhere", 1):                               `"nowhere" is not an address`,
		strings.Replace(text, `"id": "`+webID.String(), `"id": "`, 1):                           "applied.services[0].id: is missing",
		strings.Replace(text, webRIP2.String(), webRIP.String(), 1):                             "applied.services[0].realServers[1].addr: 10.2.0.2:80 is there twice",
		strings.Replace(text, "2026-11-27T00:00:00Z", "today", 1):                               "today",
		strings.Replace(text, `"services": [`, `"services": [{"id": "`+webID.String()+`"},`, 1): "services[1].id: tcp://10.1.0.1:80 is there twice",
	}
	for damaged, want := range cases {
		must(t, os.WriteFile(file, []byte(damaged), 0o600))
		_, err := ReadTableState(file)
		ofKind(t, damaged, err, ErrInvalid)
		if err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "restore it")) {
			t.Errorf("%q: %v; want %q, the file and what to do", damaged, err, want)
		}
		ofKind(t, damaged, someTableState().WriteFile(file), ErrInvalid)
		if now, err := os.ReadFile(file); string(now) != damaged || err != nil {
			t.Errorf("%q was overwritten with %q, %v", damaged, now, err)
		}
	}
}

// Every state that is cut short is refused, wherever that is.
func TestTableStateTruncated(t *testing.T) {
	text, err := json.Marshal(someTableState())
	must(t, err)
	for n := range text {
		var s TableState
		if err := s.UnmarshalJSON(text[:n]); !errors.Is(err, ErrInvalid) {
			t.Fatalf("%s: %v", text[:n], err)
		}
	}
}

func TestTableStateFilePlaces(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "state.json")
	ofKind(t, "a folder that does not exist", someTableState().WriteFile(filepath.Join(folder, "none", "state.json")), ErrNotFound)
	ofKind(t, "a folder", someTableState().WriteFile(folder), ErrInvalid)
	ofKind(t, "a path through a file", func() error {
		must(t, os.WriteFile(file, []byte("{}"), 0o600))
		_, err := ReadTableState(filepath.Join(file, "state.json"))
		return err
	}(), errors.ErrUnsupported)
	must(t, os.Remove(file))

	must(t, someTableState().WriteFile(file))
	modeIs(t, file, 0o600)
	must(t, os.Chmod(file, 0o640))
	must(t, someTableState().WriteFile(file))
	modeIs(t, file, 0o640)

	link := filepath.Join(folder, "link")
	must(t, os.Symlink("state.json", link))
	must(t, TableState{}.WriteFile(link))
	if s, err := ReadTableState(file); err != nil || len(s.Applied.Services) != 0 {
		t.Errorf("the file behind a link has %v, %v", s, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info, err)
	}
	must(t, os.Remove(file))
	ofKind(t, "a link to nothing", TableState{}.WriteFile(link), ErrNotFound)
}

func modeIs(t *testing.T, file string, want fs.FileMode) {
	t.Helper()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != want {
		t.Errorf("%s has the mode %v, want %v; %v", file, info.Mode().Perm(), want, err)
	}
}

// Until the new state is complete, the file has the old one.
func TestTableStateFileIsReplacedAtOnce(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	was, now := someTableState(), TableState{}
	must(t, was.WriteFile(file))
	var steps []string
	ctx := seam.WithStep(t.Context(), func(step string) {
		steps = append(steps, step)
		got, err := ReadTableState(file)
		must(t, err)
		want := was
		if step == "the state is renamed" {
			want = now
		}
		if !got.Equal(want) {
			t.Errorf("when %s: %+v", step, got)
		}
	})
	must(t, now.writeFile(ctx, file))
	compare(t, "steps", []string{"half of the state is written", "the state is written", "the state is renamed"}, steps)
}

func TestTableStateEqual(t *testing.T) {
	for name, edit := range map[string]func(*TableState){
		"a service":  func(s *TableState) { s.Applied.Services = nil },
		"a weight":   func(s *TableState) { s.Applied.Services[0].RealServers[0].Weight++ },
		"a drain":    func(s *TableState) { s.Drains = nil },
		"a deadline": func(s *TableState) { s.Drains[0].Deadline = s.Drains[0].Deadline.Add(1) },
		"a drained":  func(s *TableState) { s.Drains[0].RealServer = netip.AddrPort{} },
	} {
		s := someTableState()
		if edit(&s); s.Equal(someTableState()) || !s.Equal(s) {
			t.Errorf("%s does not count", name)
		}
	}
}
