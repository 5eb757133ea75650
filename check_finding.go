package lvs

import (
	"fmt"
	"slices"
	"strings"
)

// Finding is one thing that keeps a host from balancing, or will.
type Finding struct {
	Code     FindingCode `json:"code"`           // what the finding is about
	Severity Severity    `json:"severity"`       // how bad it is
	Host     string      `json:"host,omitempty"` // name of the peer that the finding is about; "" is the host that was checked
	Detail   string      `json:"detail"`         // what was found
	Why      string      `json:"why"`            // why it is a problem
	Fix      Setup       `json:"fix,omitempty"`  // requirements that fix it on that host, for [Host.Plan]; empty if none do

	// Commands fix what no requirement can express, such as a route, an address or a
	// rule to remove. Run them on that host in this order, before Fix is applied.
	Commands []string `json:"commands,omitempty"`

	Changes []Change `json:"changes,omitempty"` // changes of the table that fix it, for [Client.Do] on that host; empty if none do
	Advice  string   `json:"advice,omitempty"`  // what else to do; for [Report.Unchecked], how to look
}

// Severity says how bad a finding is.
type Severity string

// Severities, the worst first.
const (
	SeverityBroken  Severity = "broken"  // packets are lost
	SeverityRisk    Severity = "risk"    // packets will be lost or misdirected, under conditions that are met sooner or later
	SeverityUnknown Severity = "unknown" // not checked
)

// rank orders severities, the worst first.
func (s Severity) rank() int {
	return slices.Index([]Severity{SeverityBroken, SeverityRisk, SeverityUnknown}, s)
}

// broken returns a finding of the code about packets that are lost.
func (c FindingCode) broken(format string, args ...any) Finding {
	return c.at(SeverityBroken, format, args...)
}

// risk returns a finding of the code about packets that will be lost.
func (c FindingCode) risk(format string, args ...any) Finding {
	return c.at(SeverityRisk, format, args...)
}

// at returns a finding of the code and a severity.
func (c FindingCode) at(severity Severity, format string, args ...any) Finding {
	return Finding{Code: c, Severity: severity, Detail: fmt.Sprintf(format, args...), Why: c.Why()}
}

func (f Finding) fix(s ...Requirement) Finding { f.Fix = s; return f }

func (f Finding) change(changes ...Change) Finding { f.Changes = changes; return f }

func (f Finding) run(commands ...string) Finding { f.Commands = commands; return f }

func (f Finding) advise(format string, args ...any) Finding {
	f.Advice = fmt.Sprintf(format, args...)
	return f
}

// hasFix reports whether a program can apply the finding's fix.
func (f Finding) hasFix() bool { return len(f.Commands)+len(f.Fix)+len(f.Changes) > 0 }

// String returns the finding in a few lines: what was found, why it is a problem, and
// what fixes it.
func (f Finding) String() string {
	var b strings.Builder
	where := ""
	if f.Host != "" {
		where = " on " + f.Host
	}
	fmt.Fprintf(&b, "%s (%s)%s: %s\n    why: %s\n", f.Code, f.Severity, where, f.Detail, f.Why)
	for _, command := range f.Commands {
		fmt.Fprintf(&b, "    run: %s\n", command)
	}
	for _, s := range f.Fix {
		fmt.Fprintf(&b, "    fix: %s\n", s.Want)
	}
	for _, ch := range f.Changes {
		fmt.Fprintf(&b, "    fix: %s\n", ch)
	}
	if f.Advice != "" {
		fmt.Fprintf(&b, "    advice: %s\n", f.Advice)
	}
	return b.String()
}
