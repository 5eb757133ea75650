package main

import (
	"context"
	"strings"
	"testing"
)

func TestUsage(t *testing.T) {
	for says, args := range map[string]string{
		`lvs: "shwo" is not a command; did you mean show? Run 'lvs help'.`:                                     "shwo",
		`lvs: "xyzzy" is not a command. Run 'lvs help'.`:                                                       "xyzzy",
		`lvs show: -x is not a flag of this command. Run 'lvs help show'.`:                                     "show -x",
		`lvs show: -dmeo is not a flag of this command; did you mean -demo? Run 'lvs help show'.`:              "show -dmeo",
		`lvs show: "b" is one argument too many. Run 'lvs help show'.`:                                         "show a b",
		`lvs show: the flag -o needs FORMAT behind it. Run 'lvs help show'.`:                                   "show -o",
		`lvs show: the flag -o cannot be "xml": want table, wide, json, or yaml. Run 'lvs help show'.`:         "show -o xml",
		`lvs drain: the flag -for cannot be "5": want a duration such as "90s" or "5m". Run 'lvs help drain'.`: "drain -for 5 a",
		`lvs restore: FILE is missing. Run 'lvs help restore'.`:                                                "restore",
		`lvs completion: "bahs" is not a command; did you mean bash? Run 'lvs help completion'.`:               "completion bahs",
		`lvs completion: a command is missing: bash, zsh, or fish. Run 'lvs help completion'.`:                 "completion",
		`lvs man: -demo and -netns are not flags of this command. Run 'lvs help man'.`:                         "-demo man",
		`lvs show: -demo and -netns exclude each other. Run 'lvs help show'.`:                                  "show -demo -netns x",
		`lvs help: "nosuch" is not a command. Run 'lvs help help'.`:                                            "help nosuch",
	} {
		got := run(t, "", strings.Fields(args)...)
		if got.status != 1 || got.errs != says+"\n" || got.out != "" {
			t.Errorf("want %s\n%s", says, got)
		}
	}
	if got := run(t, ""); got.status != 1 || got.out != "" || !strings.Contains(got.errs, "Usage: lvs COMMAND") {
		t.Error(got)
	}
	for _, args := range []string{"help", "-h", "--help", "help show", "version", "--version", "-demo show", "show --demo -o=json"} {
		if got := run(t, "", strings.Fields(args)...); got.status != 0 || got.errs != "" || got.out == "" {
			t.Error(got)
		}
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range []string{"show", "conns", "check", "explain 192.168.0.7 10.168.0.91:80", "save"} {
		if got := runWith(ctx, "", strings.Fields(args+" -demo")...); got.status != 130 || got.errs != "lvs: interrupted\n" || got.out != "" {
			t.Error(got)
		}
	}
}
