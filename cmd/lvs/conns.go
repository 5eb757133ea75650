package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"iter"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

func connsCommand() *cli.Command {
	return &cli.Command{
		Name:  "conns",
		Brief: "list or count connections",
		Doc: `Entries of the kernel's connection table are printed as they are read, in no particular
order, so a table of any size takes little memory. It is not a consistent picture: while
connections come and go, the kernel may omit some, or list them twice.

With -o json each line is an object, and not part of an array.

A firewall mark selects the templates of its persistent service alone, since the kernel
lists connections without the mark.

    lvs conns -service tcp://10.168.0.91:80 -state ESTABLISHED
    lvs conns -count client -bits4 24 -top 10
    lvs conns -origin any -o json`,
		Host: true,
		New:  func() cli.Action { return &conns{} },
	}
}

// conns lists or counts connections.
type conns struct {
	service, server, client, states string
	templates, origin               string
	output, count                   string
	most, top                       int
	bits4, bits6                    int
}

func (c *conns) Flags(f *flag.FlagSet) {
	f.StringVar(&c.service, "service", "", "only connections of `SERVICE`")
	f.StringVar(&c.server, "server", "", "only connections to the real server `ADDRESS`, with a port or without")
	f.StringVar(&c.client, "client", "", "only connections from the clients of `PREFIX`, or from one address")
	f.StringVar(&c.states, "state", "", "only connections in one of `STATES`, such as ESTABLISHED,SYN_RECV")
	cli.Choice(f, &c.templates, "templates", "`WHICH` entries: all, or without persistence templates, or these alone", "all", "no", "only")
	cli.Choice(f, &c.origin, "origin", "only entries of an `ORIGIN`, clients here or a sync daemon; or show it", "", "any", "local", "sync")
	cli.Choice(f, &c.output, "o", "write a `FORMAT`", "table", "json")
	cli.Choice(f, &c.count, "count", "count by `KEY` instead", "", "server", "client", "state")
	f.IntVar(&c.most, "n", 0, "end after `NUMBER` connections; 0 is all")
	f.IntVar(&c.top, "top", 0, "with -count, print the `NUMBER` highest counts; 0 is all")
	f.IntVar(&c.bits4, "bits4", 32, "with -count client, count IPv4 networks of this prefix `LENGTH`")
	f.IntVar(&c.bits6, "bits6", 128, "with -count client, count IPv6 networks of this prefix `LENGTH`")
}

func (c *conns) Run(ctx context.Context, env *cli.Env, args []string) error {
	filter, err := c.filter()
	if err == nil {
		err = c.validate(args)
	}
	if err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	all := host.Connections(ctx, filter)
	out := bufio.NewWriter(env.Out)
	if c.count != "" {
		err = c.printCounts(out, all)
	} else {
		err = c.print(out, all)
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	return err
}

// validate refuses what is out of range, and flags that have no effect.
func (c *conns) validate(args []string) error {
	switch {
	case len(args) > 0:
		return cli.Usagef("conns has no arguments, and %q is one; -service, -server and -client select connections", args[0])
	case c.most < 0:
		return cli.Usagef("-n %d: want 0 or more", c.most)
	case c.top < 0:
		return cli.Usagef("-top %d: want 0 or more", c.top)
	case c.bits4 < 0 || c.bits4 > 32:
		return cli.Usagef("-bits4 %d is out of range [0, 32]", c.bits4)
	case c.bits6 < 0 || c.bits6 > 128:
		return cli.Usagef("-bits6 %d is out of range [0, 128]", c.bits6)
	case c.count != "" && c.most > 0:
		return cli.Usagef("-n ends a list; use -top with -count")
	case c.count == "" && c.top > 0:
		return cli.Usagef("-top needs -count; use -n to end a list")
	case c.count != "client" && (c.bits4 != 32 || c.bits6 != 128):
		return cli.Usagef("-bits4 and -bits6 need -count client")
	}
	return nil
}

// print prints connections, each as soon as it is read.
func (c *conns) print(out *bufio.Writer, all iter.Seq2[lvs.Connection, error]) error {
	write := c.writer(out)
	n := 0
	for conn, err := range all {
		if err != nil {
			return err
		}
		if err := write(conn); err != nil {
			return err
		}
		if n++; n == c.most {
			return nil
		}
	}
	return nil
}

// writer returns the function that writes a connection.
func (c *conns) writer(out *bufio.Writer) func(lvs.Connection) error {
	if c.output == "json" {
		lines := json.NewEncoder(out)
		return func(conn lvs.Connection) error { return lines.Encode(conn) }
	}
	heads := []string{"PROTO", "CLIENT", "VIP", "SERVER", "STATE", "EXPIRES"}
	if c.origin != "" {
		heads = append(heads, "ORIGIN")
	} else {
		heads = append(heads, "ENGINE")
	}
	const addrPort4 = len("255.255.255.255:65535")
	columns := growing{out: out, widths: []int{5, addrPort4, addrPort4, addrPort4, len(lvs.StateEstablished), 7, 0}}
	return func(conn lvs.Connection) error {
		if heads != nil {
			_ = columns.write(heads...) // out keeps the error
			heads = nil
		}
		last := string(conn.Origin)
		if conn.Engine != "" {
			last = conn.Engine + " " + conn.Data
		}
		return columns.write(listedProtocol(conn), conn.Client.String(), conn.VIP.String(), conn.Server.String(),
			string(conn.State), conn.Expires.String(), last)
	}
}

// listedProtocol returns the protocol of a connection, which templates of marks lack.
func listedProtocol(c lvs.Connection) string {
	if c.Protocol == 0 {
		return "mark"
	}
	return c.Protocol.String()
}

// growing writes lines in columns that become wider when a text needs it, since it knows
// only the texts so far.
type growing struct {
	out    *bufio.Writer
	widths []int
}

func (g *growing) write(texts ...string) error {
	var line term.Line
	for i, text := range texts {
		if text = term.Clean(text); text == "" {
			break
		}
		cell := term.Text(text)
		g.widths[i] = max(g.widths[i], cell.Width())
		if i < len(texts)-1 && texts[i+1] != "" {
			cell = append(cell.Pad(g.widths[i], 0), term.Span{Text: "  "})
		}
		line = append(line, cell...)
	}
	_, err := g.out.WriteString(line.String() + "\n")
	return err
}
