package main

import (
	"regexp"
	"strings"
)

// meanings explains messages of User-Mode Linux whose cause is the host.
var meanings = []struct{ message, meaning string }{
	{"ptrace set fp regs failed", "the host has more processor state than the kernel knows (as with AMX), and accepts no less; -pad auto pads it"},
	{"must be not mounted noexec", "no file can be executed in its folder of temporary files; name another by TMPDIR"},
	{"likely just ran out of space", "the file system of its memory is full; make room there, or give less by -mem"},
	{"setup_physmem - mapping", "the host does not let it map that much memory; give less by -mem"},
	{"ptrace: Operation not permitted", "it traces its processes, which this machine does not allow"},
}

// usual begins messages that say nothing of why a kernel ended.
var usual = []string{"mmapper_init", "Failed to initialize ubd", "reboot:"}

var levelAndTime = regexp.MustCompile(`^(<\d+>)?(\[ *\d+\.\d+\] )?`)

const panicked = "Kernel panic - not syncing: "

// lastWords finds why a kernel ended in what it said, in one line: a message
// whose meaning is known, its panic, or the last that it said. It is empty when
// the kernel said nothing.
func lastWords(console string) string {
	for _, m := range meanings {
		if strings.Contains(console, m.message) {
			return m.meaning
		}
	}
	last := ""
	for line := range strings.Lines(console) {
		line = strings.TrimRight(levelAndTime.ReplaceAllString(line, ""), " \r\n")
		switch {
		case strings.HasPrefix(line, panicked):
			return line
		case line != "" && !isUsual(line):
			last = strings.TrimSpace(line)
		}
	}
	return last
}

func isUsual(line string) bool {
	for _, prefix := range usual {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}
