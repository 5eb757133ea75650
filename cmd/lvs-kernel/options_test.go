package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestParseOptions(t *testing.T) {
	args := []string{"-timeout", "3m", "-load", "ip_vs_mh,nlmon", "-load", "tun", "-write", "/w", "-mem", "512", "-v",
		"6.12", "--", "prog", "-v", "--", "x"}
	o, err := parseOptions(args, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.kernel.name != "6.12" || o.timeout != 3*time.Minute || o.memory != 512 || !o.verbose {
		t.Errorf("got %+v", o)
	}
	if want := []string{"prog", "-v", "--", "x"}; !slices.Equal(o.command, want) {
		t.Errorf("command is %q, want %q", o.command, want)
	}
	if want := []string{"ip_vs", "ip_vs_mh", "nlmon", "tun"}; !slices.Equal(o.load, want) {
		t.Errorf("load is %q, want %q", o.load, want)
	}
	if want := []string{"/w"}; !slices.Equal(o.write, want) {
		t.Errorf("write is %q, want %q", o.write, want)
	}
}

func TestParseOptionsWithoutDashes(t *testing.T) {
	o, err := parseOptions([]string{"6.1", "/tmp/x.test", "-test.v"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"/tmp/x.test", "-test.v"}; !slices.Equal(o.command, want) {
		t.Errorf("command is %q, want %q", o.command, want)
	}
}

func TestParseOptionsWithoutCommand(t *testing.T) {
	for _, args := range [][]string{{"-list"}, {"-update", "newest"}} {
		if _, err := parseOptions(args, io.Discard); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestParseOptionsErrors(t *testing.T) {
	tests := map[string]string{
		"":                         "a kernel must be named",
		"6.13 -- x":                `no kernel is named "6.13"`,
		"6.12":                     "no command given",
		"6.12 --":                  "no command given",
		"-timeout -1s 6.12 -- x":   "negative",
		"-mem 1 6.12 -- x":         "-mem 1",
		"-cpus 0 qemu-6.1 -- x":    "-cpus 0",
		"-load , 6.12 -- x":        "is empty",
		"-nonsense 6.12 -- x":      "-nonsense",
		"-timeout soon 6.12 -- ls": "-timeout",
	}
	for line, want := range tests {
		_, err := parseOptions(strings.Fields(line), io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got the error %v, want one with %q", line, err, want)
		}
	}
}

// Every flag must be in the usage text, and no other.
func TestUsage(t *testing.T) {
	var out strings.Builder
	if _, err := parseOptions([]string{"-h"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("got the error %v, want flag.ErrHelp", err)
	}
	for _, f := range []string{"timeout", "write", "mem", "cpus", "load", "v", "console", "list", "update", "cache", "mirror"} {
		if !strings.Contains(out.String(), "\n\t-"+f+" ") {
			t.Errorf("the usage text lacks -%s", f)
		}
	}
	for _, name := range kernelNames() {
		if !strings.Contains(out.String(), "\n\t"+name+" ") {
			t.Errorf("the usage text lacks the kernel %s", name)
		}
	}
}
