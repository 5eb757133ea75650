package lvs

import (
	"strings"

	"github.com/golvs/lvs/internal/netstate"
)

// Module is a kernel module that must be there, loaded or built in. The kernel is
// given the occasion to load it by itself; no program is run for it. What is
// loaded stays.
type Module struct {
	Name string `json:"name"` // with _ in place of -
}

func (m Module) String() string { return "modprobe " + m.Name }
func (m Module) key() string    { return m.String() }

func (m Module) validate() *Error {
	if m.Name == "" || strings.Trim(m.Name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return invalid("Name", "%q is no name of a module, with _ in place of -", m.Name)
	}
	return nil
}

func (m Module) complete(Resource) (Resource, *Error) { return m, nil }
func (m Module) matches(now Resource) bool            { return now == m }
func (m Module) toNetwork() netstate.Resource         { return netstate.Module(m) }
