package director

import (
	"encoding/json"
	"maps"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// A director that checks real servers is killed and started again, in a kernel: no weight
// changes that no check asked for, and what happened in the meantime is found out.
func TestKernelHealth(t *testing.T) {
	k := inKernel(t)
	k.ns.Dummy("servers", "10.1.0.1/32", "10.1.0.2/32", "10.1.0.3/32")
	want := wrrTable(3, 5, 7)
	p := health.Policy{Checks: []health.Check{{
		Probe: health.TCP{}, Interval: 200 * time.Millisecond, Timeout: 10 * time.Second, Rise: 2, Fall: 2,
	}}}
	dir := t.TempDir()
	k.config(dir, Config{Table: want, Health: map[lvs.ServiceID]health.Policy{web: p}})
	open := map[int]net.Listener{1: k.listen(1), 2: k.listen(2), 3: k.listen(3)}
	process := k.process(dir)
	k.eventually("all of them work", func() bool { return k.is(want) })

	open[2].Close()
	k.eventually("one that failed", func() bool { return maps.Equal(k.weights(), map[int]int{1: 3, 2: 0, 3: 7}) })
	k.kill(process)
	k.mustWeigh("after SIGKILL", map[int]int{1: 3, 2: 0, 3: 7})
	process = k.process(dir)
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		k.mustWeigh("started again", map[int]int{1: 3, 2: 0, 3: 7})
	}

	k.kill(process)
	open[2] = k.listen(2)
	open[3].Close()
	process = k.process(dir)
	k.eventually("what changed while nothing ran", func() bool { return maps.Equal(k.weights(), map[int]int{1: 3, 2: 5, 3: 0}) })
	k.kill(process)
}

// mustWeigh fails the test unless the weights are these.
func (k *kernel) mustWeigh(when string, want map[int]int) {
	k.Helper()
	if got := k.weights(); !maps.Equal(got, want) {
		k.Fatalf("%s: the weights are %v, not %v", when, got, want)
	}
}

// weights returns the weights of the three real servers of web.
func (k *kernel) weights() map[int]int {
	return map[int]int{1: k.weight(web, 1), 2: k.weight(web, 2), 3: k.weight(web, 3)}
}

// listen makes a real server of web work.
func (k *kernel) listen(server int) (l net.Listener) {
	k.Helper()
	err := k.ns.Do(func() (err error) {
		l, err = net.Listen("tcp", rip(web, server).String())
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { l.Close() })
	return l
}

// config writes the file of a Config.
func (k *kernel) config(dir string, c Config) {
	k.Helper()
	text, err := json.Marshal(c)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "table.json"), text, 0o600)
	}
	if err != nil {
		k.Fatal(err)
	}
}
