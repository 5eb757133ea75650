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
	// Table has the services, with their real servers at the weights that they have while
	// they work. It is valid.
	Table lvs.Table

	// Policies say how the real servers are checked, for each service of Table.
	Policies map[lvs.ServiceID]health.Policy

	// Notes say what was not taken over, or differently, in the order of reading.
	Notes []Note
}

// Note is about a line that was not taken over, or differently.
type Note struct {
	File    string // as it was named, or as an include found it
	Line    int    // from 1
	Keyword string // that begins the line, such as "vrrp_instance"
	Text    string // what is different, and what to do
}

// String returns the note in one line, with its place before it.
func (n Note) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", n.File, n.Line, n.Keyword, n.Text)
}

// Options are how a configuration is read. The zero value reads it as keepalived without
// options does.
type Options struct {
	// ID selects lines that begin with '@': keepalived's option --config-id. Empty is the
	// name of the host up to its first dot.
	ID string

	// Root is the file system of all files, in which "etc/keepalived" is /etc/keepalived;
	// nil is the host's.
	Root fs.FS
}

// ReadFile reads a file, and those that it includes. An error of its text is an [*Error].
func ReadFile(name string, o Options) (*Config, error) {
	r := newReader(o)
	if err := r.main(name); err != nil {
		return nil, err
	}
	return r.config()
}

// Parse reads a text as that of the file with this name, from whose folder included files
// are named. An error of the text is an [*Error].
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
	return &reader{root: root, isHost: o.Root == nil, id: o.ID, definitions: map[string]definition{}, left: maxRead}
}

// config turns what was read into services.
func (r *reader) config() (*Config, error) {
	top, err := r.tree.end()
	if err != nil {
		return nil, err
	}
	m := maker{notes: r.notes}
	if err := m.make(top); err != nil {
		return nil, err
	}
	return &Config{Table: m.table, Policies: m.policies, Notes: m.notes}, nil
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
