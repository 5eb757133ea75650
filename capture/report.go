package capture

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/golvs/lvs"
)

// Report sums up what a simulator did with a capture. The zero value is an empty report.
type Report struct {
	Packets  int       `json:"packets"`           // that were delivered
	Failed   int       `json:"failed,omitempty"`  // of them, those with [Step.Err]
	Outcomes []Outcome `json:"outcomes"`          // the most frequent first
	Servers  []Server  `json:"servers,omitempty"` // the one with the most connections first
}

// Outcome is what happened to packets, and why.
type Outcome struct {
	Action  lvs.Action `json:"action"`  // what happened
	Reason  lvs.Reason `json:"reason"`  // why
	Packets int        `json:"packets"` // how many it happened to
}

// Server is what a real server of a service got.
type Server struct {
	Service     lvs.ServiceID  `json:"service"`     // by which the packets came
	Server      netip.AddrPort `json:"server"`      // as the service has it
	Connections int            `json:"connections"` // that were opened
	Packets     int            `json:"packets"`     // from clients
	Bytes       int            `json:"bytes"`       // of these packets, with their IP headers
}

// Add adds a step.
func (r *Report) Add(s Step) {
	r.Packets++
	if s.Err != nil {
		r.Failed++
		return
	}
	v := s.Delivery.Verdict
	r.addOutcome(v)
	if v.Action == lvs.ActionForwarded && v.Server.IsValid() {
		r.addServer(v, len(s.Packet.IP))
	}
}

func (r *Report) addOutcome(v lvs.Verdict) {
	i := slices.IndexFunc(r.Outcomes, func(o Outcome) bool { return o.Action == v.Action && o.Reason == v.Reason })
	if i < 0 {
		i = len(r.Outcomes)
		r.Outcomes = append(r.Outcomes, Outcome{Action: v.Action, Reason: v.Reason})
	}
	r.Outcomes[i].Packets++
	rise(r.Outcomes, i, func(o Outcome) int { return o.Packets })
}

func (r *Report) addServer(v lvs.Verdict, length int) {
	i := slices.IndexFunc(r.Servers, func(s Server) bool { return s.Service == v.Service && s.Server == v.Server })
	if i < 0 {
		i = len(r.Servers)
		r.Servers = append(r.Servers, Server{Service: v.Service, Server: v.Server})
	}
	s := &r.Servers[i]
	s.Packets++
	s.Bytes += length
	if v.Reason != lvs.ReasonConnection {
		s.Connections++
	}
	rise(r.Servers, i, func(s Server) int { return s.Connections })
}

// rise moves an element whose count has grown to where it belongs.
func rise[T any](all []T, i int, count func(T) int) {
	for ; i > 0 && count(all[i]) > count(all[i-1]); i-- {
		all[i], all[i-1] = all[i-1], all[i]
	}
}

// String returns the report as two tables.
func (r *Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "packets\twere\tbecause")
	for _, o := range r.Outcomes {
		fmt.Fprintf(w, "%d\t%s\t%s\n", o.Packets, o.Action, o.Reason)
	}
	if r.Failed > 0 {
		fmt.Fprintf(w, "%d\tnot delivered\tthey are malformed\n", r.Failed)
	}
	w.Flush()
	fmt.Fprintln(w, "\nreal server\tservice\tconnections\tpackets\tbytes")
	for _, s := range r.Servers {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\n", s.Server, s.Service, s.Connections, s.Packets, s.Bytes)
	}
	w.Flush()
	return b.String()
}
