package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killDescendants ends every process that descends from this one but the
// guard, and waits for them. User-Mode Linux makes a process for each address
// space inside.
func killDescendants(guard int) {
	self := os.Getpid()
	for range 200 {
		var found bool
		for pid := range descendants(self, parents()) {
			if pid != guard {
				found = true
				_ = unix.Kill(pid, unix.SIGKILL)
				_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil)
			}
		}
		if !found {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// descendants returns the processes below pid, given each process's parent.
func descendants(pid int, parent map[int]int) map[int]bool {
	below := map[int]bool{}
	for grown := true; grown; {
		grown = false
		for p, pp := range parent {
			if !below[p] && (pp == pid || below[pp]) {
				below[p], grown = true, true
			}
		}
	}
	return below
}

// parents reads the parent of every process.
func parents() map[int]int {
	out := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // It has ended.
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			continue
		}
		if pp, ok := parentInStat(b); ok {
			out[pid] = pp
		}
	}
	return out
}

// parentInStat reads the parent from a line of /proc/PID/stat: it follows the
// state, which follows the name in brackets; a name may hold brackets too.
func parentInStat(b []byte) (int, bool) {
	_, rest, ok := bytes.Cut(b, []byte("("))
	end := bytes.LastIndexByte(rest, ')')
	if !ok || end < 0 {
		return 0, false
	}
	f := bytes.Fields(rest[end+1:])
	if len(f) < 2 {
		return 0, false
	}
	pp, err := strconv.Atoi(string(f[1]))
	return pp, err == nil
}
