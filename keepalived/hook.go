package keepalived

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// script is a line that names a program for when something changes.
type script struct {
	statement *statement
	options   health.HookOptions // but for what it is about
}

// scriptStates are what has come to be when a program runs.
var scriptStates = map[string]health.HookOptions{
	"notify_up":   {Events: []health.EventKind{health.KindServerChanged}, States: []string{"up"}},
	"notify_down": {Events: []health.EventKind{health.KindServerChanged}, States: []string{"down"}},
	"quorum_up":   {Events: []health.EventKind{health.KindLimitCrossed}, States: []string{"above"}},
	"quorum_down": {Events: []health.EventKind{health.KindLimitCrossed}, States: []string{"below"}},
}

// script reads such a line into a list.
func (m *maker) script(all *[]script, s *statement) error {
	command, rest, err := s.command()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(*all, func(other script) bool { return other.statement.keyword() == s.keyword() }) {
		m.note(s, "keepalived leaves it out: there is one already")
		return nil
	}
	if !path.IsAbs(command[0]) {
		m.note(s, "the program is not run: name it by its absolute path")
		return nil
	}
	if len(rest) > 0 {
		m.note(s, "the program is run by the user who runs the checks")
	}
	o := scriptStates[s.keyword()]
	o.Path, o.Args = command[0], command[1:]
	*all = append(*all, script{s, o})
	return nil
}

// addHooks makes hooks of programs that are about a service, or a server of it if that is
// valid.
func (m *maker) addHooks(all []script, id lvs.ServiceID, server netip.AddrPort) {
	for _, s := range all {
		o := s.options
		o.Services = []lvs.ServiceID{id}
		about := id.String()
		if server.IsValid() {
			o.Servers = []netip.AddrPort{server}
			about += "/" + server.String()
		}
		if m.hooks == nil {
			m.hooks = health.Hooks{}
		}
		m.hooks[m.hookName(s.statement.keyword()+":"+about)] = o
	}
}

// hookName returns a name for a hook that no other one has.
func (m *maker) hookName(name string) string {
	name = strings.NewReplacer("[", "", "]", "").Replace(name)
	name = name[:min(len(name), 90)]
	for n := 1; ; n++ {
		numbered := name
		if n > 1 {
			numbered = fmt.Sprintf("%s#%d", name, n)
		}
		if _, taken := m.hooks[numbered]; !taken {
			return numbered
		}
	}
}
