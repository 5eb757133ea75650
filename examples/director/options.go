package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/director"
)

// options are the arguments of the command line.
type options struct {
	demo     bool
	netns    string
	director director.Options
}

func parse(args []string, messages io.Writer) (*options, error) {
	o := &options{}
	d := &o.director
	var config string
	f := flag.NewFlagSet("director", flag.ContinueOnError)
	f.SetOutput(messages)
	f.StringVar(&config, "config", "", "`file` with the wanted table, in YAML or JSON")
	f.StringVar(&d.StateFile, "state", "", "`file` that remembers what was applied, and drains")
	f.Func("scope", "the director's own services: `all`, or prefixes of VIPs with commas between", func(text string) (err error) {
		d.Table.Scope, err = scopeOf(text)
		return err
	})
	f.BoolVar(&d.Table.Prune, "prune", false, "remove services in scope that are not in the file")
	f.BoolVar(&d.Table.KeepWeights, "keep-weights", false, "leave the weights of real servers as they are")
	f.BoolVar(&d.Shared, "shared", false, "leave what other programs add to the services; needs -state")
	f.DurationVar(&d.Table.Drain, "drain", 0, "`time` that connections to removed real servers may last")
	f.DurationVar(&d.Resync, "resync", 0, "`time` between two looks at the table (default 30s)")
	f.Float64Var(&d.MaxRemoval, "share", 0.5, "`share` of the real servers that may go at once")
	f.StringVar(&o.netns, "netns", "", "network `namespace`, by name or path")
	f.BoolVar(&o.demo, "demo", false, "show the director at work on a simulated kernel")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q: there are only flags; see -h", f.Arg(0))
	case config == "" && !o.demo:
		return nil, errors.New("needs -config FILE, or -demo; see -h")
	}
	file := director.File{Path: config}
	if filepath.Ext(config) != ".json" {
		file.Decode = decodeYAML
	}
	d.Source = file
	return o, nil
}

// scopeOf returns the scope that a text says.
func scopeOf(text string) (lvs.Scope, error) {
	if text == "all" {
		return lvs.ScopeAll(), nil
	}
	var prefixes []netip.Prefix
	for part := range strings.SplitSeq(text, ",") {
		prefix, err := netip.ParsePrefix(part)
		if addr, addrErr := netip.ParseAddr(part); addrErr == nil {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil {
			return lvs.Scope{}, err
		}
		prefixes = append(prefixes, prefix.Masked())
	}
	return lvs.ScopeVIPs(prefixes...), nil
}

func indented(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }
