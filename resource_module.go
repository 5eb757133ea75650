package lvs

import (
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// Module is a kernel module that must be available, loaded or built in. If it is not,
// the kernel is made to load it; no program is run for it. A loaded module stays
// loaded.
type Module struct {
	Name string `json:"name"` // with _ in place of -
}

// String returns the command that loads the module.
func (m Module) String() string { return "modprobe " + m.Name }

func (m Module) key() string { return m.String() }

func (m Module) validate() *Error {
	if m.Name == "" || strings.Trim(m.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return invalid("Name", "%q is not the name of a module: want lowercase letters, digits and _", m.Name)
	}
	return nil
}

func (m Module) complete(Resource) (Resource, *Error) { return m, nil }
func (m Module) matches(now Resource) bool            { return now == m }
func (m Module) toNetwork() netstate.Resource         { return netstate.Module(m) }
