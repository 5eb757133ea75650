package keepalived

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/testbed"
)

var (
	duelConfigs = flag.Int("duel.configs", 25, "how many random configurations keepalived and this package read")
	duelSeed    = flag.Uint64("duel.seed", 1, "seed of the random configurations")
)

// What keepalived makes of a configuration in a kernel is the table that is read from it.
func TestDuel(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ns.Dummy("eth0", "192.0.2.1/24", "2001:db8::1/64")
	client, err := lvs.Open(t.Context(), lvs.InNamespaceFile(ns.File))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := duel{ns, client}
	for name, c := range tables {
		if c.want != "" && name != longRanges {
			t.Run(name, func(t *testing.T) { d.play(t, c.text) })
		}
	}
	rng := rand.New(rand.NewPCG(*duelSeed, 0))
	for i := range *duelConfigs {
		text := randomConfig(rng)
		t.Run(fmt.Sprint("random", i), func(t *testing.T) { d.play(t, text) })
	}
}

// duel is a namespace in which keepalived runs, and its table.
type duel struct {
	ns     *testbed.Namespace
	client *lvs.Client
}

// play lets keepalived read a configuration, and ends it when the table is what it should be.
func (d duel) play(t *testing.T, text string) {
	folder := t.TempDir()
	file := filepath.Join(folder, "keepalived.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want, err := ReadFile(file, Options{ID: "here"})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	stop, log := d.start(t, file)
	got := d.await(t, want.Table)
	stop()
	if !got.Equal(want.Table) {
		t.Errorf("%s\nkeepalived made\n%s\nwant\n%s\n%s", text, got, want.Table, log)
	}
	if left := d.await(t, lvs.Table{}); len(left.Services) > 0 {
		t.Fatalf("keepalived has left %s", left)
	}
}

// start starts keepalived. It returns what ends it, and what it prints until then.
func (d duel) start(t *testing.T, file string) (stop func(), log *bytes.Buffer) {
	folder := filepath.Dir(file)
	log = new(bytes.Buffer)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	cmd := exec.CommandContext(ctx, "keepalived", "--dont-fork", "--log-console", "--log-detail", "--check", "--config-id", "here", "--use-file", file,
		"--pid", folder+"/pid", "--checkers_pid", folder+"/checkers")
	cmd.Stdout, cmd.Stderr = log, log
	if err := d.ns.Do(cmd.Start); err != nil {
		cancel()
		t.Fatal(err)
	}
	return func() {
		defer cancel()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // the status is that of the signal
	}, log
}

// await waits until the table is as wanted, for a few seconds at most, and returns it.
func (d duel) await(t *testing.T, want lvs.Table) lvs.Table {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		now, err := d.client.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if withoutIdle(now.Table()).Equal(want) || ctx.Err() != nil {
			return withoutIdle(now.Table())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// randomConfig returns a configuration with a few services.
func randomConfig(rng *rand.Rand) string {
	var b strings.Builder
	pick := func(of ...string) string { return of[rng.IntN(len(of))] }
	for i := range 1 + rng.IntN(3) {
		is6 := rng.IntN(3) == 0
		vip, rip := "10.0.%d.1", "10.1.0.%d"
		if is6 {
			vip, rip = "fd00:%d::1", "fd01::%d"
		}
		vip = fmt.Sprintf(vip, 1+rng.IntN(3)) // the same now and then
		kind := rng.IntN(4)
		switch kind {
		case 0:
			fmt.Fprintf(&b, "virtual_server fwmark %d {\n", 1+rng.IntN(2))
		case 1:
			fmt.Fprintf(&b, "virtual_server_group G%d {\n %s-%d 80\n fwmark %d\n}\nvirtual_server group G%d {\n protocol %s\n", i, vip, 9, 1+rng.IntN(2), i, pick("TCP", "UDP"))
		default:
			fmt.Fprintf(&b, "virtual_server %s 80 {\n protocol %s\n", vip, pick("TCP", "UDP", "SCTP"))
		}
		for _, line := range []string{
			"lb_algo " + pick("rr", "wrr", "lc", "wlc", "sh", "mh", "sed", "nq", "fo", "ovf", "lblc", "lblcr", "dh"),
			"lb_kind " + pick("NAT", "DR", "TUN", "TUN type gue port 6080", "TUN type gue port 1 remcsum", "TUN type gre csum"),
			pick("sh-port", "mh-port", "sh-fallback", "mh-fallback", "flag-3"),
			pick("persistence_timeout", "persistence_timeout 77"),
			pick("ops", "ha_suspend", "quorum 2", "weight 3", "delay_loop 3"),
		} {
			if rng.IntN(2) == 0 {
				b.WriteString(" " + line + "\n")
			}
		}
		if rng.IntN(4) == 0 {
			b.WriteString(" persistence_granularity " + map[bool]string{true: "64", false: "255.255.0.255"}[is6] + "\n")
		}
		for j := range 1 + rng.IntN(4) {
			port := pick("80", "8080", "")
			if kind == 1 && port == "" {
				port = "80"
			}
			fmt.Fprintf(&b, " real_server %s %s {\n", fmt.Sprintf(rip, j+1), port)
			for _, line := range []string{
				"weight " + pick("0", "1", "5", "1000"), "uthreshold 100", "inhibit_on_failure", "lvs_method " + pick("NAT", "DR", "TUN"),
			} {
				if rng.IntN(3) == 0 {
					b.WriteString("  " + line + "\n")
				}
			}
			b.WriteString(" }\n")
		}
		b.WriteString("}\n")
	}
	return b.String()
}
