package clinic

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// fault is one thing that an administrator or a reboot does, and that may keep clients
// from the service.
type fault struct {
	kind string // faults of one kind show in the same way
	on   string // the host
	do   string // lines for the shell or for [machine.suffer]; "@host …" is for another host

	// hidden says why the states of the hosts do not show it, "" if they do.
	hidden string

	// doubt is a regular expression for the code and the advice, joined by a colon and a
	// space, of the unchecked finding that leads the administrator to the fault.
	doubt string

	// right says why a finding that something is broken is right although traffic flows; ""
	// if it is not.
	right string

	// past is set if a real server that gets no clients is a failure although clients get
	// answers: packets bypass the director, or a server is lost.
	past bool
}

// suffer does what a fault says.
func (g *ground) suffer(f fault) error {
	for line := range strings.Lines(f.do) {
		on, command := f.on, strings.TrimSpace(line)
		if other, rest, ok := strings.Cut(strings.TrimPrefix(command, "@"), " "); ok && command[0] == '@' {
			on, command = other, rest
		}
		if err := g.up[on].suffer(g.proto, command); err != nil {
			return fmt.Errorf("%s: %s: %w", on, command, err)
		}
	}
	return nil
}

func (m *machine) suffer(proto, command string) error {
	switch program, argument, _ := strings.Cut(command, " "); program {
	case "stop-program":
		m.stopPrograms()
		return nil
	case "listen-on":
		m.stopPrograms()
		return m.serve(proto, argument)
	case "start-program":
		m.stopPrograms()
		return m.serve(proto, m.listen)
	case "restore-table":
		return m.run("ipvsadm -C\n" + m.commands("ipvsadm "))
	case "restore-network":
		return m.shell("ip -force -batch - <<. 2>&1\n" + strings.ReplaceAll(m.base, "route add ", "route replace ") + "\n.\n" + m.commands("ip ") + "true")
	}
	return m.run(command)
}

// commands returns the commands of the guide that begin with a word.
func (m *machine) commands(word string) (all string) {
	for line := range strings.Lines(m.guide) {
		if strings.HasPrefix(line, word) {
			all += line
		}
	}
	return all
}

// form is how Check is called.
type form struct{ setup, peers bool }

// forms are all ways to call Check. Faults are looked for in the full one.
var (
	fullForm = form{true, true}
	forms    = []form{fullForm, {false, true}, {true, false}, {false, false}}
)

func (f form) String() string {
	with := map[bool]string{true: "with", false: "without"}
	return with[f.setup] + " setup, " + with[f.peers] + " peers"
}

// visit is what Check says of one machine.
type visit struct {
	at *machine
	lvs.Report
}

// state reads the states of all machines of a site.
func (g *ground) state(t *testing.T) (all []lvs.HostState) {
	t.Helper()
	for _, m := range g.judged() {
		one, err := m.lvs.State(context.Background())
		if err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
		one.Name = m.name
		all = append(all, one)
	}
	return all
}

// examine checks all machines of a site.
func (g *ground) examine(t *testing.T, f form, state []lvs.HostState) (all []visit) {
	t.Helper()
	for _, m := range g.judged() {
		var setup lvs.Setup
		if f.setup && m.setup != nil {
			var err error
			if setup, err = m.setup(); err != nil {
				t.Fatalf("%s: %v", m.name, err)
			}
		}
		var peers []lvs.HostState
		if f.peers {
			peers = slices.DeleteFunc(slices.Clone(state), func(o lvs.HostState) bool { return o.Name == m.name })
		}
		report, err := m.lvs.Check(context.Background(), lvs.CheckOptions{Setup: setup, Peers: peers})
		if err != nil {
			t.Fatalf("checking %s: %v", m.name, err)
		}
		all = append(all, visit{m, report})
	}
	return all
}

// ailment is a finding, and the machine that was checked.
type ailment struct {
	lvs.Finding
	at *machine // that was checked
}

// of returns the machine that a finding is about.
func (g *ground) of(a ailment) *machine {
	if m := g.up[a.Host]; m != nil {
		return m
	}
	return a.at
}

func (a ailment) String() string {
	on := a.at.name
	if a.Host != "" {
		on = a.Host
	}
	return fmt.Sprintf("%s on %s: %s", a.Code, on, a.Detail)
}

// retires reports whether the fix takes a real server out of a service.
func (a ailment) retires() bool { return a.Code == lvs.FindingServerDead }

// ailments returns the findings of a severity that are new.
func (g *ground) ailments(now, before []visit, s lvs.Severity) (all []ailment) {
	was := make(map[string]bool)
	for _, v := range before {
		for _, f := range v.Findings {
			was[string(f.Severity)+string(f.Code)+g.of(ailment{f, v.at}).name] = true
		}
	}
	for _, v := range now {
		for _, f := range v.Findings {
			if a := (ailment{f, v.at}); f.Severity == s && !was[string(s)+string(f.Code)+g.of(a).name] {
				all = append(all, a)
			}
		}
	}
	return all
}

// named returns the code of the unchecked finding that leads the administrator to a fault.
func named(all []visit, doubt string) string {
	if doubt == "" {
		return ""
	}
	is := regexp.MustCompile("^(?:" + doubt + ")")
	for _, v := range all {
		for _, f := range v.Unchecked {
			if is.MatchString(string(f.Code) + ": " + f.Advice) {
				return string(f.Code)
			}
		}
	}
	return ""
}

// treat applies the fixes of findings, each once, and returns what failed.
func (g *ground) treat(all []ailment) error {
	done := make(map[string]bool)
	var errs []error
	for _, a := range all {
		m := g.of(a)
		fix := fmt.Sprint(m.name, a.Commands, a.Fix, a.Changes)
		if len(a.Commands)+len(a.Fix)+len(a.Changes) == 0 || done[fix] {
			continue
		}
		done[fix] = true
		errs = append(errs, m.treat(a.Finding))
	}
	if len(done) == 0 {
		return errNoFix
	}
	return errors.Join(errs...)
}

var errNoFix = errors.New("there is none")

// remedies are what an administrator does who follows advice that no program can follow,
// by the kind of the fault. The advice has to match the regular expression.
var remedies = map[string]struct{ advice, do string }{
	"program":                       {"(?i)start|listen", "start-program"},
	"no service":                    {"(?i)service", "restore-table"},
	"takes no connections":          {"(?i)weight|server|threshold", "restore-table"},
	"address removed":               {"(?i)address|route", "restore-network"},
	"device down":                   {"(?i)interface|address|route|port|link", "restore-network"},
	"link down":                     {"(?i)interface|address|route|link", "restore-network"},
	"way to a server":               {"(?i)route", "restore-network"},
	"way back":                      {"(?i)route", "restore-network"},
	"director's way to the clients": {"(?i)route", "restore-network"},
	"packets dropped by tc":         {"(?i)tc ", "tc qdisc del dev eth0 clsact; tc qdisc del dev eth0 root; true"},
}

// heed does what the advice of findings says, and returns the advice; "" if no advice is
// for the fault.
func (g *ground) heed(f fault, all []ailment) (string, error) {
	if remedy, ok := remedies[f.kind]; ok {
		for _, a := range all {
			if regexp.MustCompile(remedy.advice).MatchString(a.Advice) {
				return a.Advice, g.suffer(fault{on: g.of(a).name, do: remedy.do})
			}
		}
	}
	return "", errNoFix
}

// treat applies the fix of a finding, its parts in order.
func (m *machine) treat(f lvs.Finding) error {
	ctx := context.Background()
	for _, command := range f.Commands {
		if err := m.run(command); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	plan, err := m.lvs.Plan(ctx, f.Fix)
	if err == nil {
		err = m.lvs.Apply(ctx, plan)
	}
	if err == nil && len(f.Changes) > 0 {
		err = m.lvs.Client().Do(ctx, f.Changes...)
	}
	return err
}

// recovery is how long traffic has to flow again after a fix: an IPv6 address is not used
// at once. It is shorter than the time that neighbours keep their entries.
const recovery = 2500 * time.Millisecond

// recovers returns what is wrong after a fix, "" if traffic flows.
func (g *ground) recovers(answers []string) (bad string) {
	for end := time.Now().Add(recovery); ; time.Sleep(100 * time.Millisecond) {
		if bad = g.round(3 * g.patience).bad(answers); bad == "" || time.Now().After(end) {
			return bad
		}
	}
}

// passTime makes all machines forget their neighbours, as time does, except for permanent
// entries.
func (g *ground) passTime() error {
	for _, m := range g.up {
		if err := m.forget(); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func (m *machine) forget() error {
	all, err := m.links.NeighList(0, netlink.FAMILY_ALL)
	for _, n := range all {
		if n.State&(netlink.NUD_NOARP|netlink.NUD_PERMANENT) == 0 && (n.Family == unix.AF_INET || n.Family == unix.AF_INET6) {
			_ = m.links.NeighDel(&n) // it may have expired
		}
	}
	return err
}
