package dropin

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// generator makes random command lines, valid and invalid.
type generator struct {
	*rand.Rand
	services []string // options of those that were probably added
	current  string   // the service of the line
	balancer string   // its scheduler
}

// pick returns one of the words of a text.
func (g *generator) pick(words string) string {
	all := strings.Fields(words)
	return all[g.IntN(len(all))]
}

func (g *generator) chance(percent int) bool { return g.IntN(100) < percent }

// value returns one of the good values, or seldom one of the bad ones.
func (g *generator) value(good, bad string) string {
	if g.chance(4) {
		return g.pick(bad)
	}
	return g.pick(good)
}

// spell writes an option with its value in one of the forms that popt reads.
func (g *generator) spell(short, long, value string) []string {
	switch n := g.IntN(10); {
	case n == 0:
		return []string{"--" + long, value}
	case n == 1:
		return []string{"--" + long + "=" + value}
	case n == 2 && short != "":
		return []string{"-" + short + value}
	case n == 3 && short != "":
		return []string{"-" + short + "=" + value}
	case short == "":
		return []string{"--" + long, value}
	}
	return []string{"-" + short, value}
}

// service returns an option for a service.
func (g *generator) service() []string {
	if len(g.services) > 0 && g.chance(75) {
		g.current = g.services[g.IntN(len(g.services))]
		return strings.Fields(g.current)
	}
	const addrs = "10.1.0.1:80 10.1.0.1:81 10.1.0.2:80 10.1.0.3:443 [2001:db8::80]:80 [2001:db8::81]:443 10.1.0.9 10.1.0.9:0 2001:db8::9"
	const bad = "10.1.0.1:x 10.1.0.1:65536 10.1.0.1:-1 nosuch.invalid:80 [2001:db8::80] :80 10.1.0.1:80:80 256.0.0.1:80 [2001:db8::80]:x 10.1.0.1:"
	var words []string
	switch g.IntN(10) {
	case 0, 1:
		words = g.spell("u", "udp-service", g.value(addrs+" 10.1.0.1:domain", bad))
	case 2:
		words = g.spell("", "sctp-service", g.value(addrs, bad))
	case 3, 4:
		words = g.spell("f", "fwmark-service", g.value("1 7 33 2147483647 +7 010", "0 x 4294967296 7x"))
		if g.chance(40) {
			words = append(words, g.pick("-6 --ipv6"))
		}
	default:
		words = g.spell("t", "tcp-service", g.value(addrs+" 10.1.0.1:http localhost:8080", bad))
	}
	g.current = strings.Join(words, " ")
	g.services = append(g.services, g.current)
	return words
}

// markPort matches a real server with a port behind a firewall mark, which is one of the
// differences.
var markPort = regexp.MustCompile(`(-\w*f|fwmark-service)[ =]?\S+.*(-r|real-server)[ =]?\S*:|(-r|real-server)[ =]?\S*:.*(-\w*f|fwmark-service)[ =]?\S+`)

// line returns a command line.
func (g *generator) line() []string {
	for {
		words := g.anyLine()
		line := strings.Join(words, " ")
		if !markPort.MatchString(line) || strings.Contains(line, " -m") {
			return words
		}
	}
}

func (g *generator) anyLine() []string {
	c := commands[g.IntN(len(commands))]
	g.current, g.balancer = "", "wlc"
	names := strings.Fields(c.names)
	words := []string{names[g.IntN(len(names))]}
	var rest [][]string
	for kind := range strings.FieldsSeq(c.options) {
		kind, may := strings.CutPrefix(kind, "?")
		if !may && g.chance(98) || may && g.chance(30) && (g.fits(kind) || g.chance(5)) {
			rest = append(rest, g.option(kind))
		}
	}
	if g.chance(8) {
		rest = append(rest, g.option(g.pick("service s p M pe o b r mode w x tunnel list daemon any word service list any")))
	}
	if g.chance(15) && !strings.HasPrefix(c.options, "role") {
		g.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
	}
	words = append(words, slices.Concat(rest...)...)
	if g.chance(3) {
		words = words[:g.IntN(len(words)+1)]
	}
	if len(words) > 1 && len(words[0]) == 2 && len(words[1]) == 2 && words[1][0] == '-' && g.chance(15) {
		words = append([]string{words[0] + words[1][1:]}, words[2:]...) // -A -t as -At
	}
	return words
}

// commands are as often chosen as they are here.
var commands = slices.Concat(
	repeat(22, command{"-A -A -A --add-service", "service ?s ?s ?p ?p ?M ?pe ?o ?b"}),
	repeat(10, command{"-E -E --edit-service", "service ?s ?p ?p ?M ?o ?b"}),
	repeat(4, command{"-D --delete-service", "service"}),
	repeat(30, command{"-a -a -a --add-server", "service r ?mode ?mode ?w ?x"}),
	repeat(12, command{"-e -e --edit-server", "service r ?mode ?w ?x"}),
	repeat(6, command{"-d --delete-server", "service r"}),
	repeat(4, command{"-Z --zero", "?service ?service"}),
	repeat(10, command{"-L -l -Ln -ln --list", "?service ?list ?list ?list"}),
	repeat(3, command{"-S --save", "?list"}),
	repeat(4, command{"--set", "seconds"}),
	repeat(3, command{"--start-daemon", "role ?daemon ?daemon"}),
	repeat(3, command{"--stop-daemon", "role ?daemon"}),
	repeat(1, command{"-C --clear", ""}),
	repeat(1, command{"-h --help -v --version -n -q --bogus - -- x -6 --weight=3", ""}),
)

type command struct{ names, options string }

func repeat(n int, c command) []command { return slices.Repeat([]command{c}, n) }

// option returns an option, perhaps with its value.
func (g *generator) option(kind string) []string {
	switch kind {
	case "service":
		return g.service()
	case "s":
		g.balancer = g.value("rr wrr lc wlc sh mh sed nq fo ovf dh", "RR bogus r mhh")
		return g.spell("s", "scheduler", g.balancer)
	case "p":
		if g.chance(30) {
			return []string{g.pick("-p --persistent")}
		}
		return g.spell("p", "persistent", g.value("1 60 300 2678400 +5 007", "0 -5 2678401 99999999999 5s x"))
	case "M":
		return g.spell("M", "netmask", g.value(g.byFamily("255.255.255.0 255.255.0.0", "64 128 1"), "129 0 /24 ffff:: x"))
	case "pe":
		return g.spell("", "pe", g.value("sip", "bogus"))
	case "o":
		return []string{g.pick("-o --ops")}
	case "b":
		return g.spell("b", "sched-flags", g.value("flag-1 flag-2,flag-1 flag-3"+g.ownFlags(), "port bogus flag-4 sh-port,mh-port"))
	case "r":
		return g.spell("r", "real-server", g.value(g.byFamily("10.2.0.1 10.2.0.2 10.2.0.1:80 10.2.0.3:8080 10.2.0.4:http", "[2001:db8::2]:80 2001:db8::3 [2001:db8::4]:8080"),
			"10.2.0.1 2001:db8::3 0.0.0.0 224.0.0.1:80 [2001:db8::1] 10.0.0.1:99999 nosuch.invalid 256.0.0.1 x 10.2.0.1:x"))
	case "w":
		return g.spell("w", "weight", g.value("0 1 5 65535 2147483647 +3 010", "-1 2147483648 x 1.5 18446744073709551617"))
	case "x":
		return slices.Concat(g.spell("x", "u-threshold", g.value("0 10 20", "-1 x 2147483648")), g.spell("y", "l-threshold", g.value("0 5 15", "-1 x")))
	case "mode":
		if g.chance(30) {
			return append([]string{g.pick("-i -i -i -m --ipip")}, g.option("tunnel")...)
		}
		return []string{g.pick("-g -m -m -i --gatewaying --masquerading --ipip")}
	case "tunnel":
		words := g.spell("", "tun-type", g.value("ipip gre gue gue", "GUE x"))
		if g.chance(60) {
			words = append(words, g.spell("", "tun-port", g.value("1 6080 65535", "0 65536 x"))...)
		}
		for range g.IntN(5) / 2 {
			words = append(words, g.pick("--tun-csum --tun-nocsum --tun-remcsum"))
		}
		return words
	case "seconds":
		words := []string{}
		for range []int{3, 3, 3, 3, 3, 2, 4}[g.IntN(7)] {
			words = append(words, g.value("0 1 60 900 2678400", "x 2678401 1.5"))
		}
		return words
	case "role":
		return []string{g.value("master backup", "MASTER both 1")}
	case "list":
		return []string{g.pick("-n -n -n --numeric -c --timeout --daemon --stats --rate --thresholds --persistent-conn --tun-info --sort --exact -X")}
	case "daemon":
		return g.daemon()
	case "any":
		return []string{g.pick("-h -v -R -6 -C -q --bogus -- - --tun-csum -g -A --set --list --sched --stat --num -n=5 --numeric=x -nn --stats=1 -x")}
	}
	return []string{g.pick("80 x 10.0.0.1:80 = -")}
}

// fits reports whether the service of the line may have an option.
func (g *generator) fits(kind string) bool {
	mark := strings.Contains(g.current, "f")
	switch kind {
	case "o":
		return mark || strings.HasPrefix(g.current, "-u")
	case "pe":
		return false
	}
	return true
}

// byFamily returns the words for the service's family.
func (g *generator) byFamily(four, six string) string {
	if strings.Contains(g.current, "::") || strings.HasSuffix(g.current, "6") {
		return six
	}
	return four
}

// ownFlags returns the flags of the scheduler of the line.
func (g *generator) ownFlags() string {
	if g.balancer == "sh" || g.balancer == "mh" {
		return strings.ReplaceAll(" X-port X-fallback X-fallback,X-port", "X", g.balancer)
	}
	return ""
}

func (g *generator) daemon() []string {
	switch g.IntN(6) {
	case 0:
		return g.spell("", "syncid", g.value("0 5 255", "256 -1 x"))
	case 1:
		return g.spell("", "sync-maxlen", g.value("1400 65507", "0 65508 x"))
	case 2:
		return g.spell("", "mcast-group", g.value("224.0.0.81 239.1.2.3", "10.0.0.1 x"))
	case 3:
		return g.spell("", "mcast-port", g.value("1 8848 65535", "0 65536 x"))
	case 4:
		return g.spell("", "mcast-ttl", g.value("1 255", "0 256 x"))
	}
	return g.spell("", "mcast-interface", g.value("eth0", "nosuch"))
}
