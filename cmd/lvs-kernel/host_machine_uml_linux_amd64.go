package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// unpackUML unpacks User-Mode Linux with its modules and the libc that it was
// built for.
func unpackUML(f *fetcher, k stored) (release string, err error) {
	deb, err := f.download(k.Package, k.Version)
	if err != nil {
		return "", err
	}
	err = f.unpack(deb, func(name string) string {
		if name == "bin/linux.uml" {
			return filepath.Join(k.Dir, "linux")
		}
		if rest, ok := strings.CutPrefix(name, "lib/uml/modules/"); ok {
			return filepath.Join(k.Dir, "modules", rest)
		}
		return ""
	})
	if err != nil {
		return "", err
	}
	if err := unpackLibc(f, k.Dir, loader, "libc.so.6"); err != nil {
		return "", err
	}
	if err := setInterpreter(filepath.Join(k.Dir, "linux"), filepath.Join(k.Dir, "lib", loader)); err != nil {
		return "", err
	}
	return releaseOf(filepath.Join(k.Dir, "modules"))
}

const loader = "ld-linux-x86-64.so.2"

// unpackLibc unpacks libraries of libc into the folder lib of dir.
func unpackLibc(f *fetcher, dir string, names ...string) error {
	version, _, err := f.candidate("libc6")
	if err != nil {
		return err
	}
	deb, err := f.download("libc6", version)
	if err != nil {
		return err
	}
	return f.unpack(deb, func(name string) string {
		base, ok := strings.CutPrefix(name, "lib/x86_64-linux-gnu/")
		if ok && slices.Contains(names, base) {
			return filepath.Join(dir, "lib", base)
		}
		return ""
	})
}

// umlCommand returns the process that is the kernel. Its descriptors 3, 4 and
// 5 are the lines that the guest writes its reports, its standard output and
// its standard error to.
func umlCommand(o options, k stored, run string, g *guestConfig) (*exec.Cmd, error) {
	g.Control, g.Stdout, g.Stderr = "/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2"
	for _, d := range o.write {
		g.Writes = append(g.Writes, writeMount{Path: d})
	}
	cfg := filepath.Join(run, "guest.gob")
	if err := writeGuestConfig(cfg, *g); err != nil {
		return nil, err
	}
	args := []string{
		fmt.Sprintf("mem=%dM", o.memory),
		"umid=kernel", "uml_dir=" + run,
		"rootfstype=hostfs", "rootflags=/", "ro",
		"init=" + g.Self, guestConfigEnv + "=" + cfg,
		"con=null", "con0=null,fd:1",
		"ssl0=null,fd:3", "ssl1=null,fd:4", "ssl2=null,fd:5",
		"quiet", "panic=-1",
	}
	if o.kernel.name == "newest" {
		args = append(args, "seccomp=auto") // Faster than ptrace, which it falls back to.
	}
	cmd := exec.Command(filepath.Join(k.Dir, "linux"), args...)
	cmd.Env = []string{
		"LD_LIBRARY_PATH=" + filepath.Join(k.Dir, "lib"),
		"TMPDIR=" + memoryFolder(o.memory, run),
		"HOME=" + run,
		"PATH=" + os.Getenv("PATH"),
	}
	if preload := preloads(o, k); preload != "" {
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+preload)
	}
	return cmd, nil
}

// preloads names the shared objects that the kernel's process loads. The first
// is found by LD_LIBRARY_PATH: its path may have spaces, its name has none.
func preloads(o options, k stored) string {
	files := o.preload
	if k.padded {
		files = append([]string{paddingFile}, files...)
	}
	return strings.Join(files, " ")
}

// memoryFolder chooses where the kernel keeps its memory, a file that it
// removes as soon as it has opened it. Memory is faster than a disk, but the
// /dev/shm of a container is often too small, and then the kernel would crash.
func memoryFolder(mib int, run string) string {
	const shm = "/dev/shm"
	var st unix.Statfs_t
	if unix.Statfs(shm, &st) != nil || unix.Access(shm, unix.W_OK) != nil {
		return run
	}
	if st.Flags&unix.ST_NOEXEC != 0 || st.Bavail*uint64(st.Bsize) < uint64(mib)<<20 {
		return run
	}
	return shm
}
