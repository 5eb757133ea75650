package ipvsadm

import (
	"math/rand/v2"
	"regexp"
	"strings"

	"github.com/golvs/lvs"
)

// generator makes random commands: most could be a person's, some have an option too
// many, a value that is wrong, or a character.
type generator struct {
	*rand.Rand
	services []string // that most commands are about
	servers  string
	first    []string // lines

	service   string // of the line that is being made
	scheduler string
}

func newGenerator(seed uint64) *generator {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1))}
	for i := range 4 {
		g.services = append(g.services, g.anyService())
		g.first = append(g.first, "-A "+g.services[i]+pick(g, "", "", " -p", " -p 60 -s sh"))
	}
	g.servers = pick(g, strings.Fields(allServers)...) + " " + pick(g, strings.Fields(allServers)...)
	return g
}

const allServers = "10.0.0.1 10.0.0.2:80 10.0.0.3:8080 10.0.0.4:0 192.168.0.5:80 10.0.0.6 10.0.0.1:80 127.0.0.1:80 " +
	"[2001:db8::1]:80 [2001:db8::2]:8080 2001:db8::3 [::1:2]:80"

func pick[T any](g *generator, all ...T) T { return all[g.IntN(len(all))] }

// chance reports true n times of 100.
func (g *generator) chance(n int) bool { return g.IntN(100) < n }

// line returns a command.
func (g *generator) line() string {
	for {
		line := g.command()
		if len(g.first) > 0 {
			line, g.first = g.first[0], g.first[1:]
		} else if g.chance(5) {
			line = g.spoil(line)
		}
		device := daemonDevice.FindStringSubmatch(line)
		if !readOtherwise.MatchString(line) && strings.TrimSpace(line) != "" && (device == nil || device[1] == "eth0" || len(device[1]) > 15) {
			return line
		}
	}
}

// file returns what random commands make, as far as a plan may have it.
func (g *generator) file() (f File) {
	for range 50 {
		changes, err := Parse([]byte(g.line()))
		if err != nil || len(changes) == 0 || needsUnknownModule(changes[0]) {
			continue
		}
		if after, err := f.After(changes...); err == nil && after.Table.Validate() == nil {
			f = after
		}
	}
	return f
}

// needsUnknownModule reports whether the kernels lack a module that a service needs,
// which only they know.
func needsUnknownModule(ch lvs.Change) bool {
	const known = " rr wrr lc wlc lblc lblcr dh sh sed nq mh fo ovf none "
	s, ok := ch.Service()
	return ok && (!strings.Contains(known, " "+s.Scheduler.String()+" ") || s.Persistence.Engine != "" && s.Persistence.Engine != "sip")
}

// readOtherwise matches marks that only this package reads, comments, and names that
// ipvsadm would look up.
var readOtherwise = regexp.MustCompile(`#|(-\w*f|fwmark-service)[ =]*(-|0[xX])`)

// daemonDevice finds the device of a sync daemon, which must exist.
var daemonDevice = regexp.MustCompile(`mcast-interface[ =](\S*)`)

// spoil changes a character of a line, or leaves it out.
func (g *generator) spoil(line string) string {
	i := g.IntN(len(line))
	if g.chance(30) {
		return line[:i] + line[i+1:]
	}
	const others = "0123456789abegimnoprstuwxyAEDZLM.:-=[], %+"
	return line[:i] + string(others[g.IntN(len(others))]) + line[i+1:]
}

// commandOptions are commands, how often they are made of 100, and the options that
// they may have: a question mark is before those that may be left out.
var commandOptions = []struct {
	share   int
	command string
	options string
}{
	{22, "-A add-service", "service ?s ?p ?M ?pe ?o ?b"},
	{8, "-E edit-service", "service ?s ?p ?M ?pe ?o ?b"},
	{4, "-D delete-service", "service"},
	{32, "-a add-server", "service r ?mode ?w ?x"},
	{12, "-e edit-server", "service r ?mode ?w ?x"},
	{6, "-d delete-server", "service r"},
	{1, "-C clear", ""},
	{3, "-Z zero", "?service"},
	{3, "-L list", "?service ?list ?list"},
	{2, "-S save", "?list"},
	{3, "--set", "seconds"},
	{2, "--start-daemon", "role ?daemon ?daemon"},
	{2, "--stop-daemon", "role ?daemon"},
}

func (g *generator) command() string {
	n := g.IntN(100)
	i := 0
	for ; n >= commandOptions[i].share; i++ {
		n -= commandOptions[i].share
	}
	c := commandOptions[i]
	g.service, g.scheduler = "", ""
	names := strings.Fields(c.command)
	words := []string{names[0]}
	if len(names) > 1 && g.chance(15) {
		words[0] = "--" + names[1]
	}
	var rest []string
	for kind := range strings.FieldsSeq(c.options) {
		kind, may := strings.CutPrefix(kind, "?")
		if g.chance(g.share(kind, may)) {
			rest = append(rest, g.option(kind))
		}
	}
	if g.chance(4) {
		rest = append(rest, g.option(pick(g, "service", "s", "p", "M", "pe", "o", "b", "r", "mode", "w", "x", "list", "daemon", "any", "word")))
	}
	if !strings.HasPrefix(c.options, "role") && g.chance(20) {
		g.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	line := strings.Join(append(words, rest...), " ")
	if len(words[0]) == 2 && g.chance(5) && !strings.HasPrefix(line[2:], " --") {
		line = strings.Replace(line, words[0]+" -", words[0], 1) // -A -t as -At
	}
	return line
}

// share returns how often of 100 a command has an option, or one that it may have.
func (g *generator) share(kind string, may bool) int {
	isUDP := strings.HasPrefix(g.service, "-u") || strings.HasPrefix(g.service, "-f")
	hasPort := strings.HasPrefix(g.service, "-f") || strings.HasSuffix(g.service, ":80") || strings.HasSuffix(g.service, ":53")
	switch {
	case !may:
		return 99
	case kind == "o" && !isUDP, kind == "pe":
		return 5
	case kind == "p" && !hasPort:
		return 95
	}
	return 35
}

// option returns an option with its value, in one of its forms.
func (g *generator) option(kind string) string {
	switch kind {
	case "service":
		if g.service = pick(g, g.services...); g.chance(20) {
			g.service = g.anyService()
		}
		return g.service
	case "s":
		g.scheduler = g.value("rr wrr lc wlc lblc lblcr dh sh sed nq mh fo ovf none sh mh rr", "RR bogus r mhh")
		return g.spell("-s", "scheduler", g.scheduler)
	case "p":
		if g.chance(30) {
			return pick(g, "-p", "--persistent")
		}
		return g.spell("-p", "persistent", g.value("1 60 300 2678400 +5 007", "0 -5 2678401 99999999999 5s x 0x5"))
	case "M":
		good, bad := "255.255.255.0 255.0.255.0 0.0.0.0 255.255.255.255", "129 0 24 255.255.0 /24 ffff:: x 64"
		if strings.Contains(g.service, "::") || strings.Contains(g.service, "6") {
			good = "64 128 1 +7"
		}
		return g.spell("-M", "netmask", g.value(good, bad))
	case "pe":
		return g.spell("", "pe", g.value("sip sip", "bogus x"))
	case "o":
		return pick(g, "-o", "--ops")
	case "b":
		good, bad := "flag-1 flag-2,flag-1 flag-3", "port sh bogus flag-4 sh-port,mh-port mh-port"
		if g.scheduler == "sh" || g.scheduler == "mh" {
			good += strings.ReplaceAll(" X-port X-fallback,X-port ,X-fallback,flag-3, X-port,X-port", "X", g.scheduler)
		}
		return g.spell("-b", "sched-flags", g.value(good, bad))
	case "r":
		return g.spell("-r", "real-server", g.value(pick(g, g.servers, allServers),
			"0.0.0.0 224.0.0.1:80 [2001:db8::1] 10.0.0.1: 10.0.0.1:99999 [::ffff:10.0.0.1]:80 10.0.0:80 256.0.0.1 [ff02::1]:80"))
	case "w":
		return g.spell("-w", "weight", g.value("0 1 5 65535 65536 2147483647 +3 010", "-1 2147483648 x 1.5 0x1 18446744073709551617"))
	case "x":
		return g.thresholds()
	case "mode":
		return g.mode()
	case "seconds":
		return strings.Join([]string{g.seconds(), g.seconds(), g.seconds()}[:pick(g, 3, 3, 3, 3, 3, 3, 2)], " ")
	case "role":
		return g.value("master backup", "MASTER both 1 -x")
	case "list":
		return pick(g, "-n", "--numeric", "-c", "--timeout", "--daemon", "--stats", "--rate", "--thresholds", "--persistent-conn", "--tun-info", "--sort", "--nosort", "--exact", "-n")
	case "daemon":
		return g.daemon()
	case "any":
		return pick(g, "-h", "-v", "-R", "-6", "--ipv6", "-C", "-q", "--bogus", "--", "-", "--tun-csum", "-g", "-A", "--set", "--list")
	}
	return pick(g, "80", "x", "10.0.0.1:80", "=", "ipvsadm")
}

// value returns one of the good values, or sometimes one of the bad ones.
func (g *generator) value(good, bad string) string {
	if g.chance(3) {
		return pick(g, strings.Fields(bad)...)
	}
	return pick(g, strings.Fields(good)...)
}

// spell writes an option with its value in one of the forms that popt reads.
func (g *generator) spell(short, long, value string) string {
	forms := []string{"--" + long + " " + value, "--" + long + "=" + value}
	if short != "" {
		forms = append(forms, short+" "+value, short+" "+value, short+" "+value, short+" "+value, short+value, short+"="+value)
	}
	return pick(g, forms...)
}

// anyService returns an option for a service.
func (g *generator) anyService() string {
	const v4 = "10.1.0.1:80 10.1.0.1:0 192.168.0.11:80 10.168.0.91:80 10.1.0.1"
	const v6 = "[2001:db8::80]:80 2001:db8::80 [2001:db8::80]:0 [fe80::1]:53"
	const bad = "0.0.0.0:80 10.1:80 [2001:db8::80] 10.1.0.1:x 10.1.0.1:65536 [::ffff:10.0.0.1]:80 10.1.0.1:"
	switch g.IntN(10) {
	case 0:
		return g.spell("-u", "udp-service", g.value(v4+" "+v6, bad))
	case 1:
		return g.spell("", "sctp-service", g.value(v4+" "+v6, bad))
	case 2, 3:
		mark := g.spell("-f", "fwmark-service", g.value("1 7 2147483648 4294967295 010 +7", "0 x 4294967296 7x"))
		if g.chance(40) {
			mark += pick(g, " -6", " --ipv6", " -6 -6")
		}
		return mark
	}
	return g.spell("-t", "tcp-service", g.value(v4+" 10.1.0.1:80 10.1.0.1:80 "+v6, bad))
}

func (g *generator) thresholds() string {
	upper := g.spell("-x", "u-threshold", g.value("0 10 20 2147483647", "-1 x 2147483648"))
	lower := g.spell("-y", "l-threshold", g.value("0 5 10 15", "-1 x 2147483648"))
	return pick(g, upper, upper+" "+lower, lower+" "+upper, lower)
}

func (g *generator) mode() string {
	switch g.IntN(6) {
	case 0:
		return pick(g, "-g", "--gatewaying")
	case 1, 2:
		return pick(g, "-m", "--masquerading")
	case 3:
		return pick(g, "-i", "--ipip")
	}
	words := []string{pick(g, "-i", "-i", "-i", "-i", "--ipip", "-m"), g.spell("", "tun-type", g.value("ipip gre gue gue", "GUE x"))}
	if g.chance(60) {
		words = append(words, g.spell("", "tun-port", g.value("1 6080 65535", "0 65536 x -1")))
	}
	for range g.IntN(5) / 2 {
		words = append(words, pick(g, "--tun-csum", "--tun-nocsum", "--tun-remcsum"))
	}
	g.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return strings.Join(words, " ")
}

func (g *generator) seconds() string { return g.value("0 1 60 900 2678400", "-1 x 2678401 1.5") }

func (g *generator) daemon() string {
	return pick(g,
		g.spell("", "syncid", g.value("0 5 255", "256 -1 x")),
		g.spell("", "mcast-interface", g.value("eth0 eth0", "averyveryverylongname")),
		g.spell("", "sync-maxlen", g.value("1400 65507", "0 65508 x")),
		g.spell("", "mcast-group", g.value("224.0.0.81 239.1.2.3", "10.0.0.1 x [ff02::1]")),
		g.spell("", "mcast-port", g.value("1 8848 65535", "0 65536 x")),
		g.spell("", "mcast-ttl", g.value("1 255", "0 256 x")))
}
