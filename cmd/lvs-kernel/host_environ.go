package main

import "strings"

// guestEnv is the environment of the command: the caller's, with the folders
// of system programs on PATH and the variables that describe the kernel.
func guestEnv(env []string, name, release string) []string {
	var out []string
	var path string
	for _, kv := range env {
		k, v, _ := strings.Cut(kv, "=")
		switch k {
		case "PATH":
			path = v
		case "TMPDIR", "LVS_KERNEL", "LVS_KERNEL_NAME", guestConfigEnv:
		default:
			out = append(out, kv)
		}
	}
	return append(out,
		"PATH="+guestPath(path),
		"TMPDIR="+guestTmp,
		"LVS_KERNEL="+release,
		"LVS_KERNEL_NAME="+name)
}

// guestPath adds the folders that a user's PATH may lack, as the command is
// root inside. Our own modprobe comes last: the host's is preferred.
func guestPath(path string) string {
	var have []string
	seen := map[string]bool{}
	more := []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", appletDir}
	for _, d := range append(strings.Split(path, ":"), more...) {
		if d != "" && !seen[d] {
			seen[d] = true
			have = append(have, d)
		}
	}
	return strings.Join(have, ":")
}

// appletDir holds our modprobe and rmmod inside the kernel.
const appletDir = "/run/lvs-kernel/bin"

// guestTmp is TMPDIR inside the kernel, a file system in memory.
const guestTmp = "/run/lvs-kernel/tmp"
