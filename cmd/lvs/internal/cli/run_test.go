package cli_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// echo prints its flag and its arguments.
type echo struct{ loud bool }

func (e *echo) Flags(f *flag.FlagSet) { f.BoolVar(&e.loud, "loud", false, "say it loud") }

func (e *echo) Run(_ context.Context, env *cli.Env, args []string) error {
	_, err := fmt.Fprintf(env.Out, "%v %q", e.loud, args)
	return err
}

func newEcho() cli.Action { return &echo{} }

func TestMainFindsCommands(t *testing.T) {
	p := &cli.Program{Name: "lvs", Groups: []cli.Group{{Commands: []*cli.Command{
		{Name: "raw", Raw: true, Links: []string{"ipvsadm"}, New: newEcho},
		{Name: "say", Args: "A [B...]", New: newEcho},
		{Name: "hidden", Hidden: true, New: newEcho},
		{Name: "deep", Commands: []*cli.Command{{Name: "er", Commands: []*cli.Command{{Name: "est", Args: "A", New: newEcho}}}}},
	}}}}
	for _, test := range []struct {
		argv   string
		status int
		want   string
	}{
		{"/sbin/ipvsadm -L -n", 0, `false ["-L" "-n"]`},
		{"ipvsadm.exe -h", 0, `false ["-h"]`},
		{"lvs raw -loud", 0, `false ["-loud"]`},
		{"lvs say a -loud b", 0, `true ["a" "b"]`},
		{"lvs say a b --loud", 0, `true ["a" "b"]`},
		{"lvs say a -- -loud", 0, `false ["a" "-loud"]`},
		{"lvs say", 1, "lvs say: A is missing. Run 'lvs help say'."},
		{"lvs hidden", 0, `false []`},
		{"lvs hiden", 1, `lvs: "hiden" is not a command. Run 'lvs help'.`},
		{"lvs deep er est x -loud", 0, `true ["x"]`},
		{"lvs deep er est", 1, "lvs deep er est: A is missing. Run 'lvs help deep er est'."},
		{"lvs deep re", 1, `lvs deep: "re" is not a command. Run 'lvs help deep'.`},
	} {
		var out strings.Builder
		env := &cli.Env{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) string { return "" }}
		status := p.Main(t.Context(), env, strings.Fields(test.argv))
		if got := strings.TrimSuffix(out.String(), "\n"); status != test.status || got != test.want {
			t.Errorf("%s: %d, %s; want %d, %s", test.argv, status, got, test.status, test.want)
		}
	}
}

func TestMainStatus(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		want   string
	}{
		{nil, 0, ""},
		{fmt.Errorf("the cable broke"), 1, "lvs: the cable broke\n"},
		{fmt.Errorf("lvs: once"), 1, "lvs: once\n"},
		{cli.Exit{Status: 2}, 2, ""},
		{fmt.Errorf("wrapped: %w", cli.Exit{Status: 7, Err: io.EOF}), 7, "lvs: EOF\n"},
	} {
		p := &cli.Program{Name: "lvs", Groups: []cli.Group{{Commands: []*cli.Command{{Name: "fail", New: func() cli.Action { return failing{test.err} }}}}}}
		var out strings.Builder
		env := &cli.Env{Out: &out, Err: &out, Getenv: func(string) string { return "" }}
		if status := p.Main(t.Context(), env, []string{"lvs", "fail"}); status != test.status || out.String() != test.want {
			t.Errorf("%v: %d, %q", test.err, status, out.String())
		}
	}
}

type failing struct{ err error }

func (failing) Flags(*flag.FlagSet) {}

func (f failing) Run(context.Context, *cli.Env, []string) error { return f.err }
