package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// runInit is init: it sets the system up, runs the command, reports how it
// ended, and switches the machine off. It never returns.
func runInit(cfgFile string) {
	g := &guest{}
	status, err := g.run(cfgFile)
	if err != nil {
		fmt.Fprintf(os.Stderr, "lvs-kernel: init: %v\n", err)
		g.report("error %s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	// What was written to the host's folders must have arrived before the
	// runner hears of the end.
	for i := len(g.cfg.Writes) - 1; i >= 0; i-- {
		_ = unix.Unmount(g.cfg.Writes[i].Path, unix.MNT_DETACH)
	}
	unix.Sync()
	if err == nil {
		g.report("exit %d", status)
	}
	for {
		_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
		time.Sleep(time.Second)
	}
}

// A guest is the state of init.
type guest struct {
	cfg     guestConfig
	control *os.File
}

func (g *guest) report(format string, args ...any) {
	if g.control != nil {
		fmt.Fprintf(g.control, format+"\n", args...)
	}
}

func (g *guest) run(cfgFile string) (int, error) {
	var err error
	if g.cfg, err = readGuestConfig(cfgFile); err != nil {
		return 0, err
	}
	if err := mountAll(earlyMounts); err != nil {
		return 0, err
	}
	for _, file := range g.cfg.Boot {
		if err := insmod(file, ""); err != nil {
			return 0, err
		}
	}
	stdout, stderr, err := g.openLines()
	if err != nil {
		return 0, err
	}
	release, err := kernelRelease()
	if err != nil {
		return 0, err
	}
	g.report("release %s", release)
	if err := g.setUp(release); err != nil {
		return 0, err
	}
	return g.command(release, stdout, stderr)
}

// openLines opens the devices that lead to the runner.
func (g *guest) openLines() (stdout, stderr *os.File, err error) {
	if g.control, err = openLine(g.cfg.Control); err != nil {
		return nil, nil, err
	}
	if stdout, err = openLine(g.cfg.Stdout); err != nil {
		return nil, nil, err
	}
	stderr, err = openLine(g.cfg.Stderr)
	return stdout, stderr, err
}

// openLine opens a serial line or port. A terminal is made to carry bytes as
// they are.
func openLine(name string) (*os.File, error) {
	fd, err := openWhenThere(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	if t, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil {
		t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
		if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
			return nil, fmt.Errorf("make %s raw: %w", name, err)
		}
	}
	return os.NewFile(uintptr(fd), name), nil
}

// openWhenThere waits for a device that its driver makes a moment after it
// was loaded.
func openWhenThere(name string) (int, error) {
	for try := 0; ; try++ {
		fd, err := unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
		if err == nil || try == 200 || !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENXIO) {
			return fd, err
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// setUp makes the system that the command expects.
func (g *guest) setUp(release string) error {
	x, err := readModuleIndex(g.cfg.Modules)
	if g.cfg.HostTag != "" {
		x, err = nil, nil // Not visible yet; Boot held what is needed.
	}
	if err != nil {
		return err
	}
	if err := g.switchRoot(x); err != nil {
		return err
	}
	if err := mountAll(lateMounts); err != nil {
		return err
	}
	if err := g.installModules(release); err != nil {
		return err
	}
	if err := g.mountWrites(); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte("lvs-kernel")); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	return unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 1024, Max: 1 << 20})
}

// installModules puts the kernel's modules where programs look for them, lets
// the kernel load what it misses, and loads what was asked for.
func (g *guest) installModules(release string) error {
	dir := "/lib/modules/" + release
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(g.cfg.Modules, dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s on %s: %w", g.cfg.Modules, dir, err)
	}
	if err := os.MkdirAll(appletDir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"modprobe", "rmmod"} {
		if err := os.Symlink(g.cfg.Self, filepath.Join(appletDir, name)); err != nil {
			return err
		}
	}
	// Whatever modprobe the host has, ours reads the indexes that are there.
	if err := os.WriteFile("/proc/sys/kernel/modprobe", []byte(appletDir+"/modprobe"), 0); err != nil {
		return err
	}
	x, err := readModuleIndex(dir)
	if err != nil {
		return err
	}
	if err := makeDevices(dir); err != nil {
		return err
	}
	for _, name := range g.cfg.Load {
		if err := loadModule(x, name, ""); err != nil {
			return err
		}
	}
	return nil
}

// makeDevices makes the device files that load their module on first use,
// such as /dev/net/tun.
func makeDevices(dir string) error {
	b, err := readIfExists(filepath.Join(dir, "modules.devname"))
	if err != nil {
		return err
	}
	for _, n := range parseDevnames(b) {
		mode := uint32(unix.S_IFBLK | 0o600)
		if n.char {
			mode = unix.S_IFCHR | 0o666
		}
		name := filepath.Join("/dev", n.name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		err := unix.Mknod(name, mode, int(unix.Mkdev(n.major, n.minor)))
		if err != nil && !errors.Is(err, unix.EEXIST) {
			return fmt.Errorf("make %s: %w", name, err)
		}
	}
	return nil
}

func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open a socket to set lo up: %w", err)
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req); err != nil {
		return fmt.Errorf("set lo up: %w", err)
	}
	return nil
}

// command runs the command and returns its exit status as a shell would.
func (g *guest) command(release string, stdout, stderr *os.File) (int, error) {
	env := guestEnv(g.cfg.Env, g.cfg.Name, release)
	for _, kv := range env {
		// exec.LookPath below reads the PATH of this process.
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			os.Setenv("PATH", v)
		}
	}
	if err := os.Chdir(g.cfg.Dir); err != nil {
		return 0, fmt.Errorf("enter the working folder: %w", err)
	}
	file, err := exec.LookPath(g.cfg.Args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fmt.Fprintf(stderr, "lvs-kernel: %v\n", err)
		return statusOfLookup(err), nil
	}
	out, err := newPump(stdout)
	if err != nil {
		return 0, err
	}
	errs, err := newPump(stderr)
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	pid, err := syscall.ForkExec(file, g.cfg.Args, &syscall.ProcAttr{
		Dir: g.cfg.Dir, Env: env,
		Files: []uintptr{null.Fd(), out.w.Fd(), errs.w.Fd()},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	out.w.Close()
	errs.w.Close()
	if err != nil {
		fmt.Fprintf(stderr, "lvs-kernel: start %s: %v\n", file, err)
		return exitNoExec, nil
	}
	g.report("start")
	status := waitFor(pid)
	// A process left behind would hold the pipes open for ever.
	_ = unix.Kill(-1, unix.SIGKILL)
	out.wait()
	errs.wait()
	return status, nil
}

func statusOfLookup(err error) int {
	if errors.Is(err, os.ErrPermission) {
		return exitNoExec
	}
	return exitNoFile
}

// waitFor reaps children, as init must, until pid has ended.
func waitFor(pid int) int {
	for {
		var ws unix.WaitStatus
		got, err := unix.Wait4(-1, &ws, 0, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return exitRunner
		case got != pid:
			continue
		case ws.Signaled():
			return 128 + int(ws.Signal())
		case ws.Exited():
			return ws.ExitStatus()
		}
	}
}

// A pump carries what the command writes to a line to the runner. The
// command itself sees a pipe, never a terminal.
type pump struct {
	w    *os.File
	done sync.WaitGroup
}

func newPump(line *os.File) (*pump, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p := &pump{w: w}
	p.done.Go(func() {
		// When the line fails the runner is gone, and so is everything.
		_, _ = io.Copy(line, r)
		_ = unix.IoctlSetInt(int(line.Fd()), unix.TCSBRK, 1) // Drain.
	})
	return p, nil
}

func (p *pump) wait() { p.done.Wait() }
