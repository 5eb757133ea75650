package director

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

// kernel is a namespace of a real kernel, with a network that has the VIP.
type kernel struct {
	*testing.T
	ns     *testbed.Namespace
	client *lvs.Client
}

func inKernel(t *testing.T) *kernel {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("lan", "10.168.0.91/24", "10.1.0.250/24")
	client, err := lvs.Open(t.Context(), lvs.InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Flush(context.Background()) // a namespace with services takes long to end
		client.Close()
	})
	return &kernel{t, ns, client}
}

// patience is how long a test waits for what must come.
const patience = time.Minute

// eventually waits until a condition is true.
func (k *kernel) eventually(what string, condition func() bool) {
	k.Helper()
	for end := time.Now().Add(patience); !condition(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			snapshot, err := k.client.Snapshot(context.Background())
			k.Fatalf("%s: did not come in %s\n%s\n%v", what, patience, snapshot, err)
		}
	}
}

func (k *kernel) is(want lvs.Table) bool {
	snapshot, err := k.client.Snapshot(context.Background())
	return err == nil && snapshot.Table().Equal(want)
}

// weight returns the weight of a real server, or -1.
func (k *kernel) weight(id lvs.ServiceID, server int) int {
	s, err := k.client.RealServer(context.Background(), id, rip(id, server))
	if err != nil {
		return -1
	}
	return s.Weight
}

// ipvsadm, run in a loop by another program, cannot make a Director write faster than
// its back-off allows, and what it did is put right when it stops. A Director of another
// scope notices nothing of that.
func TestKernelAgainstIpvsadm(t *testing.T) {
	k := inKernel(t)
	mine, others := table(service(web, 1, 2), service(dns, 1)), table(service(ftp, 1, 2))
	d, calm := k.director(mine, web, dns), k.director(others, ftp)
	k.eventually("the first tables", func() bool { return d.Status().InSync && calm.Status().InSync })

	start := time.Now()
	fought := func() bool { return d.Status().Counts.Applied >= 3 && d.Status().Counts.Drifts >= 3 }
	n := 0
	for ; time.Since(start) < 4*time.Second || !fought() && time.Since(start) < time.Minute; n++ {
		args := [][]string{
			{"-e", "-t", "10.168.0.91:80", "-r", "10.1.0.1:80", "-w", "7"},
			{"-D", "-u", "10.168.0.91:53"},
			{"-d", "-t", "10.168.0.91:80", "-r", "10.1.0.2:80"},
		}[n%3]
		_ = k.ns.Do(func() error { return exec.Command("ipvsadm", args...).Run() }) // which may be done already
	}
	took := time.Since(start)
	if c := d.Status().Counts; !fought() || c.Applied > 12+int(2*took.Seconds()) { // one in half a second, after the first few
		t.Errorf("after %s: %s", took, c)
	}
	k.eventually("the table after ipvsadm ended", func() bool {
		snapshot, err := k.client.Snapshot(t.Context())
		want := table(append(mine.Services, others.Services...)...)
		return err == nil && sameServers(snapshot.Table(), want) && d.Status().InSync
	})
	if c := calm.Status().Counts; c.Applied != 1 || c.Drifts != 0 {
		t.Errorf("the Director of another scope: %s", c)
	}
}

// director runs a Director of certain services until the test ends.
func (k *kernel) director(want lvs.Table, scope ...lvs.ServiceID) *Director {
	k.Helper()
	d, err := New(k.client, Options{
		Table: lvs.TableOptions{Scope: lvs.ScopeServices(scope...), Prune: true}, Source: Fixed(want),
		Resync: 50 * time.Millisecond, Backoff: 100 * time.Millisecond, MaxBackoff: time.Second,
		OnEvent: func(e Event) {
			// Another program may change the table while it is read, between reading and
			// applying, and while the plan is applied.
			if failed, ok := e.(ApplyFailed); ok && !errors.Is(failed.Err, lvs.ErrUnstable) && !errors.Is(failed.Err, lvs.ErrStale) &&
				!errors.Is(failed.Err, lvs.ErrNotFound) {
				k.Error(e)
			}
		},
	})
	if err != nil {
		k.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- d.Run(ctx) }()
	k.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			k.Errorf("Run returned %v", err)
		}
	})
	return d
}

// sameServers reports whether tables are equal, whatever the order of real servers.
func sameServers(a, b lvs.Table) bool {
	for _, t := range []lvs.Table{a, b} {
		for _, s := range t.Services {
			slices.SortFunc(s.RealServers, func(x, y lvs.RealServer) int { return x.Addr.Compare(y.Addr) })
		}
	}
	return a.Equal(b)
}

const processEnv = "LVS_DIRECTOR_PROCESS" // the folder of its files

// TestProcess is not a test, but the process that TestKernelKill kills.
func TestProcess(t *testing.T) {
	dir := os.Getenv(processEnv)
	if dir == "" {
		return
	}
	client, err := lvs.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(client, Options{
		Table: lvs.TableOptions{Drain: killDrain, Prune: true}, StateFile: filepath.Join(dir, "state"),
		Source: File{Path: filepath.Join(dir, "table.json"), Interval: 20 * time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Fatal(d.Run(t.Context()))
}

const killDrain = 5 * time.Second

// A director that is killed again and again, with a drain under way, removes the real
// server at the deadline that it had at first, and brings the table to its end.
func TestKernelKill(t *testing.T) {
	k := inKernel(t)
	dir := t.TempDir()
	state := filepath.Join(dir, "state")
	before := table(service(dns, 1, 2, 3), service(ftp, 1))
	after := table(service(dns, 1, 3, 4), service(web, 5))
	k.file(dir, before)
	process := k.process(dir)
	k.eventually("the first table", func() bool { return k.is(before) })
	k.clients(dns)

	k.file(dir, after)
	var deadline time.Time
	for _, life := range []time.Duration{10, 100, 150, 200, 300, 500} {
		time.Sleep(life * time.Millisecond)
		k.kill(process)
		if d := drainDeadline(t, state); k.weight(dns, 2) == 0 { // otherwise the drain had not begun
			if !deadline.IsZero() && !d.Equal(deadline) {
				t.Errorf("the deadline was %s and is %s", deadline, d)
			}
			deadline = d
		}
		process = k.process(dir)
	}
	if deadline.IsZero() {
		k.eventually("the drain", func() bool { return k.weight(dns, 2) == 0 })
		deadline = drainDeadline(t, state)
	}
	for time.Until(deadline) > 0 {
		if k.weight(dns, 2) != 0 && time.Now().Before(deadline) {
			t.Fatalf("the drain ended %s before its deadline", time.Until(deadline))
		}
		time.Sleep(50 * time.Millisecond)
	}
	k.eventually("the removal", func() bool { return k.weight(dns, 2) == -1 })
	k.eventually("the end", func() bool { return k.is(after) })
	k.kill(process)
}

// drainDeadline returns the deadline of the drain of a real server of the service dns in
// a state file, or the zero time.
func drainDeadline(t *testing.T, path string) time.Time {
	t.Helper()
	s, err := lvs.ReadTableState(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range s.Drains {
		if d.Service == dns {
			return d.Deadline
		}
	}
	return time.Time{}
}

// file replaces the file of the wanted table.
func (k *kernel) file(dir string, t lvs.Table) {
	k.Helper()
	text, err := json.Marshal(t)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "new"), text, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "table.json"))
	}
	if err != nil {
		k.Fatal(err)
	}
}

// process starts a process with a Director.
func (k *kernel) process(dir string) *exec.Cmd {
	k.Helper()
	self, err := os.Executable()
	if err != nil {
		k.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestProcess$")
	cmd.Env = append(os.Environ(), processEnv+"="+dir)
	if err := k.ns.Do(cmd.Start); err != nil {
		k.Fatal(err)
	}
	k.Cleanup(func() { k.kill(cmd) })
	return cmd
}

// kill ends a process, unless it has ended.
func (k *kernel) kill(cmd *exec.Cmd) {
	if cmd.ProcessState != nil {
		return
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait() // which says that it was killed
}

// clients sends datagrams to a service until each of its real servers has one.
func (k *kernel) clients(id lvs.ServiceID) {
	k.Helper()
	for range 6 {
		err := k.ns.Do(func() error {
			conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(id.AddrPort()))
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Write([]byte("hello"))
			return err
		})
		if err != nil {
			k.Fatal(err)
		}
	}
	servers, err := k.client.RealServers(k.Context(), id)
	if err != nil {
		k.Fatal(err)
	}
	for _, s := range servers {
		if s.InactiveConns == 0 {
			k.Fatalf("no client reached %s", s)
		}
	}
}
