package conformance

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
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
		name := nameOf(attributeNames[kind], a.number)
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

// totalsOf says what was counted, without the rates: they depend on the moments at
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
	daemons := p.call([]control{{command: cGetDaemon, flags: nlDump}})[0]
	v.lines["daemons: "+daemons]++
	if strings.HasPrefix(daemons, "reply") {
		p.lookAtOrigins(v)
	}
	p.lookAtTable(v)
	p.lookAtConns(v)
	for line := range strings.Lines(p.modes()) {
		v.lines[line]++
	}
	v.lines["helpers: "+p.file("/proc/net/ip_vs_app")]++
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

// identityOf returns what distinguishes a service from others.
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
		const expires = 8 // the column; behind it are an engine and its key
		fields := strings.Fields(row)
		if i == 0 || len(fields) == 0 {
			continue
		}
		left, err := strconv.Atoi(fields[expires])
		if err != nil {
			p.t.Fatalf("a connection's row %q: %v", row, err)
		}
		name := strings.Join(slices.Delete(fields, expires, expires+1), " ")
		v.left[name] = append(v.left[name], left)
	}
}

// lookAtOrigins reads whence the connections are known.
func (p *player) lookAtOrigins(v view) {
	p.t.Helper()
	for i, row := range strings.Split(p.file("/proc/net/ip_vs_conn_sync"), "\n") {
		if at := strings.LastIndexByte(row, ' '); i > 0 && at > 0 {
			v.lines["origin "+strings.TrimRight(row[:at], " ")]++
		}
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

// differenceOf returns how two views differ; "" if they do not.
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
