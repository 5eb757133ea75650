package lvs

import (
	"cmp"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/kernel"
	"github.com/golvs/lvs/internal/testbed"
)

// The simulator is proved by histories: what a history does to it, it must do to
// the kernel. Both are asked for everything that can be seen, and a history that
// shows a difference is cut down to the steps that it takes.
//
// What differs on purpose is made alike before it is compared, and nothing else:
// timers of the kernel are late by up to an eighth of the timeout, and a history
// takes its time, so the time that a connection is left with may differ by
// expiryTolerance; services are listed in an order of the kernel's own; ticks are
// of a length of the kernel's own; a table that grows does so by and by; and of
// an attribute that it refuses, the kernel says which values it would take.

// side is an IPVS that a history is played to.
type side interface {
	ground
	files

	// Send sends packets and says of each what became of it.
	Send(packets []packet) []string

	// Elapsed is how long it has been there.
	Elapsed() time.Duration

	// withFiles does something with all of its files.
	withFiles(do func(files))
}

// expiryTolerance is in seconds.
const expiryTolerance = 2

// simulatorSide is a simulator.
type simulatorSide struct {
	ground
	kernel  *kernel.Kernel
	elapsed time.Duration
	virtual map[[2]netip.AddrPort]netip.AddrPort // by server and client
}

func openSimulatorSide(t testing.TB, r release) *simulatorSide {
	t.Helper()
	g := openSimulatorGround(r.String())(t)
	return &simulatorSide{
		ground: g, kernel: g.(*simulatorGround).kernel,
		virtual: make(map[[2]netip.AddrPort]netip.AddrPort),
	}
}

func (s *simulatorSide) ReadFile(path string) ([]byte, error) { return s.kernel.ReadFile(path) }

func (s *simulatorSide) ReadFiles(paths []string) ([]content, error) {
	return readEach(paths, s.ReadFile), nil
}

func (s *simulatorSide) WriteFile(path string, data []byte) error {
	return s.kernel.WriteFile(path, data)
}

func (s *simulatorSide) withFiles(do func(files)) { do(newSimulator(s.kernel).network) }

func (s *simulatorSide) Elapsed() time.Duration { return s.elapsed }

func (s *simulatorSide) Wait(d time.Duration) {
	s.elapsed += d
	s.ground.Wait(d)
}

func (s *simulatorSide) Send(packets []packet) (fates []string) {
	for _, p := range packets {
		fate, _ := s.deliver(p)
		fates = append(fates, fate)
	}
	return fates
}

// deliver returns what shows of a packet behind IPVS, and the verdict on it.
func (s *simulatorSide) deliver(p packet) (fate string, v kernel.Verdict) {
	err := s.kernel.Deliver(p.raw(), &v)
	if err != nil {
		return err.Error(), v
	}
	switch v.Action {
	case kernel.Refused, kernel.Dropped:
		return fateStopped, v
	case kernel.Passed:
		return fateOf(p.from, p.to, startTTL), v
	case kernel.Replied:
		if vip, masked := s.virtual[[2]netip.AddrPort{p.from, p.to}]; masked && v.Method == masquerade {
			return fateOf(vip, p.to, startTTL), v
		}
		return fateOf(p.from, p.to, startTTL), v
	}
	switch v.Method {
	case masquerade:
		server := netip.AddrPortFrom(v.Server.Addr(), v.Port)
		s.virtual[[2]netip.AddrPort{server, p.from}] = p.to
		return fateOf(p.from, server, startTTL-1), v
	case localNode:
		return fateOf(p.from, p.to, startTTL), v
	case tunnel:
		return fateTunnelled(v.Server.Addr()), v
	}
	return fateOf(p.from, p.to, startTTL-1), v
}

// raw is the packet as the simulated kernel has it.
func (p packet) raw() *kernel.Packet {
	return &kernel.Packet{
		Protocol: p.protocol, TCP: p.tcp, Mark: p.mark, Length: p.length(), Source: &p.from, Destination: &p.to,
	}
}

// What becomes of a packet: the sender is told that it was stopped, or it is
// seen when it leaves. Its TTL tells whether IPVS sent it.
const (
	fateStopped = "stopped"
	startTTL    = 64
)

func fateOf(from, to netip.AddrPort, ttl int) string {
	return fmt.Sprintf("%s > %s, TTL %d", from, to, ttl)
}

func fateTunnelled(to netip.Addr) string { return "in a tunnel to " + to.String() }

// length is that of the IP packet.
func (p packet) length() int {
	n := 20
	if p.from.Addr().Is6() {
		n = 40
	}
	if p.protocol == protocolUDP {
		return n + 8 + tagLength + p.data
	}
	return n + 20 + tagLength + p.data
}

const (
	protocolTCP = 6
	protocolUDP = 17

	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10

	tagLength = 8 // what each packet carries so that it is known again
)

// player plays to one side.
type player struct {
	side
	t    testing.TB
	conn *rawConn
}

func newPlayer(t testing.TB, s side) *player { return &player{s, t, dialRaw(t, s.Dial)} }

// call sends requests and returns what each is answered with.
func (p *player) call(calls []control) (answers []string) {
	p.t.Helper()
	requests := make([]request, len(calls), len(calls)+1)
	for i, c := range calls {
		if c.dumps() {
			answers = append(p.call(calls[:i]), p.dump(c))
			return append(answers, p.call(calls[i+1:])...)
		}
		requests[i] = request{command: c.command, flags: c.flags | nlAck, body: c.body}
	}
	if len(calls) == 0 {
		return nil
	}
	answers = make([]string, len(calls))
	first := p.conn.post(append(requests, barrier())...)
	for _, m := range p.conn.until(first + uint32(len(calls))) {
		if i := int(m.seq - first); i < len(calls) {
			answers[i] += answerOf(m)
		}
	}
	for i, c := range calls {
		if c.command == cDelDaemon && answers[i] == "" {
			answers[i] = success // see mayStaySilent
		}
	}
	return answers
}

func (c control) dumps() bool { return c.flags&nlDump == nlDump }

// dump is a call alone: a socket has one dump at a time.
func (p *player) dump(c control) string {
	p.t.Helper()
	answers, errno := p.conn.ask(request{command: c.command, flags: c.flags, body: c.body})
	var all []string
	for _, m := range answers {
		all = append(all, answerOf(m))
	}
	if c.command == cGetService {
		slices.Sort(all)
	}
	return strings.Join(all, "") + fmt.Sprintf("end %d", errno)
}

const success = "error 0 ; "

// answerOf says what a message says, but for statistics.
func answerOf(m reply) string {
	if m.kind == nlError {
		const header, policy = 4 + 16, 4 | nlaNested // the number and the request's header; what an attribute should be
		complaint, _ := splitAttributes(m.body[header:])
		return fmt.Sprintf("error %d %v; ", m.errno(), complaint.without(policy))
	}
	command, top := m.body[0], m.body[4:]
	if command == cSetInfo { // its second number is the size of a table
		top = top[:8]
	}
	return fmt.Sprintf("reply %d %x %s; ", command, m.flags, objectOf(top, false))
}

// objectOf says what is at the top of a message.
func objectOf(b []byte, stats bool) string {
	var s strings.Builder
	all, _ := splitAttributes(b)
	for _, a := range all {
		if a.number < aTimeoutTCP && len(a.value) > 4 {
			s.WriteString(nestOf(a.number, a.value, stats))
		} else {
			fmt.Fprintf(&s, "%d=%x ", a.number, a.value)
		}
	}
	return s.String()
}

func nestOf(kind uint16, b []byte, stats bool) string {
	var s strings.Builder
	all, _ := splitAttributes(b)
	for _, a := range all {
		name := nameOf(attributeNames[kind], a.number)[1:]
		switch name {
		case "Stats", "Stats64":
			fmt.Fprintf(&s, "%s ", name)
			if stats {
				s.WriteString(totalsOf(a.value))
			}
		default:
			fmt.Fprintf(&s, "%s=%x ", name, a.value)
		}
	}
	return s.String()
}

// totalsOf says what was counted, without the rates: they hang on the moments at
// which the kernel's estimator looked.
func totalsOf(b []byte) string {
	const lastTotal = 5
	all, _ := splitAttributes(b)
	all = slices.DeleteFunc(all, func(a attribute) bool { return a.number > lastTotal })
	return fmt.Sprintf("{%v} ", all)
}

// view is what can be seen.
type view struct {
	lines map[string]int   // how often each is there
	left  map[string][]int // connections, with the seconds that they have left
}

func (p *player) look(stats bool) view {
	p.t.Helper()
	v := view{make(map[string]int), make(map[string][]int)}
	p.lookAtServices(v, stats)
	for _, answer := range p.call([]control{{command: cGetConfig}, {command: cGetInfo}}) {
		v.lines[answer]++
	}
	v.lines["daemons: "+p.call([]control{{command: cGetDaemon, flags: nlDump}})[0]]++
	p.lookAtTable(v)
	p.lookAtConns(v)
	if stats {
		rows := strings.Split(p.file("/proc/net/ip_vs_stats"), "\n")
		v.lines["totals "+rows[2]]++
	}
	return v
}

func (p *player) lookAtServices(v view, stats bool) {
	p.t.Helper()
	services, errno := p.conn.ask(listServices())
	if errno != 0 {
		p.t.Fatalf("listing the services: %v", errno)
	}
	for _, s := range services {
		v.lines["service "+objectOf(s.body[4:], stats)]++
		key := identityOf(s.body[4:])
		dests, errno := p.conn.ask(request{command: cGetDest, body: attributes{{aService, key.encode()}}.encode()}.dumped())
		if errno != 0 {
			p.t.Fatalf("listing the servers of %v: %v", key, errno)
		}
		for i, d := range dests {
			v.lines[fmt.Sprintf("server %d of %v: %s", i, key, objectOf(d.body[4:], stats))]++
		}
	}
}

// identityOf returns what tells a service from others.
func identityOf(message []byte) (key attributes) {
	top, _ := splitAttributes(message)
	all, _ := splitAttributes(top.get(aService))
	for _, a := range all {
		if a.number <= sFWMark {
			key = append(key, a)
		}
	}
	return key
}

// What the two sides show in ticks, and the size of a table that may grow.
var (
	inTicks   = regexp.MustCompile(`persistent \d+ `)
	tableSize = regexp.MustCompile(`\(size=\d+\)`)
)

// lookAtTable reads what ipvsadm reads, service by service.
func (p *player) lookAtTable(v view) {
	p.t.Helper()
	text := inTicks.ReplaceAllString(p.file("/proc/net/ip_vs"), "persistent ")
	text = tableSize.ReplaceAllString(text, "")
	service := ""
	for i, row := range strings.SplitAfter(text, "\n") {
		if i < 3 || !strings.HasPrefix(row, "  ->") {
			if service != "" {
				v.lines[service]++
			}
			service = row
			continue
		}
		service += row
	}
}

// lookAtConns reads the connections: all but the time that is left says which
// one it is.
func (p *player) lookAtConns(v view) {
	p.t.Helper()
	for i, row := range strings.Split(p.file("/proc/net/ip_vs_conn"), "\n") {
		at := strings.LastIndexByte(row, ' ')
		if i == 0 || at < 0 {
			continue
		}
		left, err := strconv.Atoi(row[at+1:])
		if err != nil {
			p.t.Fatalf("a connection's row %q: %v", row, err)
		}
		name := strings.TrimRight(row[:at], " ")
		v.left[name] = append(v.left[name], left)
	}
}

func (p *player) file(path string) string {
	p.t.Helper()
	text, err := p.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// differenceOf tells how two views differ; "" if they do not.
func differenceOf(real, sim view) string {
	var b strings.Builder
	for line, n := range real.lines {
		if sim.lines[line] != n {
			fmt.Fprintf(&b, "%d times, want %d: %s\n", sim.lines[line], n, line)
		}
	}
	for line, n := range sim.lines {
		if real.lines[line] == 0 {
			fmt.Fprintf(&b, "%d times, want none: %s\n", n, line)
		}
	}
	for name, left := range real.left {
		if !almost(left, sim.left[name]) {
			fmt.Fprintf(&b, "%d seconds left, want %d: %s\n", sim.left[name], left, name)
		}
	}
	for name, left := range sim.left {
		if len(real.left[name]) == 0 {
			fmt.Fprintf(&b, "%d seconds left, want none: %s\n", left, name)
		}
	}
	rows := strings.SplitAfter(b.String(), "\n")
	slices.Sort(rows)
	return strings.Join(rows, "")
}

func almost(a, b []int) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.EqualFunc(a, b, func(x, y int) bool { return max(x-y, y-x) <= expiryTolerance })
}

// duel plays a history to two sides.
type duel struct{ real, sim *player }

// openDuel opens a side and a simulator that ought to behave like it.
func openDuel(t testing.TB, open func(testing.TB) side) *duel {
	t.Helper()
	real := open(t)
	return &duel{newPlayer(t, real), newPlayer(t, openSimulatorSide(t, real.Release()))}
}

// play returns how the sides differ, and after how many steps that showed; ""
// if they do not.
func (d *duel) play(h history) (difference string, steps int) {
	for i := 0; i < len(h); {
		n := d.batch(h[i:])
		d.meet()
		if difference := d.step(h[i : i+n]); difference != "" {
			return difference, i + n
		}
		i += n
	}
	d.meet()
	return d.look(false), len(h)
}

// batch returns how many steps can be done in one go.
func (d *duel) batch(h history) int {
	const most = 32 // so that all their answers fit into a socket
	n := 1
	for n < min(len(h), most) && sameKind(h[0], h[n]) {
		n++
	}
	return n
}

func sameKind(a, b step) bool {
	switch a.(type) {
	case control:
		_, same := b.(control)
		return same
	case packet:
		_, same := b.(packet)
		return same
	}
	return false
}

// meet lets the simulator's time be the other side's.
func (d *duel) meet() {
	if late := d.real.Elapsed() - d.sim.Elapsed(); late > 0 {
		d.sim.Wait(late)
	}
}

func (d *duel) step(batch []step) string {
	switch s := batch[0].(type) {
	case control:
		calls := kindOf[control](batch)
		return unlike(batch, d.real.call(calls), d.sim.call(calls))
	case packet:
		packets := kindOf[packet](batch)
		return unlike(batch, d.real.Send(packets), d.sim.Send(packets))
	case setting:
		return unlike(batch, d.real.set(s), d.sim.set(s))
	case wait:
		d.real.Wait(time.Duration(s))
		return ""
	}
	return d.look(batch[0].(survey).stats)
}

func kindOf[T step](batch []step) (all []T) {
	for _, s := range batch {
		all = append(all, s.(T))
	}
	return all
}

func (p *player) set(s setting) []string {
	err := p.WriteFile("/proc/sys/net/ipv4/vs/"+s.name, fmt.Append(nil, s.value))
	return []string{fmt.Sprint(err != nil)}
}

// unlike tells how answers differ.
func unlike(batch []step, real, sim []string) string {
	for i := range real {
		if real[i] != sim[i] {
			return fmt.Sprintf("%s\n\tgot  %s\n\twant %s\n", batch[i], sim[i], real[i])
		}
	}
	return ""
}

// look reads again what differs: a list of connections is no snapshot while some
// end, and some work of the kernel is done a moment later.
func (d *duel) look(stats bool) (difference string) {
	for range 10 {
		d.meet()
		if difference = differenceOf(d.real.look(stats), d.sim.look(stats)); difference == "" {
			return ""
		}
		d.real.Wait(30 * time.Millisecond)
	}
	return difference
}

// attempt plays a history to sides that nobody has touched.
func attempt(t testing.TB, open func(testing.TB) *duel, h history) (difference string, steps int) {
	t.Helper()
	s := &scope{TB: t}
	defer s.end()
	return open(s).play(h)
}

// scope is the life of what an attempt opens.
type scope struct {
	testing.TB
	cleanups []func()
}

func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// shrink returns the shortest part of a history found in which sides differ.
func shrink(t testing.TB, open func(testing.TB) *duel, h history) (history, string) {
	t.Helper()
	const patience = 3 * time.Minute
	deadline := time.Now().Add(patience)
	difference, steps := attempt(t, open, h)
	if difference == "" {
		return h, ""
	}
	h = h[:steps]
	for n := max(1, len(h)/2); ; {
		before := len(h)
		for i := 0; i < len(h) && time.Now().Before(deadline); {
			shorter := slices.Delete(slices.Clone(h), i, min(i+n, len(h)))
			if d, steps := attempt(t, open, shorter); d != "" {
				h, difference = shorter[:steps], d
			} else {
				i += n
			}
		}
		if n == 1 && len(h) == before || time.Now().After(deadline) {
			return h, difference
		}
		n = max(1, n/2)
	}
}

// What the long run is asked for by scripts/fidelity.
var (
	fidelityPicks = flag.Int("fidelity.picks", 0, "how many servers each scheduler picks; 0 is a few")
	fidelityCalls = flag.Int("fidelity.calls", 0, "how many requests there are; 0 is a few")
	fidelitySeed  = flag.Uint64("fidelity.seed", 1, "what histories are made from")
)

func long() bool { return *fidelityPicks+*fidelityCalls > 0 }

// fidelity is a kind of histories.
type fidelity struct {
	name    string
	make    func(t testing.TB, r release, seed uint64) (h history, counted int)
	enough  int // of what is counted
	players int // how many play at once, if -test.parallel lets them
}

// mostMismatches ends a run that makes no sense any more.
const mostMismatches = 3

// run plays histories until enough was counted, and reports in one row.
func (f fidelity) run(t *testing.T, open func(testing.TB) *duel) {
	t.Helper()
	r := openedRelease(t, open)
	var histories, counted, mismatches, slow atomic.Int64
	var playing sync.RWMutex // so that one can have the machine alone
	t.Run("players", func(t *testing.T) {
		for range f.players {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				for counted.Load() < int64(f.enough) && mismatches.Load() < mostMismatches {
					seed := *fidelitySeed + uint64(histories.Add(1)) - 1
					h, n := f.make(t, r, seed)
					counted.Add(int64(n))
					playing.RLock()
					difference, tooLong := timed(t, open, h)
					playing.RUnlock()
					if difference == "" {
						continue
					}
					playing.Lock()
					about := fmt.Sprintf("%s, seed %d", f.name, seed)
					if !tooLong || differsAgain(t, open, h) {
						mismatches.Add(1)
						reportMismatch(t, open, h, about, difference)
					} else {
						slow.Add(1)
						t.Logf("%s: it took too long and differed, but not when it was played again:\n%s", about, difference)
					}
					playing.Unlock()
				}
			})
		}
	})
	t.Logf("%d histories", histories.Load())
	if long() {
		fmt.Printf("%-10s %-9s %9d %10d\n", f.name, r, counted.Load(), mismatches.Load())
		if n := slow.Load(); n > 0 {
			fmt.Printf("# %d histories took too long and differed, but not when they were played again\n", n)
		}
	}
}

// timed plays a history, and tells whether it took too long: on a busy machine
// connections expire behind its back, in the kernel later than in the simulator.
// The shortest timeouts are a few times as long as what a history may take besides
// its waits.
func timed(t *testing.T, open func(testing.TB) *duel, h history) (difference string, tooLong bool) {
	t.Helper()
	const most = 3 * time.Second
	start := time.Now()
	difference, _ = attempt(t, open, h)
	return difference, time.Since(start) > h.waits()+most
}

// differsAgain plays a history again that differed and took too long, until it
// does not take too long. If it always does, it differs if it did each time.
func differsAgain(t *testing.T, open func(testing.TB) *duel, h history) bool {
	t.Helper()
	for range 3 {
		difference, tooLong := timed(t, open, h)
		if difference == "" {
			return false
		}
		if !tooLong {
			return true
		}
	}
	return true
}

func openedRelease(t testing.TB, open func(testing.TB) *duel) release {
	s := &scope{TB: t}
	defer s.end()
	return open(s).real.Release()
}

func reportMismatch(t *testing.T, open func(testing.TB) *duel, h history, about, difference string) {
	t.Helper()
	short, again := shrink(t, open, h)
	text := fmt.Sprintf("%s: they differ after\n%s\n%s", about, short, again)
	if again == "" {
		text = fmt.Sprintf("%s: they differed, but not when it was played again:\n%s", about, difference)
	}
	if long() {
		fmt.Println(text) // not at the end, hours later
		t.Fail()
		return
	}
	t.Error(text)
}

// newCall returns a call with attributes at the top.
func newCall(command uint8, top attributes) control {
	return control{command: command, body: top.encode()}
}

// serviceCall returns a call about a service, and perhaps a destination.
func serviceCall(command uint8, nests ...attributes) control {
	r := about(command, nests...)
	return control{command: command, body: r.body}
}

// flagBytes of a service: those that are set, and no others.
func flagBytes(flags uint32) []byte { return flagged(flags, ^uint32(0)) }

// Each scheduler of the kernel and of the simulator picks alike, and connections
// live alike.
func TestFidelityPicks(t *testing.T) {
	const few = 200
	const players = 6 // some mostly wait
	for _, scheduler := range pickSchedulers {
		t.Run(scheduler, func(t *testing.T) {
			fidelity{scheduler, makePicks(scheduler), cmp.Or(*fidelityPicks, few), players}.run(t, openFidelity(t))
		})
	}
	t.Run("twos", func(t *testing.T) { fidelityTwos(t, cmp.Or(*fidelityPicks, few)) })
}

// openFidelity returns what opens the kernel under test and its simulator. Where
// there is no such kernel, it is two simulators.
func openFidelity(testing.TB) func(testing.TB) *duel {
	if os.Getenv(testbed.KernelEnv) != "" {
		return func(t testing.TB) *duel { return openDuel(t, openKernelSide) }
	}
	return func(t testing.TB) *duel {
		return openDuel(t, func(t testing.TB) side { return openSimulatorSide(t, release{6, 12, 117}) })
	}
}

// The comparison can fail: a simulator that counts connections as another release
// does is found out, and so is one whose server somebody edits, by a history of a
// few steps.
func TestFidelityFinds(t *testing.T) {
	older, newer := release{6, 1, 176}, release{6, 1, 192}
	simulators := func(t testing.TB) (real, sim *player) {
		return newPlayer(t, openSimulatorSide(t, older)), newPlayer(t, openSimulatorSide(t, older))
	}
	for name, open := range map[string]func(testing.TB) *duel{
		"the other way to count": func(t testing.TB) *duel {
			real, _ := simulators(t)
			return &duel{real, newPlayer(t, openSimulatorSide(t, newer))}
		},
		"a server edited behind its back": func(t testing.TB) *duel {
			real, sim := simulators(t)
			sim.side = &meddledSide{sim.side.(*simulatorSide), sim, 0}
			return &duel{real, sim}
		},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(50) {
				h, _ := makePicks("lc")(t, older, seed)
				short, difference := shrink(t, open, h)
				if difference == "" {
					continue
				}
				const few = 14
				if len(short) > few {
					t.Errorf("%d steps where %d would do", len(short), few)
				}
				t.Logf("seed %d: they differ after\n%s\n%s", seed, short, difference)
				return
			}
			t.Error("nobody noticed")
		})
	}
}

// meddledSide is one on which somebody turns servers off when a few packets have
// come.
type meddledSide struct {
	*simulatorSide
	player  *player
	packets int
}

func (s *meddledSide) Send(packets []packet) []string {
	const enough = 3
	if s.packets += len(packets); s.packets >= enough {
		for _, service := range s.player.conn.read(listServices()) {
			key := service.only(slices.Concat(controlKeys[0], keyOf("mark4 1")))
			for _, d := range s.player.conn.read(listDests(key)) {
				s.player.conn.do(setDest(key, d.set(dWeight, u32(0))))
			}
		}
	}
	return s.simulatorSide.Send(packets)
}

// fromServer is a packet that a real server sends to a client.
func fromServer(protocol, flags uint8, from string) packet {
	return packet{protocol, flags, at(from), at("10.1.9.1:1001"), 0, 0}
}

// clients are new clients of a web server, by their numbers.
func clients(first, last int) (h history) {
	for i := first; i <= last; i++ {
		h = append(h, packet{protocolTCP, flagSYN, at(fmt.Sprintf("10.1.9.%d:1001", i)), at("10.1.254.1:80"), 0, 0})
	}
	return h
}

// Histories that once showed a difference.
func TestFidelityHistories(t *testing.T) {
	query := packet{protocolUDP, 0, at("10.1.9.1:1001"), at("10.1.254.1:53"), 0, 0}
	web := keyOf("tcp 10.1.254.1:80")
	client := func(flags uint8, from string) packet {
		return packet{protocolTCP, flags, at(from), at("10.1.254.1:80"), 0, 0}
	}
	for name, h := range map[string]history{
		"an ended connection still counts when its client comes back": {
			serviceCall(cNewService, serviceOf("tcp 10.1.254.1:80").set(sScheduler, text("lc"))),
			serviceCall(cNewDest, web, destOf("10.2.0.10:80")), serviceCall(cNewDest, web, destOf("10.2.0.11:80")),
			client(flagSYN, "10.1.9.1:1001"), client(flagSYN, "10.1.9.1:1002"),
			client(flagACK, "10.1.9.1:1001"), client(flagACK, "10.1.9.1:1002"),
			client(flagRST, "10.1.9.1:1001"), client(flagRST, "10.1.9.1:1002"),
			client(flagSYN, "10.1.9.1:1002"), settle,
		},
		"a NAT server's packet of no connection is refused": {
			setting{"nat_icmp_send", 1},
			serviceCall(cNewService, serviceOf("tcp 10.1.254.1:80")),
			serviceCall(cNewDest, web, destOf("10.2.0.10:80").set(dMethod, u32(masquerade))),
			serviceCall(cNewDest, web, destOf("10.2.0.11:80")), // not one of NAT
			serviceCall(cNewService, serviceOf("mark4 1")),
			serviceCall(cNewDest, keyOf("mark4 1"), destOf("10.2.0.12:53").set(dMethod, u32(masquerade))),
			fromServer(protocolTCP, flagACK, "10.2.0.10:80"), fromServer(protocolTCP, flagRST, "10.2.0.10:80"),
			fromServer(protocolTCP, flagACK, "10.2.0.10:81"), fromServer(protocolUDP, 0, "10.2.0.10:80"),
			fromServer(protocolTCP, flagACK, "10.2.0.11:80"), fromServer(protocolUDP, 0, "10.2.0.12:53"),
			fromServer(protocolTCP, flagSYN|flagACK, "10.2.0.12:53"),
			serviceCall(cSetDest, web, destOf("10.2.0.10:80")), fromServer(protocolTCP, flagACK, "10.2.0.10:80"),
			serviceCall(cSetDest, web, destOf("10.2.0.10:80").set(dMethod, u32(masquerade))), fromServer(protocolTCP, flagACK, "10.2.0.10:80"),
			serviceCall(cDelDest, web, destOf("10.2.0.10:80")), fromServer(protocolTCP, flagACK, "10.2.0.10:80"),
			fromServer(protocolUDP, 0, "10.2.0.12:53"), newCall(cFlush, nil), fromServer(protocolUDP, 0, "10.2.0.12:53"),
		},
		"the hooks go with the last service, and connections stay": {
			serviceCall(cNewService, serviceOf("udp 10.1.254.1:53")),
			serviceCall(cNewDest, keyOf("udp 10.1.254.1:53"), destOf("10.2.0.10:53").set(dMethod, u32(masquerade))),
			query, fromServer(protocolUDP, 0, "10.2.0.10:53"),
			serviceCall(cDelService, keyOf("udp 10.1.254.1:53")), query, fromServer(protocolUDP, 0, "10.2.0.10:53"),
			serviceCall(cNewService, serviceOf("udp [fd00:1::fe:1]:53")), query,
			serviceCall(cNewService, serviceOf("udp 10.1.254.2:53")), query, fromServer(protocolUDP, 0, "10.2.0.10:53"),
			serviceCall(cNewService, serviceOf("udp 10.1.254.1:53")), query,
			serviceCall(cNewDest, keyOf("udp 10.1.254.1:53"), destOf("10.2.0.10:53").set(dMethod, u32(masquerade))), query,
		},
		"thresholds fall below the connections that there are": slices.Concat(
			history{
				serviceCall(cNewService, serviceOf("tcp 10.1.254.1:80").set(sScheduler, text("lc"))),
				serviceCall(cNewDest, web, destOf("10.2.0.10:80")), serviceCall(cNewDest, web, destOf("10.2.0.11:80")),
			},
			clients(1, 8), history{serviceCall(cSetDest, web, destOf("10.2.0.10:80").set(dUpper, u32(2)))},
			clients(9, 12), history{serviceCall(cSetDest, web, destOf("10.2.0.11:80").set(dUpper, u32(3)).set(dLower, u32(1)))},
			clients(13, 16), history{serviceCall(cSetDest, web, destOf("10.2.0.10:80").set(dUpper, u32(100)))},
			clients(17, 20), history{serviceCall(cSetDest, web, destOf("10.2.0.11:80").set(dUpper, u32(50)).set(dLower, u32(40)))},
			clients(21, 24)),
		"something is left behind the attributes":        {control{cGetInfo, 0, unhex("49f10c36fa4e24f8dd")}},
		"something is left, and an attribute is missing": {control{cSetDest, 0, unhex("48000100060001000200000006")}},
		"a command of the future with a strange flag":    {control{20, nlRoot, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			if difference, _ := attempt(t, openFidelity(t), h); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// Requests are answered alike, and tables look alike afterwards. One history is
// played at a time: before Linux 7.1 a listing of services loses its place when
// those of other namespaces change, and tells some twice or not at all.
func TestFidelityCalls(t *testing.T) {
	const few = 1500
	fidelity{"calls", makeCalls, cmp.Or(*fidelityCalls, few), 1}.run(t, openFidelity(t))
}
