package lvs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golvs/lvs/internal/testbed"
)

// killEnv makes the test binary the program that is killed: it has the step, and the
// files of the plan and the state.
const killEnv = "LVS_TEST_APPLY_KILL"

func TestMain(m *testing.M) {
	if job, ok := os.LookupEnv(killEnv); ok {
		if err := applyAndDie(strings.Split(job, " ")); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// applyAndDie applies a plan, and kills its own process at a step. It prints how many
// there were if it lives.
func applyAndDie(job []string) error {
	at, err := strconv.Atoi(job[0])
	if err != nil {
		return err
	}
	text, err := os.ReadFile(job[1])
	if err != nil {
		return err
	}
	var plan TablePlan
	if err := json.Unmarshal(text, &plan); err != nil {
		return err
	}
	k := &killer{at: int64(at), end: func() {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	dial, _, err := optionsOf(nil).dialer()
	if err != nil {
		return err
	}
	client, err := newClient(ctx, k.dialer(dial), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	_, err = client.ApplyTable(k.context(ctx), plan, ApplyOptions{StateFile: job[2]})
	fmt.Print(k.steps.Load())
	return err
}

func TestApplyTableKilledKernel(t *testing.T) {
	testbed.InKernel(t)
	ns := testbed.New(t)
	file := filepath.Join(t.TempDir(), "state.json")
	g := &killGround{t: t, client: openIn(t, ns), file: file, drain: time.Hour}
	start, killed := time.Now(), 0
	g.killEach(cmp.Or(*applyKills, 23), func(plan TablePlan, at int) (steps int) {
		text, err := json.Marshal(plan)
		must(t, err)
		must(t, os.WriteFile(file+".plan", text, 0o600))
		program := exec.Command("/proc/self/exe")
		program.Env = append(os.Environ(), killEnv+"="+fmt.Sprintf("%d %s.plan %s", at, file, file))
		var out []byte
		must(t, ns.Do(func() error {
			out, err = program.CombinedOutput()
			return nil
		}))
		if at > 0 {
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("at step %d the program was not killed: %v, %s", at, err, out)
			}
			killed++
			return 0
		}
		must(t, err)
		steps, err = strconv.Atoi(string(out))
		must(t, err)
		return steps
	})
	t.Logf("killed %d times in %v", killed, time.Since(start).Round(time.Second))
}
