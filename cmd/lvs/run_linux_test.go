package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// process is the program, running in a namespace of a kernel.
type process struct {
	t   *testing.T
	ns  *testbed.Namespace
	cmd *exec.Cmd

	mu    sync.Mutex
	text  string // all that it wrote
	seen  int    // of which so much was looked at
	ended chan struct{}
}

// start starts the program. It is killed when the test ends, if it has not ended.
func start(t *testing.T, ns *testbed.Namespace, args ...string) *process {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, ns: ns, cmd: exec.Command(linkTo(t, "lvs"), args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = in, in
	if err := ns.Do(p.cmd.Start); err != nil {
		t.Fatal(err)
	}
	in.Close()
	go p.read(out)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // which has usually ended
		<-p.ended
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Log(p.text)
		}
	})
	return p
}

func (p *process) read(out io.ReadCloser) {
	defer close(p.ended)
	defer out.Close()
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.text += line
		p.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// writes waits until the program has written something more, and returns the rest of its
// line.
func (p *process) writes(want string) (rest string) {
	p.t.Helper()
	p.await("the program writes "+want, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		_, after, ok := strings.Cut(p.text[p.seen:], want)
		if ok {
			p.seen = len(p.text) - len(after)
			rest, _, _ = strings.Cut(after, "\n")
		}
		return ok
	})
	return rest
}

// lists waits until ipvsadm lists some lines, and not others.
func (p *process) lists(has []string, lacks ...string) {
	p.t.Helper()
	p.await("ipvsadm lists "+strings.Join(has, " and "), func() bool {
		table := p.ns.Run("ipvsadm", "-S", "-n")
		for _, line := range has {
			if !strings.Contains(table, line+"\n") {
				return false
			}
		}
		for _, line := range lacks {
			if strings.Contains(table, line) {
				return false
			}
		}
		return true
	})
}

func (p *process) await(what string, is func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("does not happen: %s", what)
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// shows waits until the metrics have lines.
func (p *process) shows(url string, lines ...string) {
	p.t.Helper()
	p.await("metrics have "+strings.Join(lines, " and "), func() bool {
		page := get(p.t, p.ns, url)
		for _, line := range lines {
			if !strings.Contains(page, "\n"+line+"\n") {
				return false
			}
		}
		return true
	})
}

// The table of a kernel stays what a file says, against another program. Metrics and
// signals show how that goes, a signal allows what was refused, and the table stays when
// the program ends.
func TestRunKernel(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	path := filepath.Join(t.TempDir(), "table.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	const (
		web    = "-a -t 10.168.0.91:80 -r 10.168.0.9"
		first  = web + "4:80 -g -w 2"
		second = web + "5:80 -g -w 1"
	)
	write(runTable)
	p := start(t, ns, "run", path, "-scope", "10.168.0.0/24", "-prune", "-resync", "100ms", "-state", path+".state", "-metrics", "127.0.0.1:0")
	url := "http" + p.writes("lvs: metrics are at http")
	p.lists([]string{"-A -t 10.168.0.91:80 -s wrr", first, second, "-A -u 10.168.0.91:53 -s rr"})

	ns.Commands("ipvsadm -d -t 10.168.0.91:80 -r 10.168.0.95:80 && ipvsadm -A -t 10.168.0.99:80 && ipvsadm -A -t 10.9.9.9:80")
	p.writes("tcp://10.168.0.91:80 -> 10.168.0.95:80: another program removed it: it was 10.168.0.95:80 dr weight 1; repaired")
	p.lists([]string{second, "-A -t 10.9.9.9:80 -s wlc"}, "10.168.0.99")
	p.shows(url, "lvs_up 1", "lvs_director_running 1", "lvs_director_in_sync 1", "lvs_director_drifts_total 2", "lvs_director_repairs_total 2",
		"lvs_director_wanted_services 2", "lvs_services 3")

	write(strings.Replace(runTable, "weight: 2", "weight: 3", 1))
	p.lists([]string{web + "4:80 -g -w 3"}, first)
	write("version: 1\nservices: [")
	p.writes("the last wanted table stays")
	p.shows(url, "lvs_director_source_broken 1", "lvs_director_in_sync 1")

	write("version: 1\nservices: []\n")
	p.writes("refused: it would take 4 of 4 real servers out of service")
	p.shows(url, "lvs_director_refused_steps 2", "lvs_director_refused_removals 4", "lvs_director_in_sync 0")
	p.signal(syscall.SIGHUP)
	p.writes("not in sync with 0 services")
	p.writes("refused: ")
	p.signal(syscall.SIGUSR1)
	p.lists([]string{"-A -t 10.9.9.9:80 -s wlc"}, "10.168.0.")

	write(runTable)
	p.lists([]string{first, second})
	p.signal(syscall.SIGTERM)
	p.writes("in sync with 2 services and 4 real servers")
	if err := p.cmd.Wait(); err != nil {
		t.Error(err)
	}
	p.lists([]string{first, second})
}
