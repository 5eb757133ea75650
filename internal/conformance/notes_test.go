package conformance

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// The notes of a plan are true: each case makes a plan while connections live, and then
// sends packets to see what the notes say, on simulators and in a kernel.

// noteCase is a plan, its notes, and what shows that they are true.
type noteCase struct {
	name    string
	sysctls map[string]int // of net.ipv4.vs
	alone   bool           // the table has no other service
	service lvs.Service
	weights []int                            // of the real servers A, B and so on
	server  func(r *lvs.RealServer)          // changes how real servers are at first
	clients int                              // that have a connection each
	change  func(s *lvs.TableService)        // makes the service what is wanted; nil: it is not
	options lvs.TableOptions                 // besides Scope and Host
	before  func(n *noteTrial)               // before the plan is made
	notes   string                           // of all steps, one a line
	older   string                           // in kernels that count connections the older way, if it differs
	after   func(n *noteTrial)               // when the plan has been applied
	want    func(tables *[]lvs.TableService) // changes the whole table instead
}

// noteTrial plays a case to one side.
type noteTrial struct {
	testing.TB
	side
	host    *lvs.Host
	service lvs.Service
	conns   []packet // the next packet of each client's first connection
	first   string   // where clients reached before the plan
	port    uint16   // of the client port that was used last
	ends    []lvs.Change
}

var (
	noteVIP   = netip.MustParseAddrPort("10.1.254.1:80")
	noteOther = lvs.TCP(netip.MustParseAddrPort("10.1.254.2:81"))
)

func TestConformanceNotes(t *testing.T) {
	for _, c := range slices.Concat(noteRemovals, noteDrains, noteHashes, noteLoads, noteEdits, noteModes, noteFamilies, noteServices) {
		t.Run(strings.ReplaceAll(c.name, " ", "-"), func(t *testing.T) {
			for name, open := range noteSides() {
				t.Run(name, func(t *testing.T) { c.play(t, open(t)) })
			}
		})
	}
}

func noteSides() map[string]func(testing.TB) side {
	if testbed.Inside() {
		return map[string]func(testing.TB) side{"kernel": func(t testing.TB) side { testbed.InKernel(t); return openKernelSide(t) }}
	}
	all := make(map[string]func(testing.TB) side)
	for _, r := range []string{"6.1.176", "7.2.7"} {
		all[r] = func(t testing.TB) side { return openSimulatorSide(t, releaseOf(t, r)) }
	}
	return all
}

func (c *noteCase) play(t *testing.T, s side) {
	if c.service.Scheduler == lvs.TWOS && !hasTwos(t, s) {
		t.Logf("Linux %s was built without twos", s.Release())
		return
	}
	n, plan := c.begin(t, s)
	want := c.notes
	if c.older != "" && !s.Release().CountsTotals() {
		want = c.older
	}
	var notes []string
	for _, s := range plan.Steps {
		notes = append(notes, s.Notes...)
	}
	if got := strings.Join(notes, "\n"); got != want {
		t.Errorf("the notes are\n%s\nwant\n%s\nof the plan\n%s", got, want, plan)
	}
	n.make(plan)
	c.after(n)
}

// hasTwos reports whether the kernel was built with the scheduler twos.
func hasTwos(t *testing.T, s side) bool {
	ctx, c, probe := groundContext(t), s.Host(t).Client(), lvs.Service{ID: lvs.FWMark(8), Scheduler: lvs.TWOS}
	err := c.AddService(ctx, probe)
	if errors.Is(err, lvs.ErrScheduler) {
		return false
	}
	must(t, err)
	must(t, c.RemoveService(ctx, probe.ID))
	return true
}

// begin makes the table and the connections of a case, and its plan.
func (c *noteCase) begin(t *testing.T, s side) (*noteTrial, lvs.TablePlan) {
	n := &noteTrial{TB: t, side: s, host: s.Host(t), service: c.service, port: 1023}
	ctx := groundContext(t)
	for name, value := range c.sysctls {
		must(t, n.host.SetSysctl(ctx, lvs.SysctlKey("net.ipv4.vs."+name), fmt.Sprint(value)))
	}
	was := lvs.TableService{Service: c.service}
	for i, weight := range c.weights {
		r := noteServer(c.service.ID, i, weight)
		if c.server != nil {
			c.server(&r)
		}
		was.RealServers = append(was.RealServers, r)
	}
	services := []lvs.TableService{was}
	if !c.alone {
		services = append(services, lvs.TableService{Service: lvs.Service{ID: noteOther}})
	}
	n.make(n.plan(services, lvs.TableOptions{}))
	n.first = n.each(c.clients)
	if c.before != nil {
		c.before(n)
	}
	c.makeWanted(&services)
	return n, n.plan(services, c.options)
}

// makeWanted makes the table what is wanted.
func (c *noteCase) makeWanted(services *[]lvs.TableService) {
	switch {
	case c.want != nil:
		c.want(services)
	case c.change != nil:
		s := &(*services)[0]
		s.RealServers = slices.Clone(s.RealServers)
		c.change(s)
	default:
		*services = (*services)[1:]
	}
}

// noteServer is the real server A, B and so on.
func noteServer(id lvs.ServiceID, i, weight int) lvs.RealServer {
	addr := netip.AddrFrom4([4]byte{10, 2, 0, byte(10 + i)})
	if id.Is6() {
		addr = netip.AddrFrom16([16]byte{0xfd, 0, 0, 1, 15: byte(10 + i)})
	}
	r := lvs.NewRealServer(netip.AddrPortFrom(addr, id.AddrPort().Port()), lvs.NAT())
	r.Weight = weight
	return r
}

func (n *noteTrial) plan(want []lvs.TableService, o lvs.TableOptions) lvs.TablePlan {
	n.Helper()
	o.Host, o.Scope, o.Prune = n.host, lvs.ScopeAll(), true
	plan, err := n.host.Client().PlanTable(groundContext(n), lvs.Table{Services: want}, o)
	must(n, err)
	return plan
}

// make makes what the plan changes at once.
func (n *noteTrial) make(p lvs.TablePlan) {
	n.Helper()
	must(n, n.host.Client().Do(groundContext(n), p.Changes()...))
	n.ends = nil
	for _, s := range p.Steps {
		if s.Drain > 0 {
			n.ends = append(n.ends, s.Change)
		}
	}
}

// endDrains removes what the plan drains.
func (n *noteTrial) endDrains() {
	n.Helper()
	must(n, n.host.Client().Do(groundContext(n), n.ends...))
}

// client is the address of a client. Those of different numbers are in networks of 24
// bits of their own.
func (n *noteTrial) client(i int) netip.Addr {
	if n.service.ID.Is6() {
		return netip.AddrFrom16([16]byte{0xfd, 13: 3, 14: byte(i), 15: byte(1 + i%200)})
	}
	return netip.AddrFrom4([4]byte{10, 3, byte(i), byte(1 + i%200)})
}

// fresh returns the first packet of a connection from a port that was never used.
func (n *noteTrial) fresh(client int) packet {
	n.port++
	id := n.service.ID
	p := packet{protocol: uint8(cmp.Or(id.Protocol(), lvs.ProtocolTCP)), from: netip.AddrPortFrom(n.client(client), n.port), to: id.AddrPort(), mark: id.FWMark()}
	if p.to.Port() == 0 {
		p.to = noteVIP
	}
	if p.protocol == protocolTCP {
		p.tcp = flagSYN
	}
	return p
}

// open lets clients open a connection each, and returns where they reach: a letter for
// each real server, a small one for its other port, "-" if the packet was stopped, and
// "." if it was passed on.
func (n *noteTrial) open(clients ...int) string {
	n.Helper()
	var firsts, seconds []packet
	for _, i := range clients {
		p := n.fresh(i)
		firsts = append(firsts, p)
		if p.protocol == protocolTCP {
			p.tcp = flagACK
			seconds = append(seconds, p)
		}
		for len(n.conns) <= i {
			n.conns = append(n.conns, packet{})
		}
		if n.conns[i].protocol == 0 {
			n.conns[i] = p
		}
	}
	reached := n.sent(firsts)
	n.Send(seconds)
	return reached
}

// each opens a connection of each of so many clients.
func (n *noteTrial) each(clients int) string {
	n.Helper()
	return n.open(upTo(clients)...)
}

func upTo(count int) (all []int) {
	for i := range count {
		all = append(all, i)
	}
	return all
}

// goOn sends the next packet of each client's first connection, and returns where they
// reach.
func (n *noteTrial) goOn() string {
	n.Helper()
	return n.sent(n.conns)
}

func (n *noteTrial) sent(packets []packet) string {
	n.Helper()
	var b strings.Builder
	for i, fate := range n.Send(packets) {
		b.WriteString(n.letter(packets[i], fate))
	}
	return b.String()
}

func (n *noteTrial) letter(p packet, fate string) string {
	n.Helper()
	for i := range 26 {
		server := noteServer(n.service.ID, i, 0).Addr.Addr()
		switch letters := "ABCDEFGHIJKLMNOPQRSTUVWXYZ"; {
		case fate == fateOf(p.from, netip.AddrPortFrom(server, p.to.Port()), startTTL-1), strings.HasSuffix(fate, " to "+server.String()):
			return letters[i : i+1]
		case fate == fateOf(p.from, netip.AddrPortFrom(server, p.to.Port()+1000), startTTL-1):
			return strings.ToLower(letters[i : i+1])
		}
	}
	switch fate {
	case fateStopped:
		return "-"
	case fateOf(p.from, p.to, startTTL):
		return "."
	case fateOf(p.from, p.to, startTTL-1):
		return "="
	}
	n.Errorf("a packet from %s to %s: %s", p.from, p.to, fate)
	return "?"
}

func (n *noteTrial) is(what, got, want string) {
	n.Helper()
	if got != want {
		n.Errorf("%s: %s, want %s", what, got, want)
	}
}

// replaced returns letters with those of some servers replaced.
func replaced(letters, some, by string) string {
	for _, r := range some {
		letters = strings.ReplaceAll(letters, string(r), by)
	}
	return letters
}

// Changes of the service of a case.

func removing(i int) func(*lvs.TableService) {
	return func(s *lvs.TableService) { s.RealServers = slices.Delete(s.RealServers, i, i+1) }
}

func weighing(i, weight int) func(*lvs.TableService) {
	return func(s *lvs.TableService) { s.RealServers[i].Weight = weight }
}

func adding(weight int) func(*lvs.TableService) {
	return func(s *lvs.TableService) {
		s.RealServers = append(s.RealServers, noteServer(s.ID, len(s.RealServers), weight))
	}
}

func editing(edit func(s *lvs.Service)) func(*lvs.TableService) {
	return func(s *lvs.TableService) { edit(&s.Service) }
}
