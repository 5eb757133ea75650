package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/golvs/lvs"
)

var web = lvs.TCP(netip.MustParseAddrPort("10.168.0.91:80"))

// whatIf runs the command on a host and returns what it prints.
func whatIf(t *testing.T, host *lvs.Simulator, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), append(args, "-clients", "2000"), &out, io.Discard, func(ctx context.Context) (*lvs.Simulator, []string, error) {
		return lvs.SimulatorFrom(ctx, host.Host(), lvs.SimOptions{})
	})
	return out.String(), err
}

func host(t *testing.T, s lvs.Service, servers int) *lvs.Simulator {
	t.Helper()
	sim, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	changes := []lvs.Change{lvs.AddService(s)}
	for i := range servers {
		changes = append(changes, lvs.AddRealServer(s.ID, lvs.NewRealServer(netip.MustParseAddrPort(fmt.Sprintf("10.168.0.%d:80", 94+i)), lvs.DR())))
	}
	if err := sim.Client().Do(t.Context(), changes...); err != nil {
		t.Fatal(err)
	}
	return sim
}

// line returns the numbers of the line that begins so.
func line(t *testing.T, text, begin string) (numbers []float64) {
	t.Helper()
	for l := range strings.SplitSeq(text, "\n") {
		rest, ok := strings.CutPrefix(strings.TrimSpace(l), begin)
		if !ok {
			continue
		}
		for word := range strings.FieldsSeq(rest) {
			var f float64
			if _, err := fmt.Sscanf(word, "%g", &f); err == nil {
				numbers = append(numbers, f)
			}
		}
		return numbers
	}
	t.Fatalf("no line %q in\n%s", begin, text)
	return nil
}

func near(got, want float64) bool { return got > want-3 && got < want+3 }

func TestUsual(t *testing.T) {
	sim := host(t, lvs.Service{ID: web, Scheduler: lvs.MH}, 4)
	text, err := whatIf(t, sim)
	if err != nil {
		t.Fatal(err)
	}
	// moved, least, anyway, refused, greatest
	for begin, want := range map[string][]float64{
		"remove 10.168.0.95:80":       {25, 25, 0, 0, 33.3},
		"drain 10.168.0.95:80":        {0, 25, 0, 25, 25},
		"add 10.168.0.98:80 weight 1": {20, 20, 0, 0, 20},
	} {
		got := line(t, text, begin)
		for i := range want {
			if len(got) < len(want) || !near(got[i], want[i]) {
				t.Errorf("%s: got %v, want %v", begin, got, want)
				break
			}
		}
	}
	if !strings.Contains(text, "With the flag fallback") {
		t.Errorf("does not say why clients are refused:\n%s", text)
	}
	servers, err := sim.Client().RealServers(t.Context(), web)
	if err != nil || len(servers) != 4 {
		t.Errorf("the host itself has %v: %v", servers, err)
	}
}

func TestAsked(t *testing.T) {
	sim := host(t, lvs.Service{ID: web, Scheduler: lvs.RR}, 2)
	if _, err := sim.Connect(lvs.Flow{Client: netip.MustParseAddrPort("192.0.2.1:1024"), VIP: web.AddrPort()}); err != nil {
		t.Fatal(err)
	}
	text, err := whatIf(t, sim, "-remove", "10.168.0.95:80", "-add", "10.168.0.96:80", "-weight", "3")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text, "remove 10.168.0.95:80, add 10.168.0.96:80 weight 3") || !strings.Contains(text, "1 break") ||
		!strings.Contains(text, "where in its round rr stands") {
		t.Errorf("got\n%s", text)
	}
	if got := line(t, text, "10.168.0.96:80"); !near(got[1], 50) || !near(got[3], 75) {
		t.Errorf("the new server: %v", got)
	}
}

func TestDemo(t *testing.T) {
	for why, c := range map[error]struct {
		args     []string
		services int
	}{
		lvs.ErrPermission:  {[]string{"-clients", "500"}, 2},
		lvs.ErrUnavailable: {[]string{"-clients", "500", "-add", "10.168.0.99:80"}, 1},
	} {
		var out bytes.Buffer
		err := run(t.Context(), c.args, &out, io.Discard, func(context.Context) (*lvs.Simulator, []string, error) { return nil, nil, why })
		if err != nil || !strings.Contains(out.String(), "This is a simulated host instead") || strings.Count(out.String(), "what if") != c.services {
			t.Errorf("%v: %v\n%s", why, err, &out)
		}
	}
}

func TestRefused(t *testing.T) {
	sim := host(t, lvs.Service{ID: web, Scheduler: lvs.MH}, 1)
	for want, args := range map[string][]string{
		"no service has these": {"-drain", "10.168.0.99:80"},
		"there is no service":  {"-service", "udp://10.168.0.91:53"},
		"no such real server":  {"-service", web.String(), "-drain", "10.168.0.99:80"},
		"already exists":       {"-add", "10.168.0.94:80"},
		"is negative":          {"-weight", "-1"},
		"unexpected argument":  {"-drain", "10.168.0.94:80", "10.168.0.95:80"},
		"not an ip:port":       {"-drain", "x"},
	} {
		if _, err := whatIf(t, sim, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
	if _, err := whatIf(t, host(t, lvs.Service{ID: web}, 0)); err != nil {
		t.Errorf("a service without servers: %v", err)
	}
	empty, err := lvs.NewSimulator(lvs.SimOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := whatIf(t, empty); err == nil || !strings.Contains(err.Error(), "no services") {
		t.Errorf("got %v", err)
	}
	if _, err := whatIf(t, sim, "-h"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v", err)
	}
}
