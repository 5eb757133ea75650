package keepalived

import (
	"cmp"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// maxServers bounds the real servers of all services: a range of addresses has all of
// them once for each.
const maxServers = 1 << 18

// maker makes services of statements.
type maker struct {
	table    lvs.Table
	policies map[lvs.ServiceID]health.Policy
	hooks    health.Hooks
	notes    []Note
	noted    map[Note]bool

	tls     health.TLS // of the block SSL
	groups  map[string]*group
	files   map[string]*trackFile
	made    map[lvs.ServiceID]*made
	order   []*made // in which they are in the table
	servers int     // of all services
}

// note adds a note, once for all that definitions and groups make of a line.
func (m *maker) note(s *statement, format string, args ...any) {
	n := s.at.note(s.keyword(), format, args...)
	if !m.noted[n] {
		m.noted[n] = true
		m.notes = append(m.notes, n)
	}
}

// make makes everything. What services refer to is made first, since it may stand below
// them.
func (m *maker) make(top []*statement) error {
	m.policies, m.made = map[lvs.ServiceID]health.Policy{}, map[lvs.ServiceID]*made{}
	m.groups, m.files = map[string]*group{}, map[string]*trackFile{}
	for _, pass := range []func(*statement) error{m.other, m.service} {
		for _, s := range top {
			if err := pass(s); err != nil {
				return err
			}
		}
	}
	if err := m.finishAll(); err != nil {
		return err
	}
	m.unusedFiles()
	slices.SortStableFunc(m.notes, m.inOrder(top))
	return nil
}

// inOrder compares notes as they stand: those of a file by line, and files as they were
// read.
func (m *maker) inOrder(top []*statement) func(a, b Note) int {
	rank := map[string]int{}
	see := func(file string) {
		if _, ok := rank[file]; !ok {
			rank[file] = len(rank)
		}
	}
	for _, s := range top {
		see(s.at.file)
	}
	for _, n := range m.notes {
		see(n.File)
	}
	return func(a, b Note) int {
		return cmp.Or(cmp.Compare(rank[a.File], rank[b.File]), cmp.Compare(a.Line, b.Line))
	}
}

// other makes what is not a service.
func (m *maker) other(s *statement) error {
	switch key := s.keyword(); {
	case key == "virtual_server":
		return nil
	case key == "virtual_server_group":
		return m.group(s)
	case key == "SSL":
		return m.identity(s)
	case key == "track_file", key == "vrrp_track_file":
		return m.trackFile(s)
	case key == "global_defs":
		m.globals(s)
	case strings.HasPrefix(key, "vrrp_"), strings.HasPrefix(key, "static_"), key == "garp_group", key == "track_group",
		key == "linkbeat_use_polling", key == "linkbeat_interfaces", key == "interface_up_down_delays":
		m.note(s, "VRRP is keepalived's own: leave it to keepalived")
	case key == "bfd_instance":
		m.note(s, "BFD is keepalived's own: leave it to keepalived")
	case key == "include_check":
		m.note(s, "includes are checked by the name of each: includer, includem, includew, includeb or includea")
	case processWords[key]:
		m.note(s, "it is about keepalived's own processes")
	default:
		m.note(s, "the keyword is unknown, and keepalived leaves it out, too")
	}
	return nil
}

// globals says which lines of global_defs are about IPVS.
func (m *maker) globals(s *statement) {
	rest := 0
	for _, c := range s.children {
		switch c.keyword() {
		case "lvs_timeouts":
			m.note(c, "timeouts are not part of a table: set them with lvs.Client.SetTimeouts, or 'lvs ipvsadm --set'")
		case "lvs_sync_daemon":
			m.note(c, "the sync daemon is not part of a table: start it with lvs.Client.StartSyncDaemon, or leave it to keepalived")
		case "lvs_flush", "lvs_flush_on_stop", "lvs_flush_onstop":
			m.note(c, "nothing is flushed here: services that another program made stay, unless a plan prunes them")
		case "lvs_notify_fifo", "lvs_notify_fifo_script", "notify_fifo", "notify_fifo_script":
			m.note(c, "events of checks do not go to a FIFO: health.Options.OnEvent has them")
		case "net_namespace":
			m.note(c, "open the client in that network namespace: lvs.InNamespace")
		case "nftables_ipvs":
			m.note(c, "each address of a group becomes a service of its own, and not one firewall mark")
		default:
			rest++
		}
	}
	if rest > 0 || len(s.children) == 0 {
		m.note(s, "other global definitions are about keepalived's own processes, mails and VRRP")
	}
}

// processWords are keywords at the top that are about keepalived's own processes.
var processWords = map[string]bool{
	"net_namespace": true, "net_namespace_ipvs": true, "namespace_with_ipsets": true, "instance": true,
	"use_pid_dir": true, "child_wait_time": true, "umask": true, "random_seed": true, "config_save_dir": true,
}
