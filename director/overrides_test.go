package director

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Overrides count at once, for the next table too, and end.
func TestOverrides(t *testing.T) {
	play(t, Options{}, func(s *scene) {
		s.set(wrrTable(400, 400, 400))
		s.run()
		pass(time.Second)
		s.take()
		decide := func(n int, o health.Override) {
			s.Helper()
			o.Service, o.Server = web, rip(web, n)
			if err := s.d.Override(o); err != nil {
				s.Fatal(err)
			}
		}
		decide(1, health.Override{Kind: health.Drain, By: "ann", Why: "new disk"})
		pass(weightPause)
		s.hasWeights("drained", 0, 400, 400)
		s.reported("drained", "10.1.0.1:80: drain, by ann: new disk", "applied")
		decide(2, health.Override{Kind: health.Scale, Share: 0.5, Until: time.Now().Add(time.Minute)})
		decide(3, health.Override{Kind: health.Pin, Weight: 700})
		pass(weightPause)
		s.hasWeights("drained, scaled and pinned", 0, 200, 700)
		s.set(wrrTable(400, 400, 400, 400))
		pass(time.Second)
		s.hasWeights("another table", 0, 200, 700, 400)
		s.stop()
		s.run()
		pass(time.Second)
		s.hasWeights("another run", 0, 200, 700, 400)
		pass(time.Minute)
		s.hasWeights("after the time of one", 0, 400, 700, 400)
		for _, want := range []bool{true, false} {
			if found, err := s.d.TakeBack(web, rip(web, 1)); err != nil || found != want {
				s.Errorf("TakeBack: %t, %v", found, err)
			}
		}
		pass(weightPause)
		s.hasWeights("taken back", 400, 400, 700, 400)
		if got := s.d.Overrides(); len(got) != 1 || got[0].Kind != health.Pin {
			s.Errorf("overrides: %v", got)
		}
		if err := s.d.Override(health.Override{Service: web, Server: rip(web, 1), Kind: "stop"}); !errors.Is(err, lvs.ErrInvalid) {
			s.Errorf("an unknown kind: %v", err)
		}
	})
}

// A file of overrides is read strictly, and errors say where it is wrong.
func TestOverridesFileBroken(t *testing.T) {
	const good = `{
	"version": 1,
	"overrides": [
		{"service": "tcp://10.168.0.91:80", "server": "10.1.0.1:80", "kind": "drain", "until": "2126-11-27T12:00:00Z"},
		{"service": "tcp://10.168.0.91:80", "server": "10.1.0.2:80", "kind": "scale", "share": 0.5}
	]
}
`
	path := filepath.Join(t.TempDir(), "overrides.json")
	read := func(text string) ([]health.Override, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return ReadOverrides(path)
	}
	if all, err := read(good); err != nil || len(all) != 2 || all[0].Until.Year() != 2126 || all[1].Share != 0.5 {
		t.Errorf("%v, %v", all, err)
	}
	if all, err := read(`{"version": 1}`); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	for _, test := range []struct{ old, new, want string }{
		{good, "", "1:1: "},
		{good, good + "x", "8:1: "},
		{good, good[:100], "4:"},
		{good, "[]", "1:1: must be an object"},
		{`"version": 1,`, "", "1:1: version: is missing"},
		{`"version": 1,`, `"version": 2,`, "2:13: version: "},
		{`"version": 1,`, `"version": 1, "Overrides": [],`, "2:16: \"Overrides\" is not a known field"},
		{`"version": 1,`, `"version": 1, "overrides": [],`, "3:2: \"overrides\" is there twice"},
		{`"kind": "drain"`, `"kind": "stop"`, "4:72: overrides[0].kind: "},
		{`"kind": "drain"`, `"Kind": "drain"`, "4:3: overrides[0].\"Kind\": is not a known field"},
		{`"kind": "drain"`, `"kind": "drain", "kind": "drain"`, "4:89: overrides[0].kind: is there twice"},
		{"2126-11-27T12:00:00Z", "tomorrow", "4:90: overrides[0].until: "},
		{"10.1.0.2:80", "10.1.0.1:80", "5:3: overrides[1]: tcp://10.168.0.91:80 -> 10.1.0.1:80 has an override already"},
		{"0.5", `"half"`, "5:90: overrides[1].share: "},
		{"0.5", "-1", "5:90: overrides[1].share: "},
	} {
		text := strings.Replace(good, test.old, test.new, 1)
		_, err := read(text)
		if err == nil || !strings.HasPrefix(err.Error(), path+":"+test.want) {
			t.Errorf("%v, want %s in\n%s", err, test.want, text)
		}
		if put := PutOverride(path, health.Override{Service: web, Server: rip(web, 3), Kind: health.Drain}); put == nil || put.Error() != err.Error() {
			t.Errorf("it is changed nevertheless: %v", put)
		}
	}
}

// Several programs change a file at a time, and none is lost. One that keeps it for long is
// not waited for.
func TestOverridesFileOfSeveral(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has IPVS, and locks here")
	}
	path := filepath.Join(t.TempDir(), "overrides.json")
	var all sync.WaitGroup
	for n := range 20 {
		all.Go(func() {
			var err error = lvs.ErrBusy // after a second, on a slow disk
			for errors.Is(err, lvs.ErrBusy) {
				err = PutOverride(path, health.Override{Service: web, Server: rip(web, n), Kind: health.Drain})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if has, err := ReadOverrides(path); err != nil || len(has) != 20 || has[0].Since.IsZero() {
		t.Errorf("%d overrides, %v", len(has), err)
	}
	unlock, err := lockFile(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	synctest.Test(t, func(t *testing.T) {
		if _, err := RemoveOverride(path, web, rip(web, 1)); !errors.Is(err, lvs.ErrBusy) {
			t.Error(err)
		}
	})
}

// A file of overrides is followed, is as good as its last good content, and tells the
// next Director.
func TestOverridesFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "overrides.json")
	o := Options{OverridesFile: path}
	play(t, o, func(s *scene) {
		s.set(wrrTable(4, 4))
		s.run()
		pass(time.Second)
		s.take()
		put := func(n int, kind health.OverrideKind) {
			s.Helper()
			if err := PutOverride(path, health.Override{Service: web, Server: rip(web, n), Kind: kind}); err != nil {
				s.Fatal(err)
			}
		}
		const read = time.Second + weightPause
		put(1, health.Drain)
		pass(read)
		s.hasWeights("put by another program", 0, 4)
		s.reported("put by another program", "Overridden: ", "Applied: ")
		put(2, health.Pin) // at weight 0
		if found, err := RemoveOverride(path, web, rip(web, 1)); err != nil || !found {
			s.Errorf("remove: %t, %v", found, err)
		}
		pass(read)
		s.hasWeights("another one", 4, 0)
		s.take()
		good, err := os.ReadFile(path)
		if err != nil {
			s.Fatal(err)
		}
		// Each has another size than the one before: fake time passes in less than a tick of
		// the file system's clock.
		for _, bad := range []string{"{", strings.Replace(string(good), "pin", "stop", 1), strings.Replace(string(good), "1", "222", 1)} {
			if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
				s.Fatal(err)
			}
			pass(read)
			s.hasWeights("a broken file", 4, 0)
			s.reported("a broken file", "OverridesBroken: ")
			if s.d.Status().OverridesError == "" {
				s.Error("the status does not say that the file is broken")
			}
			client := s.sim.Client()
			other, err := New(client, o)
			if err != nil {
				s.Fatal(err)
			}
			var broken *FileError
			if err := other.Run(s.Context()); !errors.As(err, &broken) {
				s.Errorf("Run with a broken file: %v", err)
			}
			client.Close()
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			s.Fatal(err)
		}
		pass(read)
		s.reported("in order again", "OverridesRecovered")
		s.stop()
		s.direct(o)
		s.set(wrrTable(4, 4))
		s.run()
		pass(time.Second)
		s.hasWeights("another Director", 4, 0)
		if err := os.Remove(path); err != nil {
			s.Fatal(err)
		}
		s.take()
		pass(read)
		s.hasWeights("without the file", 4, 4)
		s.reported("without the file", "TakenBack", "Applied")
	})
}
