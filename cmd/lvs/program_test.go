package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// ran is what one run of the program did.
type ran struct {
	args      []string
	status    int
	out, errs string
}

func (r ran) String() string {
	return fmt.Sprintf("lvs %s: status %d\n%s%s", strings.Join(r.args, " "), r.status, r.out, r.errs)
}

// run runs the program as main does. in is its standard input.
func run(t *testing.T, in string, args ...string) ran {
	t.Helper()
	return runWith(t.Context(), in, args...)
}

// runWith is run with a context, which may have simulators that -netns names.
func runWith(ctx context.Context, in string, args ...string) ran {
	var out, errs strings.Builder
	env := &cli.Env{In: strings.NewReader(in), Out: &out, Err: &errs, Getenv: os.Getenv}
	status := program().Main(ctx, env, append([]string{"lvs"}, args...))
	return ran{args, status, out.String(), errs.String()}
}
