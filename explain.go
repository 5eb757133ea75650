package lvs

import (
	"context"
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

	// Error is the ICMP error about a packet of the flow that was asked about, or nil if
	// it was a packet of the flow. See [Host.ExplainError].
	Error *FlowError `json:"error,omitempty"`

	// Verdicts are all possible verdicts on the packet, one if the answer is certain.
	Verdicts []Verdict `json:"verdicts"`

	// Certain reports whether there is one verdict. Otherwise the answer depends on
	// what Unseen names.
	Certain bool     `json:"certain"`
	Unseen  []string `json:"unseen,omitempty"` // in words; empty if certain

	// Connection is the one that the packet belongs to, or nil. Ended is the reason why
	// the packet opens a new connection nevertheless, or "".
	Connection *Connection `json:"connection,omitempty"`
	Ended      string      `json:"ended,omitempty"` // in words

	// Template is the persistence template of the client, or nil. TemplateInvalid
	// reports whether it no longer ties the client to its server: the server was
	// removed, or its weight is 0 and expire_quiescent_template is on.
	Template        *Connection `json:"template,omitempty"`
	TemplateInvalid bool        `json:"templateInvalid,omitempty"` // false also without a template

	// Pick is how the scheduler picks, or nil if it is not asked.
	Pick *Pick `json:"pick,omitempty"`

	// Unanswered is the reason why answers of the server do not reach the client,
	// although the packet reaches the server: [ReasonForwardingOff], or 0 if a live host
	// shows none.
	Unanswered Reason `json:"unanswered,omitzero"`
}

// Pick is how a scheduler picks a server. What a scheduler does not have, or a live
// host does not show, is zero.
type Pick struct {
	Scheduler Scheduler      `json:"scheduler"`      // the service's
	Flags     SchedulerFlags `json:"flags,omitzero"` // of it; 0 is none

	// Best is the least loaded server for [LC], [WLC], [SED], [NQ], [FO] or [OVF], and
	// Next the one that would be picked without it. [LBLC] and [LBLCR] use them, as WLC
	// does, unless they remember a server.
	Best *Candidate `json:"best,omitempty"`
	Next *Candidate `json:"next,omitempty"` // nil if no other server is usable

	// Bucket is the one of Buckets in which [SH], [MH] or [DH] finds the client or the
	// destination. Tried are the bucket's server and those that [HashFallback] tried
	// after it, in Steps further buckets.
	Bucket  int         `json:"bucket,omitempty"`
	Buckets int         `json:"buckets,omitempty"` // how many there are; 0: it has none
	Tried   []Candidate `json:"tried,omitempty"`   // in this order
	Steps   int         `json:"steps,omitempty"`   // 0: HashFallback was not needed, or is off

	// Last is the server that [RR] or [WRR] picked last; if it is not valid, they begin
	// at the head of the list. Round is the weight that WRR currently requires.
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

// Equal reports whether both say the same.
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

// Explain returns which real server a client would reach with its next packet, and
// why. The packet is the SYN of a TCP connection, the INIT of an SCTP association, or
// any packet of another protocol. Explain changes nothing.
//
// A [Simulator] knows everything, so its answer is certain, unless a [SimAlgorithm]
// decides, which is asked only when the packet comes, or a persistence engine looks at
// data that the flow does not have. A live host is copied as far as
// the flow can meet it, and the copy is asked. Where the answer depends on what the
// kernel does not show, all that may happen is listed. The packet is then followed
// through the host's network: its routes, rules and interfaces bring the packet to
// IPVS and onward, or a [Reason] says why not. Unseen names firewalls, routers and
// neighbours that may stop it. Explain does not find that a server is silent if the
// host has never asked for its address.
//
// Fragments meet IPVS as one packet, so the answer is that of the packet. Data
// connections of FTP that client and server have agreed on are connections like others.
// Explain does not say whether a master daemon will tell backups of the connection, since
// that depends on how many packets it has had, which hosts do not show; nor whether the
// helper for FTP will read what client and server say later.
//
// Explain assumes that [SH] and [MH] have the usual sizes of tables, that the machine is
// little-endian with 64 bits (for MH), that all packets of a connection have one mark,
// that neither the mode of its server nor the parameter conntrack has changed since it
// began, that data of FTP come from a real server, and, in kernels that count connections
// the older way, that no lower threshold was removed since the last connection ended. The
// host is read in several steps, and may change in between. The cost grows with the number
// of services and connections, not with that of servers.
//
// The error matches [ErrInvalid] for what is not a flow; otherwise it is one of reading
// the host.
func (h *Host) Explain(ctx context.Context, f Flow) (Explanation, error) {
	return h.explain(ctx, f, nil)
}

// explain explains a packet of a flow, or an error about one.
func (h *Host) explain(ctx context.Context, f Flow, about *FlowError) (Explanation, error) {
	f.Protocol, f.Client, f.VIP = f.protocol(), unmap(f.Client), unmap(f.VIP)
	if bad := f.validate(); bad != nil {
		return Explanation{}, explainError(f, bad)
	}
	p := f.first()
	if about != nil {
		p = about.packet(p)
	}
	x, err := h.explainPacket(ctx, Explanation{Flow: f, Error: about}, p)
	if err != nil {
		return Explanation{}, err
	}
	x.Certain = len(x.Verdicts) == 1
	if x.Certain {
		x.Unseen = nil
	}
	return x, nil
}

// first returns the packet by which the client begins.
func (f *Flow) first() *simipvs.Packet {
	p := &simipvs.Packet{
		Protocol: uint8(f.Protocol), Source: &f.Client, Destination: &f.VIP, Mark: f.FWMark,
		Length: headersOf(f.Protocol, f.VIP) + len(f.Data), Data: f.Data,
	}
	switch f.Protocol {
	case ProtocolTCP:
		p.TCP = uint8(SimSYN)
	case ProtocolSCTP:
		p.Chunks = string(SimSCTPInit)
	}
	return p
}

// explainPacket completes an explanation.
func (h *Host) explainPacket(ctx context.Context, x Explanation, p *simipvs.Packet) (Explanation, error) {
	f := x.Flow
	if err := h.open(OpExplain, f.String()); err != nil {
		return x, err
	}
	n, simulated := h.guard.files.(*simulatedNetwork)
	if !simulated {
		return h.explainLive(ctx, x, p)
	}
	if err := context.Cause(ctx); err != nil {
		return x, err
	}
	e := explainer{kernel: n.kernel, packet: p, x: x}
	var err error
	if e.x.Verdicts, err = e.explore(simipvs.Suppose{}, []question{e.key, e.custom}); err != nil {
		return e.x, explainError(f, err)
	}
	err = e.finish(ctx, h)
	return e.x, err
}

func explainError(f Flow, err error) error {
	e, ok := err.(*Error)
	if !ok {
		e = &Error{kind: ErrInvalid, cause: err}
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
		Engine: e.Engine, Data: e.Key,
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
