package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/demo"
)

const pagePath = "../../docs/command.md"

func readPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var (
	shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")
	inLine     = regexp.MustCompile(`(?:^|<\()lvs ([^|>;)]*)`)
	quoted     = regexp.MustCompile(`'[^']*'|\S+`)
	writesTo   = regexp.MustCompile(`> (\S+)$`)
)

// others are the lines of the page that are commands of other programs.
var others = []string{
	"go build -C cmd/lvs -o /usr/local/bin/lvs .",
	"ln -s lvs /usr/local/bin/ipvsadm",
}

// TestPageCommands runs each line of the page that runs the program, one after the other,
// in one demo that stands still.
func TestPageCommands(t *testing.T) {
	page, folder := readPage(t), t.TempDir()
	t.Chdir(folder)
	for _, name := range []string{"etc/lvs", "var/lib/lvs"} {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	synctest.Test(t, func(t *testing.T) {
		world := frozen(t)
		for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
			for line := range strings.Lines(block[1]) {
				line, _, _ = strings.Cut(line, "  #")
				if line = strings.TrimSpace(line); slices.Contains(others, line) {
					continue
				}
				found := inLine.FindStringSubmatch(line)
				if found == nil {
					t.Errorf("%q does not run the program; if that is right, add it to others", line)
					continue
				}
				n++
				pageCommand(t, world, found[1], line)
			}
		}
	})
	if n < 40 {
		t.Errorf("the page has %d commands", n)
	}
}

// pageCommand runs a command of the page, and writes its output where the line says.
func pageCommand(t *testing.T, world *demo.World, text, line string) {
	t.Helper()
	words := quoted.FindAllString(text, -1)
	for i, w := range words {
		w = strings.ReplaceAll(strings.Trim(w, "'"), "/var/lib/", "var/lib/")
		words[i] = strings.ReplaceAll(w, "/etc/", "etc/")
	}
	ctx := lvs.WithSimulators(t.Context(), map[string]*lvs.Simulator{"blue": world.Sim})
	most, isHost := time.Hour, true
	switch words[0] {
	case "top", "run":
		most = 3500 * time.Millisecond
	case "metrics":
		most = 0 // one that listens ends at once
		if !slices.Contains(words, "-listen") {
			most = time.Hour
		}
	case "whatif":
		words = append(words, "-clients", "50")
		if slices.Contains(words, "-schedulers") || slices.Contains(words, "-event") {
			words = append(words, "-arrivals", "steady 20/s")
		}
	case "override":
		words = append(words, "-overrides", "var/lib/lvs/overrides.json")
		isHost = words[1] != "list"
	case "man", "completion":
		isHost = false
	}
	if isHost && !slices.Contains(words, "-demo") && !slices.Contains(words, "-netns") {
		words = append([]string{"-demo"}, words...)
	}
	got := runFor(ctx, world, most, words...)
	if c := commandOf(words); got.status != 0 && (got.status != 130 || most == time.Hour) && !slices.ContainsFunc(c.Statuses, func(s cli.Status) bool { return s.Code == got.status }) {
		t.Errorf("%s\n%s", line, got)
	}
	if to := writesTo.FindStringSubmatch(line); to != nil && !strings.ContainsAny(to[1], "/~") {
		if err := os.WriteFile(to[1], []byte(got.out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// commandOf returns the command that the words of a line run.
func commandOf(words []string) (last *cli.Command) {
	all := program().All()
	for _, w := range words {
		for _, c := range all {
			if c.Name == w {
				last, all = c, c.Commands
				break
			}
		}
		if last != nil && all == nil {
			break
		}
	}
	return last
}

// TestPageStatuses holds that the page lists the exit statuses that commands have.
func TestPageStatuses(t *testing.T) {
	var want strings.Builder
	seen := make(map[string]bool) // all set-ups have the same
	eachCommand(program().All(), nil, func(c *cli.Command, path []string) {
		if path[0] == "setup" {
			path = []string{"setup", "MODE"}
		}
		name := strings.Join(path, " ")
		for _, s := range c.Statuses {
			if row := fmt.Sprintf("| `lvs %s` | %d | %s |\n", name, s.Code, s.Meaning); !seen[row] {
				want.WriteString(row)
				seen[row] = true
			}
		}
	})
	holdTable(t, "| command | status | |\n|---|---:|---|\n", want.String())
}

// holdTable holds that the page has a table with these rows below its head.
func holdTable(t *testing.T, head, rows string) {
	t.Helper()
	page := readPage(t)
	before, after, found := strings.Cut(page, head)
	if !found {
		t.Fatalf("the page does not have\n%s", head)
	}
	end := strings.Index("\n"+after+"\n", "\n\n")
	switch {
	case after[:end] == rows:
	case *update:
		writePage(t, before+head+rows+after[end:])
	default:
		t.Errorf("the page has\n%s\nwant\n%s", after[:end], rows)
	}
}

func writePage(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.FromSlash(pagePath), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}
