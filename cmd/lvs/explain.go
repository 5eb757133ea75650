package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:  "explain",
		Args:  "CLIENT VIP",
		Brief: "say which real server a client reaches, and why",
		Doc: `CLIENT is an address, or an address and a port. Some schedulers consider the port: without
one, 40000 is assumed. VIP is the address and port that the client connects to, or a
service as "lvs show" prints it, or a part of one, such as :443, that only one service has.
For a service of a firewall mark, give the address that the client connects to,
and -fwmark.

With -icmp, say where an ICMP error goes: one about an answer to the client, or with
-icmp-from server, one about a packet to the real server.

Nothing is sent, and nothing is changed. Where the answer depends on what the kernel does
not show, all that may happen is listed.

    lvs explain 192.0.2.7 10.0.0.1:80
    lvs explain [2001:db8::7]:50000 udp://[2001:db8::1]:53 -o json
    lvs explain 192.0.2.7 10.0.0.1:443 -fwmark 7
    lvs explain 192.0.2.7:50000 10.0.0.1:80 -icmp 3/4 -icmp-from server`,
		Host:     true,
		Statuses: []cli.Status{{Code: 2, Meaning: "the client reaches no real server, or gets no answer; with -icmp, the error does not get there"}},
		New:      func() cli.Action { return &explain{} },
		Complete: completeExplain,
	}
}

// explain says where the packets of a client go.
type explain struct {
	output   string
	protocol lvs.Protocol
	fwmark   uint64
	icmp     string // type and code; "": a packet of the client's is explained
	icmpFrom string
}

// assumedPort is the client's where none is given.
const assumedPort = 40000

func (x *explain) Flags(f *flag.FlagSet) {
	cli.Choice(f, &x.output, "o", "write a `FORMAT`", "text", "json")
	f.TextVar(&x.protocol, "protocol", lvs.ProtocolTCP, "the `PROTOCOL`: tcp, udp or sctp")
	f.Uint64Var(&x.fwmark, "fwmark", 0, "the firewall `MARK` of the client's packets; 0 is none")
	f.StringVar(&x.icmp, "icmp", "", "explain an ICMP error of this `TYPE/CODE`, such as 3/4: fragmentation needed")
	cli.Choice(f, &x.icmpFrom, "icmp-from", "the `SIDE` that sends the error of -icmp", "client", "server")
}

func (x *explain) Run(ctx context.Context, env *cli.Env, args []string) error {
	client, assumed, err := clientAddr(args[0])
	if err != nil {
		return err
	}
	flow := lvs.Flow{Protocol: x.protocol, Client: client, FWMark: uint32(x.fwmark)}
	if x.fwmark > 1<<32-1 {
		return cli.Usagef("-fwmark %d has more than 32 bits", x.fwmark)
	}
	about, err := x.flowError()
	if err != nil {
		return err
	}
	host, err := env.Host(ctx)
	if err != nil {
		return err
	}
	if err := x.setVIP(ctx, host.Client(), &flow, args[1]); err != nil {
		return err
	}
	found, err := explainWith(ctx, host, flow, about)
	if err != nil {
		return err
	}
	if err := x.write(env, found, assumed); err != nil {
		return err
	}
	if isLost(found) {
		return cli.Exit{Status: 2}
	}
	return nil
}

// flowError returns the ICMP error that is asked about; nil: none.
func (x *explain) flowError() (*lvs.FlowError, error) {
	switch {
	case x.icmp == "" && x.icmpFrom == "server":
		return nil, cli.Usagef("-icmp-from is for errors: say which by -icmp, such as -icmp 3/4")
	case x.icmp == "":
		return nil, nil
	}
	kind, code, _ := strings.Cut(x.icmp, "/")
	k, bad := strconv.ParseUint(kind, 10, 8)
	c, worse := strconv.ParseUint(code, 10, 8)
	if bad != nil || worse != nil {
		return nil, cli.Usagef("-icmp %q is not a type and a code, such as 3/4", x.icmp)
	}
	return &lvs.FlowError{Type: uint8(k), Code: uint8(c), FromServer: x.icmpFrom == "server"}, nil
}

func explainWith(ctx context.Context, host *lvs.Host, flow lvs.Flow, about *lvs.FlowError) (lvs.Explanation, error) {
	if about != nil {
		return host.ExplainError(ctx, flow, *about)
	}
	return host.Explain(ctx, flow)
}

// isLost reports whether a packet reaches no server, or its answer no client. Of an error
// from a server's side it reports whether the client learns nothing.
func isLost(x lvs.Explanation) bool {
	if x.Error != nil && x.Error.FromServer {
		return !slices.ContainsFunc(x.Verdicts, func(v lvs.Verdict) bool {
			return v.Action == lvs.ActionReplied || v.Action == lvs.ActionRefused
		})
	}
	return len(x.Servers()) == 0 || x.Unanswered != 0
}

// clientAddr reads an address with a port or without.
func clientAddr(text string) (client netip.AddrPort, assumed bool, err error) {
	if client, err := netip.ParseAddrPort(text); err == nil {
		return client, false, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return client, false, cli.Usagef("%q is not a client: want an address, or an address and a port, such as 192.0.2.7:50000 or [2001:db8::7]:50000", text)
	}
	return netip.AddrPortFrom(addr, assumedPort), true, nil
}

// setVIP reads what the client connects to: any address and port, or a service.
func (x *explain) setVIP(ctx context.Context, client *lvs.Client, flow *lvs.Flow, text string) error {
	if vip, err := netip.ParseAddrPort(text); err == nil {
		flow.VIP = vip
		return nil
	}
	id, err := lvs.ParseServiceID(text)
	if err != nil {
		table, err := client.Snapshot(ctx)
		if err != nil {
			return err
		}
		found, err := findService(table, text)
		if err != nil {
			return fmt.Errorf("%w; any address and port will do, such as 10.0.0.1:80", err)
		}
		id = found.ID
	}
	if id.FWMark() != 0 {
		return cli.Usagef("%s has no address: give the address and port that the client connects to, and -fwmark %d", id, id.FWMark())
	}
	flow.VIP, flow.Protocol = id.AddrPort(), id.Protocol()
	return nil
}

func (x *explain) write(env *cli.Env, found lvs.Explanation, assumed bool) error {
	if x.output == "json" {
		return writeJSON(env.Out, found)
	}
	p := newProse(env)
	lines := strings.Split(found.String(), "\n  ")
	p.line(term.Span{Text: lines[0], Attr: term.Bold})
	if !found.Certain {
		lines = p.possible(lines)
	} else {
		p.text(term.Span{Text: "  "}, lines[1], answerAttr(found))
	}
	for _, line := range lines[2:] {
		p.text(term.Span{Text: "  "}, line, 0)
	}
	if assumed && dependsOnPort(found) {
		p.text(term.Span{Text: "  "}, fmt.Sprintf("the scheduler considers the client's port, for which %d was assumed", assumedPort), 0)
	}
	return p.flush(env.Out)
}

// possible writes what may happen, and returns the lines without it.
func (p *prose) possible(lines []string) []string {
	p.text(term.Span{Text: "  "}, lines[1], term.Magenta)
	for len(lines) > 2 && strings.HasPrefix(lines[2], "- ") {
		a := term.Red
		if strings.HasPrefix(lines[2], "- "+lvs.ActionForwarded.String()) {
			a = 0
		}
		p.text(term.Span{Text: "  - "}, lines[2][2:], a)
		lines = slices.Delete(lines, 2, 3)
	}
	return lines
}

// answerAttr returns how a certain answer looks.
func answerAttr(x lvs.Explanation) term.Attr {
	if isLost(x) {
		return term.Red
	}
	return 0
}

func dependsOnPort(x lvs.Explanation) bool {
	return x.Pick != nil && x.Pick.Flags&lvs.HashPort != 0
}

// completeExplain offers the services for the second argument.
func completeExplain(ctx context.Context, env *cli.Env, args []string) []string {
	if len(args) != 1 {
		return nil
	}
	host, err := env.Host(ctx)
	if err != nil {
		return nil
	}
	table, err := host.Client().Snapshot(ctx)
	if err != nil {
		return nil
	}
	var all []string
	for _, e := range table.Services {
		if e.ID.FWMark() == 0 {
			all = append(all, e.ID.String())
		}
	}
	return all
}
