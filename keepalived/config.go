package keepalived

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// Config is what a configuration of keepalived says about IPVS.
type Config struct {
	// Table has the services. Their real servers have the weights that they have while they
	// work. It is valid.
	Table lvs.Table

	// Policies has a policy for each service of Table, which says how its real servers are
	// checked.
	Policies map[lvs.ServiceID]health.Policy

	// Hooks run the programs of notify_up, notify_down, quorum_up and quorum_down. Those of a
	// group run for its first service.
	Hooks health.Hooks

	// Notes are about lines that were left out, or mean something else here. They are in the
	// order of the lines.
	Notes []Note
}

// Note is about a line that was left out, or means something else here.
type Note struct {
	File    string // its name, as it was given or as an include found it
	Line    int    // from 1
	Keyword string // that begins the line, such as "vrrp_instance"
	Text    string // what is different, and what to do
}

// String returns the note in one line that begins with its place.
func (n Note) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", n.File, n.Line, n.Keyword, n.Text)
}

// Options say how a configuration is read. The zero value reads it as keepalived does
// without options.
type Options struct {
	// ID selects lines that begin with '@', as keepalived's option --config-id does. "" is
	// the name of the host up to its first dot.
	ID string

	// Root is the file system that has all files, in which "etc/keepalived" is
	// /etc/keepalived; nil is the host's.
	Root fs.FS

	// OnFile is called with the name of each file that is to be included, and of each folder
	// in which a pattern of such files looks, whether they exist or not: a change of one can
	// change the configuration. nil calls nothing.
	OnFile func(name string)
}

// ReadFile reads a file and those that it includes. What is wrong with their text is an
// [*Error].
func ReadFile(name string, o Options) (*Config, error) {
	r := newReader(o)
	if err := r.main(name); err != nil {
		return nil, err
	}
	return r.config()
}

// Parse reads a text as that of a file with a name; the names of included files are relative
// to its folder. What is wrong with the text is an [*Error].
func Parse(name string, text []byte, o Options) (*Config, error) {
	r := newReader(o)
	if err := r.text(name, text); err != nil {
		return nil, err
	}
	return r.config()
}

func newReader(o Options) *reader {
	if o.ID == "" {
		host, _ := os.Hostname() // without a name, no condition is met
		o.ID, _, _ = strings.Cut(host, ".")
	}
	root := o.Root
	if root == nil {
		root = os.DirFS("/")
	}
	if o.OnFile == nil {
		o.OnFile = func(string) {}
	}
	return &reader{root: root, isHost: o.Root == nil, id: o.ID, onFile: o.OnFile, definitions: map[string]definition{}, left: maxRead}
}

// config turns what was read into services.
func (r *reader) config() (*Config, error) {
	top, err := r.tree.end()
	if err != nil {
		return nil, err
	}
	m := maker{notes: r.notes, noted: map[Note]bool{}}
	if err := m.make(top); err != nil {
		return nil, err
	}
	return &Config{Table: m.table, Policies: m.policies, Hooks: m.hooks, Notes: m.notes}, nil
}

// absolute returns a name in the root file system. On the host it may be relative to the
// working directory.
func (r *reader) absolute(name string) (string, error) {
	if r.isHost {
		full, err := filepath.Abs(name)
		if err != nil {
			return "", err
		}
		name = filepath.ToSlash(full)
	}
	return strings.TrimPrefix(path.Join("/", name), "/"), nil
}
