package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// guestMain runs what this binary is inside the kernel: init when it is the
// first process, a small modprobe or rmmod when it is called by that name; and
// on the host, the guard of a runner.
// It reports false when the process is the runner on the host.
func guestMain(args []string) (int, bool) {
	switch filepath.Base(args[0]) {
	case "modprobe":
		return applet(modprobe, args), true
	case "rmmod":
		return applet(rmmod, args), true
	case guardName:
		if len(args) == 2 {
			return guardMain(args[1], os.Stdin), true
		}
	}
	cfg := os.Getenv(guestConfigEnv)
	if os.Getpid() != 1 || cfg == "" {
		return 0, false
	}
	runInit(cfg)
	return 0, true
}

func applet(run func(*moduleIndex, []string) error, args []string) int {
	x, err := runningModules()
	if err == nil {
		err = run(x, args[1:])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(args[0]), err)
		return 1
	}
	return 0
}

// runningModules reads the index of the running kernel's modules.
func runningModules() (*moduleIndex, error) {
	release, err := kernelRelease()
	if err != nil {
		return nil, err
	}
	return readModuleIndex("/lib/modules/" + release)
}

func kernelRelease() (string, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(u.Release[:]), nil
}

// modprobe loads the named module, or all of them with -a, or removes them
// with -r. It knows no module parameters beyond "name=value" words.
func modprobe(x *moduleIndex, args []string) error {
	var remove, all, quiet bool
	var words []string
	for _, a := range args {
		switch {
		case a == "-r" || a == "--remove":
			remove = true
		case a == "-a" || a == "--all":
			all = true
		case a == "-q" || a == "--quiet":
			quiet = true
		case a == "--":
		case strings.HasPrefix(a, "-"):
			return fmt.Errorf("flag %s is unknown to the small modprobe of lvs-kernel; install kmod on the host", a)
		default:
			words = append(words, a)
		}
	}
	if len(words) == 0 {
		return fmt.Errorf("no module named")
	}
	if remove {
		return removeModules(x, words)
	}
	names, params := words[:1], strings.Join(words[1:], " ")
	if all {
		names, params = words, ""
	}
	for _, name := range names {
		// The kernel asks with -q for many a thing that no module provides.
		if err := loadModule(x, name, params); err != nil && !quiet {
			return err
		}
	}
	return nil
}

// loadModule loads a module and what it needs.
func loadModule(x *moduleIndex, name, params string) error {
	order, err := x.loadOrder(name)
	if err != nil {
		return err
	}
	for i, file := range order {
		p := ""
		if i == len(order)-1 {
			p = params
		}
		if err := insmod(file, p); err != nil {
			return err
		}
	}
	return nil
}

// insmod loads one file. An error is not reported if the module is already loaded.
func insmod(file, params string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	err = unix.FinitModule(int(f.Fd()), params, 0)
	if err != nil && err != unix.EEXIST {
		return fmt.Errorf("load %s: %w", file, err)
	}
	return nil
}

func rmmod(_ *moduleIndex, args []string) error {
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			continue
		}
		if err := unix.DeleteModule(moduleName(a), unix.O_NONBLOCK); err != nil {
			return fmt.Errorf("remove %s: %w", a, err)
		}
	}
	return nil
}

// removeModules removes modules, and then those they needed that nothing uses
// any more, as modprobe -r does.
func removeModules(x *moduleIndex, names []string) error {
	for _, arg := range names {
		for _, name := range x.resolve(arg) {
			if !isLoaded(name) {
				continue
			}
			if err := unix.DeleteModule(name, unix.O_NONBLOCK); err != nil {
				return fmt.Errorf("remove %s: %w", name, err)
			}
			for _, dep := range x.deps[name] {
				if unused(moduleName(dep)) {
					// Something may have begun to use it just now.
					_ = unix.DeleteModule(moduleName(dep), unix.O_NONBLOCK)
				}
			}
		}
	}
	return nil
}

func isLoaded(name string) bool {
	_, err := os.Stat("/sys/module/" + name + "/initstate")
	return err == nil
}

func unused(name string) bool {
	b, err := os.ReadFile("/sys/module/" + name + "/refcnt")
	return err == nil && strings.TrimSpace(string(b)) == "0"
}
