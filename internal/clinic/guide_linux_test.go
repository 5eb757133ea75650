package clinic

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
)

// A kernel in user space is slow to start programs. The commands of a guide are run by as
// few programs as possible, and the networks of all hosts are made without any.

// run runs commands of the shell on the machine, until one fails.
func (m *machine) run(commands string) error {
	if commands == "" {
		return nil
	}
	return m.space.Do(func() error {
		var with, lines string
		for command := range strings.Lines(strings.TrimSpace(commands) + "\n") {
			program, line := readerOf(command)
			if program != with && lines != "" {
				if err := play(with, lines); err != nil {
					return err
				}
				lines = ""
			}
			with, lines = program, lines+line
		}
		return play(with, lines)
	})
}

// shell runs commands, and continues after one that fails.
func (m *machine) shell(commands string) error {
	return m.space.Do(func() error { return pipe("", "sh", "-c", commands) })
}

// pipe runs a program that reads a text.
func pipe(text, program string, args ...string) error {
	command := exec.Command(program, args...)
	command.Stdin = strings.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, out)
	}
	return nil
}

// Programs that read commands.
const (
	shell    = "sh -e -c"
	batch    = "ip -batch -"
	restore  = "ipvsadm -R"
	modprobe = "modprobe -a"
	writing  = ""
)

var toProc = regexp.MustCompile(`^echo (\S+) >/proc/sys/(\S+)\n$`)

// readerOf returns the program that reads a command along with others, and the command as
// that program reads it.
func readerOf(command string) (program, line string) {
	word, rest, _ := strings.Cut(command, " ")
	rest = strings.Replace(rest, "-6 addr ", "addr ", 1) // the address shows the family
	switch {
	case toProc.MatchString(command):
		return writing, command
	case strings.ContainsAny(command, "<>|&;'\"$#"):
	case word == "ip" && !strings.HasPrefix(rest, "-"):
		return batch, rest
	case word == "ipvsadm" && (strings.HasPrefix(rest, "-A ") || strings.HasPrefix(rest, "-a ")):
		return restore, rest
	case word == "modprobe":
		return modprobe, rest
	}
	return shell, command
}

func play(program, lines string) error {
	words := strings.Fields(program)
	switch program {
	case shell:
		return pipe("", words[0], append(words[1:], lines)...)
	case writing:
		for line := range strings.Lines(lines) {
			words := toProc.FindStringSubmatch(line)
			if err := write(words[2], words[1]); err != nil {
				return err
			}
		}
		return nil
	case modprobe:
		missing := slices.DeleteFunc(strings.Fields(lines), func(module string) bool {
			_, err := os.Stat("/sys/module/" + module)
			return err == nil
		})
		if len(missing) == 0 {
			return nil
		}
		return pipe("", words[0], append(words[1:], missing...)...)
	}
	return pipe(lines, words[0], words[1:]...)
}

func write(path, value string) error { return os.WriteFile("/proc/sys/"+path, []byte(value), 0) }

// connect executes lines of ip -batch.
func (m *machine) connect(base string) error {
	for line := range strings.Lines(base) {
		err := m.link(strings.Fields(line))
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

// link executes one line.
func (m *machine) link(words []string) error {
	switch words[0] + " " + words[1] {
	case "addr add": // PREFIX dev DEVICE
		device, err := m.links.LinkByName(words[4])
		if err != nil {
			return err
		}
		address, err := netlink.ParseAddr(words[2])
		if err == nil {
			address.Broadcast = net.IPv4zero // none
			err = m.links.AddrAdd(device, address)
		}
		return err
	case "route add": // DESTINATION via GATEWAY
		route := netlink.Route{Gw: net.ParseIP(words[4])}
		if to, err := netip.ParseAddr(words[2]); err == nil {
			route.Dst = &net.IPNet{IP: to.AsSlice(), Mask: net.CIDRMask(to.BitLen(), to.BitLen())}
		}
		return m.links.RouteAdd(&route)
	case "link set": // DEVICE up
		if words[3] == "up" {
			device, err := m.links.LinkByName(words[2])
			if err != nil {
				return err
			}
			return m.links.LinkSetUp(device)
		}
	}
	return m.run("ip " + strings.Join(words, " "))
}
