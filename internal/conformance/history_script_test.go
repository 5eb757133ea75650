package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/internal/release"
	"github.com/golvs/lvs/internal/simipvs"
	"github.com/golvs/lvs/internal/testbed"
)

// Histories are text files in testdata/histories. A file is blocks of steps between
// empty lines; behind ---- is what the steps print. A line that begins with # is a
// comment. Besides the steps of histories there are shorter ones:
//
//	service tcp 10.1.254.1:80 rr [persistent SECONDS[/PREFIX]] [engine NAME] [onepacket]
//	server 10.2.0.10:80 nat|dr|local|tunnel|gue|gre [weight N] [upper N] [lower N] [summed 1]
//	edit 10.2.0.10:80 nat …     the server is so from then on
//	remove 10.2.0.10:80
//	remove-service
//	flush
//	syn, ack, fin, rst, datagram, init CLIENT [VIP] [mark N] [payload "TEXT"]
//	from-client, from-server, from-director …  a whole IP packet, see frames_text_test.go
//	servers                     prints each server's connections
//	connections                 prints the connections
//	helper ftp                  loads ip_vs_ftp
//	daemon master|backup, stop master|backup, entry …, sent: see history_sync_test.go
//	defences                    prints in which modes the defences against a shortage of memory are
//
// Packets of syn and the like come from the director itself. In the files whose names begin
// with frames-, packets come by the wires of frames_simulator_test.go instead, and what the
// director sends because of each is printed.
//
// server, edit and remove are about the service of the line before, and so is the VIP.
// What kernels print that count connections the newer or the older way is behind
// "---- newer" and "---- older" where it differs. -update writes what simulators print.
//
// A history is played to simulators, which must print what the file says; inside a
// kernel it is played to the kernel as well, where everything that can be seen must be
// as it is in the simulator. Kernels give no reasons, so the words behind a colon are
// the simulator's alone.

var updateHistories = flag.Bool("update", false, "write what the simulator prints into testdata/histories")

const historyFolder = "testdata/histories"

func TestHistories(t *testing.T) {
	files, err := filepath.Glob(historyFolder + "/*.txt")
	must(t, err)
	if len(files) == 0 {
		t.Fatal("there are no histories")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			must(t, err)
			if bigEndian := binary.NativeEndian.Uint16([]byte{0, 1}) == 1; bigEndian && strings.Contains(string(text), " 0x0 x") {
				return // bytes of a message as the other machines have it
			}
			if strings.Contains(string(text), "\nhelper ftp\n") {
				loadFTP(t, 21, 2121) // for all namespaces, so it goes before the others are played
			} else {
				t.Parallel()
			}
			blocks := parseBlocks(string(text))
			if testbed.Inside() {
				playBlocks(t, openDuelOf(t, file), blocks)
				return
			}
			openSimulator := openSimulatorSide
			if hasWires(file) {
				openSimulator = openWiredSimulator
			}
			for _, r := range []string{"7.2.7", "6.12.104", "6.12.103", "6.1.176"} {
				playBlocks(t, &duel{sim: newPlayer(t, openSimulator(t, releaseOf(t, r)))}, blocks)
			}
			if *updateHistories {
				must(t, os.WriteFile(file, []byte(blocksText(blocks)), 0o644))
			}
		})
	}
}

// hasWires reports whether the packets of a history come by wires.
func hasWires(file string) bool {
	return strings.HasPrefix(strings.TrimPrefix(filepath.Base(file), "found-"), "frames-")
}

func openDuelOf(t testing.TB, file string) *duel {
	if hasWires(file) {
		return openWiredDuel(t)
	}
	return openDuel(t, openKernelSide)
}

func releaseOf(t testing.TB, text string) release.Release {
	t.Helper()
	r, err := release.Parse(text)
	must(t, err)
	return r
}

// block is steps, and what they print in kernels that count the newer or the older way.
type block struct {
	steps string
	want  map[string]string
}

const older, newer = "older", "newer"

func parseBlocks(text string) (all []*block) {
	for part := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		b := new(block)
		section := &b.steps
		var ofOlder, ofNewer string
		for line := range strings.Lines(part + "\n") {
			switch line {
			case "----\n", "---- newer\n":
				section = &ofNewer
			case "---- older\n":
				section = &ofOlder
			default:
				*section += line
			}
		}
		if !strings.Contains(part, "\n---- older") {
			ofOlder = ofNewer
		}
		b.want = map[string]string{newer: ofNewer, older: ofOlder}
		all = append(all, b)
	}
	return all
}

func blocksText(all []*block) string {
	var parts []string
	for _, b := range all {
		text := b.steps
		switch {
		case b.want[older] != b.want[newer]:
			text += "---- newer\n" + b.want[newer] + "---- older\n" + b.want[older]
		case b.want[newer] != "":
			text += "----\n" + b.want[newer]
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "\n")
}

// script is a history that is being played.
type script struct {
	*testing.T
	*duel
	service attributes     // the last one
	vip     netip.AddrPort // of the last one
}

// playBlocks plays blocks, and compares what they print.
func playBlocks(t *testing.T, d *duel, blocks []*block) {
	t.Helper()
	p := &script{T: t, duel: d}
	way := older
	if d.sim.Release().CountsTotals() {
		way = newer
	}
	for _, b := range blocks {
		var got strings.Builder
		for line := range strings.Lines(b.steps) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			printed, err := p.line(line)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			got.WriteString(printed)
		}
		if d.real != nil {
			if difference := d.look(false); difference != "" {
				t.Errorf("after the block\n%s\nsimulator and kernel differ:\n%s", b.steps, difference)
			}
		}
		if *updateHistories {
			b.want[way] = got.String()
		} else if got.String() != b.want[way] {
			t.Errorf("Linux %s: the block\n%s\nprinted\n%s\nwant\n%s", d.sim.Release(), b.steps, got.String(), b.want[way])
		}
	}
}

// line plays a line, and returns what it prints.
func (p *script) line(line string) (string, error) {
	before, payload, err := parsePayload(line)
	if err != nil {
		return "", err
	}
	if p.real != nil {
		p.meet()
	}
	f := strings.Fields(before)
	switch f[0] {
	case "servers":
		return p.servers(), nil
	case "connections":
		return p.connections(), nil
	case "helper":
		p.sim.side.(*simulatorSide).kernel.LoadFTP()
		return "", nil
	case "defences":
		return p.sim.modes(), nil
	}
	s, err := p.short(f, payload)
	if s == nil && err == nil {
		s, err = parseStep(line)
	}
	if err != nil {
		return "", err
	}
	return p.play(s), nil
}

// play plays a step to both sides, and returns what it prints.
func (p *script) play(s step) (printed string) {
	var difference string
	switch s := s.(type) {
	case packet:
		fate, v := p.sim.side.(*simulatorSide).deliver(s)
		if p.real != nil {
			difference = unlike([]step{s}, p.real.Send([]packet{s}), []string{fate})
		}
		printed = verdictText(v) + "\n"
	case frame:
		d, err := p.sim.side.(*simulatorSide).inject(s)
		exits := exitsOf(d, err)
		printed = d.Verdict.String() + "\n" + exitsText(exits)
		if p.real != nil {
			difference = unlikeExits([]step{s}, p.real.side.(wired).Inject([]frame{s}), [][]exit{exits})
		}
	case segment:
		var l left
		var v simipvs.Verdict
		l, v, difference = p.speak(s)
		printed = verdictText(v) + "\n"
		if l.from.IsValid() && l.data != s.data {
			printed += fmt.Sprintf("%q\n", l.data)
		}
	case control:
		got := p.sim.call([]control{s})
		if p.real != nil {
			difference = unlike([]step{s}, p.real.call([]control{s}), got)
		}
		if _, answer, ok := strings.Cut(got[0], "error "); ok && !strings.HasPrefix(answer, "0 ") {
			errno, _, _ := strings.Cut(answer, " ")
			printed = "errno " + errno + "\n"
		}
	case requirement:
		got := p.sim.set(s)
		if p.real != nil {
			difference = unlike([]step{s}, p.real.set(s), got)
		}
	case wait:
		if p.real != nil {
			difference = p.step([]step{s})
		} else {
			p.sim.Wait(s.duration())
		}
	case survey:
		if p.real != nil {
			difference = p.look(s.stats)
		}
	case thresholds, message, sent, relay:
		difference, printed = p.sync(s)
	}
	if difference != "" {
		p.Errorf("simulator and kernel differ:\n%s", difference)
	}
	return printed
}

// verdictText is a verdict as package lvs words it.
func verdictText(v simipvs.Verdict) string {
	reason := lvs.Reason(v.Reason).String()
	switch v.Action {
	case simipvs.Forwarded:
		mode := map[uint8]string{masquerade: "nat", localNode: "local", tunnel: "tunnel", direct: "dr", bypass: "bypass"}[v.Method]
		if v.Server == nil {
			return fmt.Sprintf("forwarded by %s: %s", mode, reason)
		}
		return fmt.Sprintf("forwarded to %s by %s: %s", netip.AddrPortFrom(v.Server.Addr(), v.Port), mode, reason)
	case simipvs.Replied:
		return "replied: " + reason
	case simipvs.Passed:
		return "passed: " + reason
	}
	return "stopped: " + reason
}

func (p *script) simulator() *lvs.Simulator {
	return p.sim.side.(*simulatorSide).ground.(*simulatorGround).Simulator
}

func (p *script) servers() string {
	all, err := p.simulator().Client().Snapshot(context.Background())
	must(p.T, err)
	var b strings.Builder
	for _, s := range all.Services {
		for _, r := range s.RealServers {
			fmt.Fprintf(&b, "%s active %d inactive %d persistent %d\n", r.Addr, r.ActiveConns, r.InactiveConns, r.PersistentConns)
		}
	}
	return b.String()
}

func (p *script) connections() string {
	all, err := lvs.CollectConnections(p.simulator().Host().Connections(context.Background(), lvs.ConnectionFilter{}))
	must(p.T, err)
	var lines []string
	for _, c := range all {
		if c.VIP == flushVIP {
			continue
		}
		line := fmt.Sprintf("%s %s > %s > %s %s", c.Protocol, c.Client, c.VIP, c.Server, c.State)
		if c.Engine != "" {
			line += " " + c.Engine + " " + c.Data
		}
		lines = append(lines, line+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// short reads the short form of a step; nil if it is not one.
func (p *script) short(f []string, payload string) (step, error) {
	switch f[0] {
	case "flush":
		return newCall(cFlush, nil), nil
	case "remove-service":
		return serviceCall(cDelService, p.service), nil
	case "remove":
		return serviceCall(cDelDest, p.service, destKeyOf(f[1])), nil
	case "service":
		return p.shortService(f[1:])
	case "server", "edit":
		return p.shortServer(f[0], f[1:])
	case "syn", "ack", "fin", "rst", "datagram", "init":
		return p.shortPacket(f, payload)
	case "daemon", "stop", "entry":
		return p.shortSync(f)
	}
	return nil, nil
}

func (p *script) shortService(f []string) (step, error) {
	p.service = keyOf(f[0] + " " + f[1])
	p.vip, _ = netip.ParseAddrPort(f[1])
	s := serviceOf(f[0]+" "+f[1]).set(sScheduler, text(f[2]))
	const persistent, onePacket = 1, 4
	flags := uint32(0)
	for f = f[3:]; len(f) > 0; f = f[1:] {
		switch f[0] {
		case "onepacket":
			flags |= onePacket
		case "persistent":
			seconds, prefix, masked := strings.Cut(f[1], "/")
			n, err := strconv.Atoi(seconds)
			if err != nil {
				return nil, err
			}
			flags |= persistent
			s = s.set(sTimeout, u32(uint32(n)))
			if masked {
				bits, err := strconv.Atoi(prefix)
				if err != nil {
					return nil, err
				}
				s = s.set(sNetmask, netmaskOf(s, bits))
			}
			f = f[1:]
		case "engine":
			s = s.plus(sEngine, text(f[1]))
			f = f[1:]
		default:
			return nil, fmt.Errorf("%q is not part of a service", f[0])
		}
	}
	return serviceCall(cNewService, s.set(sFlags, flagged(flags, ^uint32(0)))), nil
}

// netmaskOf is the netmask as the kernel has it: in IPv6 the length of the prefix.
func netmaskOf(s attributes, bits int) []byte {
	if bytes.Equal(s.get(sAF), u16(inet6)) {
		return u32(uint32(bits))
	}
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), bits).Masked().Addr().AsSlice()
}

func (p *script) shortServer(command string, f []string) (step, error) {
	methods := map[string]uint32{"nat": masquerade, "local": localNode, "tunnel": tunnel, "gue": tunnel, "gre": tunnel, "dr": direct}
	method, ok := methods[f[1]]
	if !ok {
		return nil, fmt.Errorf("%q is not a mode", f[1])
	}
	d := destOf(f[0]).set(dMethod, u32(method))
	switch f[1] {
	case "gue":
		d = d.plus(dTunType, u8(tunGUE)).plus(dTunPort, be16(guePort))
	case "gre":
		d = d.plus(dTunType, u8(tunGRE))
	}
	for f = f[2:]; len(f) >= 2; f = f[2:] {
		n, err := strconv.ParseUint(f[1], 10, 32)
		const checksums = 1
		if f[0] == "summed" {
			d = d.plus(dTunFlags, u16(checksums))
			continue
		}
		number := map[string]uint16{"weight": dWeight, "upper": dUpper, "lower": dLower}[f[0]]
		if err != nil || number == 0 {
			return nil, errors.Join(err, fmt.Errorf("%q is not part of a server", f[0]))
		}
		d = d.set(number, u32(uint32(n)))
	}
	if command == "edit" {
		return serviceCall(cSetDest, p.service, d), nil
	}
	return serviceCall(cNewDest, p.service, d), nil
}

func (p *script) shortPacket(f []string, payload string) (step, error) {
	flags := map[string]string{"syn": "S", "ack": "A", "fin": "FA", "rst": "R"}[f[0]]
	protocol := "tcp"
	switch f[0] {
	case "datagram":
		protocol, flags = "udp", "-"
	case "init":
		protocol, flags = "sctp", "INIT"
	}
	to := p.vip.String()
	rest := f[2:]
	if len(rest)%2 == 1 {
		to, rest = rest[0], rest[1:]
	}
	return parsePacket(append([]string{protocol, flags, f[1], to}, rest...), payload)
}

// The text of a history is without loss.
func TestHistoryText(t *testing.T) {
	newest := releaseOf(t, "7.2.7")
	for seed := range uint64(20) {
		calls, _ := makeCalls(t, newest, seed)
		picks, _ := makePicks(pickSchedulers[int(seed)%len(pickSchedulers)])(t, newest, seed)
		for _, s := range append(calls, picks...) {
			back, err := parseStep(s.String())
			if must(t, err); back.String() != s.String() {
				t.Errorf("%s\nis read as\n%s", s, back)
			}
			if c, ok := s.(control); ok && !bytes.Equal(c.body, back.(control).body) {
				t.Errorf("%s: the body\n%x is read as\n%x", s, c.body, back.(control).body)
			}
		}
	}
}
