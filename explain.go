package lvs

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/simipvs/sched"
)

// Explanation says which real server a client would reach with its next packet,
// and why. See [Host.Explain].
type Explanation struct {
	Flow Flow `json:"flow"` // that was asked about

	// Verdicts are all that may become of the packet. There is one when the
	// answer is certain.
	Verdicts []Verdict `json:"verdicts"`

	// Certain reports whether there is one verdict. Otherwise the answer depends on
	// what Unseen names.
	Certain bool     `json:"certain"`
	Unseen  []string `json:"unseen,omitempty"` // in words; empty if certain

	// Connection is the one that the packet belongs to, nil if there is none.
	// Ended says why the packet does not go by it but opens another one, "" if
	// it does go by it.
	Connection *Connection `json:"connection,omitempty"`
	Ended      string      `json:"ended,omitempty"` // in words

	// Template is the persistence template of the client, nil if there is none.
	// Untied tells that it ties the client to its server no more: the server was
	// removed, or its weight is 0 and expire_quiescent_template is on.
	Template        *Connection `json:"template,omitempty"`
	TemplateInvalid bool        `json:"templateInvalid,omitempty"` // false also without a template

	// Pick is how the scheduler picks, nil when it is not asked.
	Pick *Pick `json:"pick,omitempty"`

	// Unanswered is what keeps answers of the server from the client, although the
	// packet gets there: [ReasonForwardingOff], or 0 if a live host shows nothing.
	Unanswered Reason `json:"unanswered,omitzero"`
}

// Pick is how a scheduler comes to a server. What a scheduler does not have,
// or a live host does not show, is zero.
type Pick struct {
	Scheduler Scheduler      `json:"scheduler"`      // the service's
	Flags     SchedulerFlags `json:"flags,omitzero"` // of it; 0 is none

	// Best is the server that has least to do, by [LC], [WLC], [SED], [NQ], [FO]
	// or [OVF], and Next the one that would be picked without it. [LBLC] and
	// [LBLCR] go by them, as WLC does, unless they remember a server.
	Best *Candidate `json:"best,omitempty"`
	Next *Candidate `json:"next,omitempty"` // nil: there is no other

	// Bucket is the one of Buckets in which [SH], [MH] or [DH] finds the client
	// or the destination. Tried are the bucket's server and those that Fallback
	// led to, after having looked at so many Steps of buckets.
	Bucket  int         `json:"bucket,omitempty"`
	Buckets int         `json:"buckets,omitempty"` // how many there are; 0: it has none
	Tried   []Candidate `json:"tried,omitempty"`   // in this order
	Steps   int         `json:"steps,omitempty"`   // 0: Fallback was not needed, or is off

	// Last is the server that [RR] or [WRR] picked last; not valid, they begin at
	// the head of the list. Round is the weight that WRR asks for at this moment.
	Last  netip.AddrPort `json:"last,omitzero"`
	Round int            `json:"round,omitempty"` // 0: before the first pick, or not WRR

	// Remembered are the servers that [LBLC] or [LBLCR] gave to the destination.
	Remembered []netip.AddrPort `json:"remembered,omitempty"`

	// Drawn are the two servers that [TWOS] draws, perhaps one twice.
	Drawn []netip.AddrPort `json:"drawn,omitempty"`

	// PassedOver are the servers that the scheduler does not consider.
	PassedOver []Candidate `json:"passedOver,omitempty"`
}

// Candidate is a real server as a scheduler sees it.
type Candidate struct {
	Server        netip.AddrPort `json:"server"`               // its address and port
	Weight        int            `json:"weight"`               // 0 is quiesced
	ActiveConns   int            `json:"activeConns"`          // established connections
	InactiveConns int            `json:"inactiveConns"`        // the others
	Overloaded    bool           `json:"overloaded,omitempty"` // it reached its upper threshold

	// Load is what the scheduler divides by the weight, of the best server and the
	// next one. [LC] does not divide.
	Load int64 `json:"load,omitempty"`
}

// Equal tells whether both say the same.
func (x Explanation) Equal(other Explanation) bool { return reflect.DeepEqual(x, other) }

// Servers returns the real servers that the client may reach: one, if that is
// certain, or none.
func (x Explanation) Servers() []netip.AddrPort {
	var all []netip.AddrPort
	for _, v := range x.Verdicts {
		if v.Action == ActionForwarded && !slices.Contains(all, v.Server) {
			all = append(all, v.Server)
		}
	}
	return all
}

// Explain tells which real server a client would reach with its next packet, and
// why: a UDP datagram, or the SYN of a TCP connection. It changes nothing.
//
// Of a [Simulator] everything is known, and the answer is certain, unless an
// [SimAlgorithm] of one's own decides: that is asked when the packet comes. Of a live
// host the answer is that of a copy of what the flow can meet, and where it
// depends on what the kernel does not show, all that may happen is listed. Then it
// is followed on the host's network: by its routes, rules and interfaces the packet
// comes to IPVS and gets onward, or a [Reason] says why not. Firewalls, routers
// and neighbours are named in Unseen where there is one that may stop it. A server
// that has never been asked for, and does not answer, is not found.
//
// The rest is taken for what is usual: the sizes of tables of [SH] and [MH] that
// Linux has unless who built it chose others, a 64-bit little-endian machine for
// MH, a connection whose packets always had the same mark, whose server is reached by
// the mode that it had then and which began with conntrack as it is, and, in kernels that count connections the
// older way, a lower threshold that was not taken away since the last connection
// went. The host is read in several steps; a busy one changes in between. Cost grows
// with the number of services and connections, and not with that of servers.
//
// The error is [errors.ErrUnsupported] for what is not simulated, of the kind
// [ErrInvalid] for what is not a flow, or one of reading the host.
func (h *Host) Explain(ctx context.Context, f Flow) (Explanation, error) {
	f.Protocol, f.Client, f.VIP = f.protocol(), unmap(f.Client), unmap(f.VIP)
	p := simipvs.Packet{
		Protocol: uint8(f.Protocol), Source: &f.Client, Destination: &f.VIP, Mark: f.FWMark,
		Length: headersOf(f.Protocol, f.VIP),
	}
	if bad := f.validate(); bad != nil {
		return Explanation{}, explainError(f, bad)
	}
	if f.Protocol == ProtocolTCP {
		p.TCP = uint8(SimSYN)
	}
	x, err := h.explain(ctx, f, &p)
	if err != nil {
		return Explanation{}, err
	}
	x.Certain = len(x.Verdicts) == 1
	if x.Certain {
		x.Unseen = nil
	}
	return x, nil
}

func (h *Host) explain(ctx context.Context, f Flow, p *simipvs.Packet) (Explanation, error) {
	if err := h.open(OpExplain, f.String()); err != nil {
		return Explanation{}, err
	}
	n, simulated := h.guard.files.(*simulatedNetwork)
	if !simulated {
		return h.explainLive(ctx, f, p)
	}
	if err := context.Cause(ctx); err != nil {
		return Explanation{}, err
	}
	e := explainer{kernel: n.kernel, packet: p, x: Explanation{Flow: f}}
	var err error
	if e.x.Verdicts, err = e.explore(simipvs.Suppose{}, []question{e.custom}); err != nil {
		return e.x, explainError(f, err)
	}
	err = e.finish(ctx, h)
	return e.x, err
}

func explainError(f Flow, err error) error {
	e, ok := err.(*Error)
	if !ok {
		e = &Error{kind: ErrInvalid, cause: err}
		if errors.Is(err, errors.ErrUnsupported) {
			e.kind = errors.ErrUnsupported
		}
	}
	return e.about(OpExplain, f.String())
}

// explainer makes an explanation of what a simulated kernel knows.
type explainer struct {
	kernel  *simipvs.Kernel
	packet  *simipvs.Packet
	conceal func(*simipvs.Explanation, *Pick) // removes what is not known; nil: nothing
	x       Explanation
}

// describe adds what the kernel found on its way to a verdict, the first time. Worlds
// that do not agree on a connection's end leave it open.
func (e *explainer) describe(found *simipvs.Explanation) {
	ended := endedText[found.Outdated]
	switch {
	case found.Connection == nil:
	case e.x.Connection == nil:
		e.x.Connection, e.x.Ended = connectionOf(found.Connection), ended
	case e.x.Ended != ended:
		e.x.Ended = ""
	}
	switch {
	case found.Template == nil:
	case e.x.Template == nil:
		e.x.Template, e.x.TemplateInvalid = connectionOf(found.Template), found.Invalid
	default:
		e.x.TemplateInvalid = e.x.TemplateInvalid && found.Invalid
	}
	if found.Scheduler != "" && e.x.Pick == nil {
		e.x.Pick = pickOf(found)
		if e.conceal != nil {
			e.conceal(found, e.x.Pick)
		}
	}
}

// endedText says why a packet does not follow its connection.
var endedText = map[simipvs.Reason]string{
	simipvs.Reused:         "it has ended",
	simipvs.ServerQuiesced: "its server's weight is 0, and expire_nodest_conn is on",
	simipvs.ServerRemoved:  "its server was removed",
}

func connectionOf(e *simipvs.Entry) *Connection {
	if e == nil {
		return nil
	}
	return &Connection{
		Protocol: Protocol(e.Protocol), Client: e.Client, VIP: e.VIP, Server: e.Server,
		State: ConnState(e.State), Expires: time.Duration(e.Expires) * time.Second,
	}
}

func pickOf(found *simipvs.Explanation) *Pick {
	pick := &found.Pick
	c := &Pick{
		Scheduler: Scheduler(found.Scheduler), Flags: SchedulerFlags(found.Flags) &^ ownFlags,
		Bucket: pick.Bucket, Buckets: pick.Buckets, Tried: candidatesOf(pick.Tried), Steps: pick.Steps,
		Round: int(pick.Turn), Remembered: addrs(pick.Cached), Drawn: addrs(pick.Drawn),
	}
	c.Best, c.Next = loadedCandidate(pick.Best, pick.Load), loadedCandidate(pick.Next, pick.Then)
	if pick.Last != nil {
		c.Last = pick.Last.Addr
	}
	if c.Buckets == 0 {
		c.PassedOver = candidatesOf(pick.Passed)
	}
	return c
}

func candidateOf(s *sched.Server) Candidate {
	return Candidate{
		Server: s.Addr, Weight: int(s.Weight), ActiveConns: int(s.Active), InactiveConns: int(s.Inactive), Overloaded: s.Overloaded,
	}
}

func loadedCandidate(s *sched.Server, load int64) *Candidate {
	if s == nil {
		return nil
	}
	c := candidateOf(s)
	c.Load = load
	return &c
}

func candidatesOf(servers []*sched.Server) (all []Candidate) {
	for _, s := range servers {
		all = append(all, candidateOf(s))
	}
	return all
}

func addrs(servers []*sched.Server) (all []netip.AddrPort) {
	for _, s := range servers {
		all = append(all, s.Addr)
	}
	return all
}
