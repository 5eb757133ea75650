package lvs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/golvs/lvs/internal/testbed"
)

// ipvsadm writes the same services in a loop, as a person or a script does.
func TestApplyTableAgainstIpvsadm(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	script := "while :; do\n"
	for i := range 4 {
		id, rip := applyID(i).AddrPort(), applyRIP(i, 4)
		script += fmt.Sprintf("ipvsadm -A -t %[1]s -s rr; ipvsadm -a -t %[1]s -r %[2]s -m; ipvsadm -e -t %[1]s -r %[3]s -m -w 7; ipvsadm -d -t %[1]s -r %[2]s; ipvsadm -E -t %[1]s -s wlc; ipvsadm -D -t %[1]s; echo\n", id, rip, applyRIP(i, 0))
	}
	script += "done 2>/dev/null"
	loop := exec.CommandContext(ctx, "sh", "-c", script)
	var out countingWriter
	loop.Stdout = &out
	must(t, ns.Do(loop.Start))
	w := &tableWriter{t: t, client: openIn(t, ns), scope: portScope(0, 6), file: filepath.Join(t.TempDir(), "state.json"), random: rand.New(rand.NewPCG(5, 5))}
	w.meet(ctx, randomTable(0, 6))
	stop()
	_ = loop.Wait() // it was killed
	if t.Logf("ipvsadm wrote %d services", out); out == 0 {
		t.Error("ipvsadm wrote nothing")
	}
	for range 10 {
		w.converge(randomTable(0, 6)(w.random))
	}
}

// countingWriter counts lines.
type countingWriter int

func (n *countingWriter) Write(b []byte) (int, error) {
	for _, c := range b {
		if c == '\n' {
			*n++
		}
	}
	return len(b), nil
}
