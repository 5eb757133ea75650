package director

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
)

// one and two are files of a table with one and with two services.
const (
	one = `{
	"version": 1,
	"services": [
		{"id": "tcp://10.168.0.91:80", "scheduler": "wrr", "realServers": [
			{"addr": "10.168.0.94:80", "mode": "nat"}
		]}
	]
}`
	two = `{
	"version": 1,
	"services": [
		{"id": "tcp://10.168.0.91:80", "scheduler": "wrr", "realServers": [
			{"addr": "10.168.0.94:80", "mode": "nat"}
		]},
		{"id": "udp://10.168.0.91:53", "scheduler": "rr", "realServers": []}
	]
}`
)

// watched is a file and its watcher, which never looks on its own.
type watched struct {
	t    *testing.T
	path string
	feed *feed
	at   time.Time // of the last write
}

func watch(t *testing.T, path string) *watched {
	t.Helper()
	f, err := File{Path: path}.open()
	if err != nil {
		t.Fatal(err)
	}
	return &watched{t: t, path: path, feed: f}
}

// write writes the file, a second after the last time. Looks that are closer to each
// other than the clock of the file system ticks would not notice all.
func (w *watched) write(content string) {
	w.t.Helper()
	if w.at = w.at.Add(time.Second); w.at.Year() < 2000 {
		w.at = time.Now()
	}
	if err := os.WriteFile(w.path, []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Chtimes(w.path, time.Time{}, w.at); err != nil {
		w.t.Fatal(err)
	}
}

// nothing requires that a look finds nothing new.
func (w *watched) nothing(when string) {
	w.t.Helper()
	if n := w.feed.poll(); n != (news{}) {
		w.t.Fatalf("%s: %+v %v", when, n.update, n.err)
	}
}

// takes requires that the second look finds a table with some services.
func (w *watched) takes(when string, services int) {
	w.t.Helper()
	w.nothing("the first look " + when)
	n := w.feed.poll()
	if n.err != nil || n.update == nil || len(n.update.Table.Services) != services {
		w.t.Fatalf("%s: %+v %v", when, n.update, n.err)
	}
	w.nothing("the third look " + when)
}

// breaks requires that one of the next two looks finds an error with a text.
func (w *watched) breaks(when string, texts ...string) error {
	w.t.Helper()
	n := w.feed.poll()
	if n == (news{}) {
		n = w.feed.poll()
	}
	if n.err == nil || n.update != nil {
		w.t.Fatalf("%s: %+v", when, n)
	}
	for _, text := range texts {
		if !strings.Contains(n.err.Error(), text) {
			w.t.Errorf("%s: the error has no %q: %v", when, text, n.err)
		}
	}
	w.nothing("the look after an error " + when)
	return n.err
}

func TestFileIsReadWhenItChanges(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "table.json"))
	if err := w.breaks("without a file", w.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the error of a missing file: %v", err)
	}
	w.write(one)
	w.takes("after it was written", 1)
	w.write(two)
	w.takes("after it was written again", 2)

	if err := os.Chtimes(w.path, time.Time{}, w.at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.nothing("touched")
	w.nothing("touched, and read")
}

// A file is decoded again when another one changes on which it depends.
func TestFileThatDependsOnOthers(t *testing.T) {
	dir := t.TempDir()
	included, folder := filepath.Join(dir, "d", "included"), filepath.Join(dir, "d")
	others := []string{included, folder}
	decode := func([]byte) (Config, error) {
		text, err := os.ReadFile(included)
		if err != nil {
			return Config{}, err
		}
		return ParseConfig(text)
	}
	w := &watched{t: t, path: filepath.Join(dir, "main")}
	f, err := File{Path: w.path, Decode: decode, Others: func() []string { return others }}.open()
	if err != nil {
		t.Fatal(err)
	}
	w.feed = f
	w.write("include d/included")
	w.breaks("without the other file", included)
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	other := &watched{t: t, path: included}
	other.write(one)
	w.takes("when it is there", 1)
	other.write(two)
	w.takes("when it has changed", 2)
	other.write("{")
	w.breaks("when it is broken", "unexpected end")
	other.write(two)
	w.takes("when it is in order again", 2)
	if err := os.Remove(included); err != nil {
		t.Fatal(err)
	}
	w.breaks("when it is gone", included)
	other.write(one)
	w.takes("when it is back", 1)
	others = append(others, filepath.Join(dir, "more"))
	w.takes("when it depends on one more", 1)
}

// A file that changes between two looks is being written.
func TestFileThatIsBeingWrittenIsNotTaken(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "table.json"))
	for n := range len(one) {
		w.write(one[:n])
		w.nothing("half written")
	}
	w.write(one)
	w.takes("after the last byte", 1)
}

// Each of the file's identity, size and time shows a change.
func TestFileThatIsReplaced(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "table.json"))
	w.write(one)
	w.takes("at first", 1)
	next := &watched{t: t, path: w.path + ".new", at: w.at.Add(-time.Second)}
	next.write(strings.Replace(one, `"wrr"`, `"wlc"`, 1))
	if err := os.Rename(next.path, w.path); err != nil {
		t.Fatal(err)
	}
	w.takes("after a rename, with the same size and time", 1)
	w.at = w.at.Add(-time.Second)
	w.write(two)
	w.takes("written in place, with the same time", 2)
	w.write(strings.Replace(two, `"wrr"`, `"wlc"`, 1))
	w.takes("written in place, with the same size", 2)
}

// A ConfigMap is a folder whose files lead through a link ..data to a folder that is
// replaced.
func TestFileOfConfigMap(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege")
	}
	dir := t.TempDir()
	swap := func(version, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "table.json"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(version, filepath.Join(dir, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	swap("..1", one)
	if err := os.Symlink(filepath.Join("..data", "table.json"), filepath.Join(dir, "table.json")); err != nil {
		t.Fatal(err)
	}
	w := watch(t, filepath.Join(dir, "table.json"))
	w.takes("at first", 1)
	swap("..2", two)
	w.takes("after the swap", 2)
}

func TestBrokenFileSaysWhere(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "table.json"))
	for _, test := range []struct{ name, old, new, place, text string }{
		{"half", "}\n\t]\n}", "", ":6:3: ", "unexpected end"},
		{"syntax", `"wrr",`, `"wrr";`, ":4:52: ", "';'"},
		{"unknown field", `"mode"`, `"mood"`, ":5:31: ", "mood"},
		{"unknown field of the table", `"services"`, `"servces"`, ":3:2: ", "servces"},
		{"a value of another kind", `"10.168.0.94:80"`, `7`, ":5:13: ", ""},
		{"a value that cannot be decoded", `"tcp://10.168.0.91:80"`, `"tcp://10.168.0:80"`, ":4:10: ", "10.168.0:80"},
		{"a value that is not valid", `"10.168.0.94:80"`, `"0.0.0.0:80"`, ":5:13: ", "0.0.0.0"},
		{"a service twice", "]}\n", `]}, {"id": "tcp://10.168.0.91:80", "scheduler": "rr", "realServers": []}` + "\n", ":6:14: ", "already"},
		{"another version", `"version": 1`, `"version": 2`, ":2:13: ", "version"},
		{"letters of several bytes", `"mode": "nat"`, `"ä": 1, "mode": "böse"`, ":5:31: ", "ä"},
		{"behind letters of several bytes", `"mode": "nat"`, `"ä": 1, "mode": "böse";`, ":5:53: ", "';'"},
		{"two problems", `"10.168.0.94:80", "mode": "nat"`, `"10.168.0.94:81", "weight": -1`, ":5:13: ", "2 problems\n\ttcp://10.168.0.91:80 -> 10.168.0.94:81, line 5, column 13: "},
	} {
		content := strings.Replace(one, test.old, test.new, 1)
		if content == one {
			t.Fatalf("%s: nothing was broken", test.name)
		}
		w.write(content)
		err := w.breaks(test.name, w.path+test.place, test.text)
		var file *FileError
		if !errors.As(err, &file) || file.Path != w.path {
			t.Errorf("%s: %#v", test.name, err)
		}
	}
}

// A broken file is reported once, and so is the moment when it works again.
func TestFileRecovers(t *testing.T) {
	w := watch(t, filepath.Join(t.TempDir(), "table.json"))
	w.write(one)
	w.takes("at first", 1)
	w.write(one[:30])
	w.breaks("half written", "table.json:")
	if err := os.Remove(w.path); err != nil {
		t.Fatal(err)
	}
	w.breaks("removed", "table.json:")
	w.write(one)
	w.nothing("after it came back")
	if n := w.feed.poll(); !n.recovered || n.update != nil || n.err != nil {
		t.Errorf("the same content again: %+v", n)
	}
	w.nothing("afterwards")
}

// A file that cannot be read is like one that is missing, even if the one before comes
// back unchanged between two looks.
func TestFileThatCannotBeRead(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the file that root cannot read either is Linux's")
	}
	w := watch(t, filepath.Join(t.TempDir(), "table.json"))
	w.write(one)
	w.takes("at first", 1)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Rename(w.path, w.path+".kept"))
	must(os.Symlink("/proc/self/mem", w.path))
	w.breaks("which cannot be read", w.path, "input/output error")
	must(os.Rename(w.path+".kept", w.path))
	w.nothing("after it came back")
	if n := w.feed.poll(); !n.recovered || n.update != nil || n.err != nil {
		t.Errorf("the file before: %+v", n)
	}

	must(os.Truncate(w.path, maxFileSize+1))
	w.breaks("which is too large", w.path, "is read")
}

func TestFileThatIsNotOne(t *testing.T) {
	w := watch(t, t.TempDir())
	w.breaks("a folder", w.path, "not a regular file")
	for _, f := range []File{{}, {Path: "table.json", Interval: -1}} {
		if _, err := f.open(); !errors.Is(err, lvs.ErrInvalid) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

// Decode may use another format, and say where it is broken.
func TestFileDecodedByCaller(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	f, err := File{Path: path, Decode: func(content []byte) (Config, error) {
		if string(content) == "bad" {
			return Config{}, &FileError{Line: 3, Column: 4, Err: errors.New("too bad")}
		}
		return Config{Table: lvs.Table{Services: make([]lvs.TableService, len(content))}}, nil
	}}.open()
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t: t, path: path, feed: f}
	w.write("1234")
	w.takes("in another format", 4)
	w.write("bad")
	w.breaks("broken", path+":3:4: too bad")
}
