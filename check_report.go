package lvs

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Report is what [Host.Check] found. It marshals to JSON.
type Report struct {
	Host      string    `json:"host"`      // name of the host that was checked
	Findings  []Finding `json:"findings"`  // what is wrong, or will be, the worst first; none on a healthy host
	Unchecked []Finding `json:"unchecked"` // what Check could not see, each with how to look
}

type plainReport Report // without its methods

type reportJSON struct {
	Version int `json:"version"`
	plainReport
}

// MarshalJSON encodes the report with the version of its format.
func (r Report) MarshalJSON() ([]byte, error) {
	return json.Marshal(reportJSON{formatVersion, plainReport(r)})
}

// UnmarshalJSON decodes what MarshalJSON encodes. Another version, or none, and unknown
// fields match [ErrInvalid].
func (r *Report) UnmarshalJSON(text []byte) error {
	var in reportJSON
	if err := unmarshalVersioned("report", text, &in); err != nil {
		return err
	}
	*r = Report(in.plainReport)
	return nil
}

// OK reports whether Check saw all that the states of hosts can show, and found
// nothing wrong there. It is false
//   - while there is a finding of any severity,
//   - while something is unchecked that the state of another host would show, or one
//     that could be read: a director is OK only together with its real servers as
//     peers,
//   - for the zero Report.
//
// It remains true that a machine which is not one of the hosts can lose packets, such
// as a router: Unchecked lists that in each report.
func (r Report) OK() bool {
	for _, f := range r.Unchecked {
		if !f.Code.isBeyondHosts() {
			return false
		}
	}
	return len(r.Findings) == 0 && len(r.Unchecked) > 0
}

// isBeyondHosts reports whether no state of a host shows what a code is about.
func (c FindingCode) isBeyondHosts() bool {
	switch c {
	case FindingARPOther, FindingRouters, FindingClientsHidden, FindingOtherWriter,
		FindingClientsBehindNAT, FindingIdleTimeout, FindingWildcardListener:
		return true
	}
	return false
}

// String returns the findings, and below them what was not checked.
func (r Report) String() string {
	var b strings.Builder
	switch {
	case r.OK():
		fmt.Fprintf(&b, "%s: nothing wrong was found\n", r.name())
	case len(r.Findings) == 0:
		fmt.Fprintf(&b, "%s: nothing wrong was found in what could be checked\n", r.name())
	}
	for _, f := range r.Findings {
		b.WriteString(f.String())
	}
	for _, f := range r.Unchecked {
		fmt.Fprintf(&b, "not checked: %s: %s\n", f.Code, f.Advice)
	}
	return b.String()
}

func (r Report) name() string {
	if r.Host == "" {
		return "this host"
	}
	return r.Host
}
