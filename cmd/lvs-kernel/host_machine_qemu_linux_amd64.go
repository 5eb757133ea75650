package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const qemuProgram = "qemu-system-x86_64"

// unpackQEMU unpacks a kernel of Debian with the modules that a router may
// need, uncompressed.
func unpackQEMU(f *fetcher, k stored) (release string, err error) {
	if err := needTools("xz"); err != nil {
		return "", err
	}
	deb, err := f.download(k.Package, k.Version)
	if err != nil {
		return "", err
	}
	err = f.unpack(deb, func(name string) string {
		if strings.HasPrefix(name, "boot/vmlinuz-") {
			return filepath.Join(k.Dir, "vmlinuz")
		}
		rest, ok := strings.CutPrefix(name, "lib/modules/")
		if _, in, _ := strings.Cut(rest, "/"); ok && wantedModule(in) {
			return filepath.Join(k.Dir, "modules", rest)
		}
		return ""
	})
	if err != nil {
		return "", err
	}
	if err := unxz(f, filepath.Join(k.Dir, "modules")); err != nil {
		return "", err
	}
	if release, err = releaseOf(filepath.Join(k.Dir, "modules")); err != nil {
		return "", err
	}
	return release, writeModuleIndex(filepath.Join(k.Dir, "modules", release))
}

// unxz decompresses the modules that are compressed.
func unxz(f *fetcher, dir string) error {
	var files []string
	err := filepath.WalkDir(dir, func(p string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(p, ".xz") {
			files = append(files, p)
		}
		return err
	})
	for len(files) > 0 && err == nil {
		n := min(len(files), 200)
		_, err = f.run("", append([]string{"xz", "-d"}, files[:n]...)...)
		files = files[n:]
	}
	return err
}

// bootModules are what the first file system needs to reach the host.
var bootModules = []string{"virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay"}

// qemuCommand returns the QEMU process. As in umlCommand, its descriptors 3,
// 4 and 5 are the lines of the guest. The host's file system is shared by 9p.
func qemuCommand(o options, k stored, run string, g *guestConfig) (*exec.Cmd, error) {
	if err := needTools(qemuProgram); err != nil {
		return nil, o.kernel.cannotRun(err)
	}
	args := []string{
		// Without -cx16, programs crash in some boots: a fault of TCG.
		"-accel", "tcg,thread=multi", "-M", "q35", "-cpu", "max,-cx16",
		"-m", fmt.Sprint(o.memory), "-smp", fmt.Sprint(o.cpus),
		"-nodefaults", "-no-user-config", "-nographic", "-no-reboot",
		"-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
		"-device", "virtio-serial-pci",
		"-kernel", filepath.Join(k.Dir, "vmlinuz"),
		"-initrd", filepath.Join(run, "initrd"),
		"-append", "console=ttyS0 panic=-1 quiet " + guestConfigEnv + "=" + initrdConfig,
	}
	for i, line := range []*string{&g.Control, &g.Stdout, &g.Stderr} {
		args = append(args, portArgs(i+1, i+3)...)
		*line = fmt.Sprintf("/dev/vport0p%d", i+1)
	}
	g.HostTag = "host"
	args = append(args, shareArgs(g.HostTag, "/", true)...)
	for i, d := range o.write {
		tag := fmt.Sprintf("write%d", i)
		args = append(args, shareArgs(tag, d, false)...)
		g.Writes = append(g.Writes, writeMount{Path: d, Tag: tag})
	}
	if err := writeInitrd(filepath.Join(run, "initrd"), k, g); err != nil {
		return nil, fmt.Errorf("make the first file system: %w", err)
	}
	return exec.Command(qemuProgram, args...), nil
}

// portArgs makes a port of the guest out of one of QEMU's descriptors.
func portArgs(port, fd int) []string {
	return []string{
		"-chardev", fmt.Sprintf("file,id=port%d,path=/proc/self/fd/%d", port, fd),
		"-device", fmt.Sprintf("virtserialport,nr=%d,chardev=port%d", port, port),
	}
}

// shareArgs shares a folder of the host.
func shareArgs(tag, dir string, readOnly bool) []string {
	fsdev := fmt.Sprintf("local,id=%s,path=%s,security_model=none,multidevs=remap", tag, strings.ReplaceAll(dir, ",", ",,"))
	if readOnly {
		fsdev += ",readonly=on"
	}
	return []string{"-fsdev", fsdev, "-device", fmt.Sprintf("virtio-9p-pci,fsdev=%s,mount_tag=%s", tag, tag)}
}

const initrdConfig = "/guest.gob"

// writeInitrd writes the first file system: this binary as init, the modules
// that reach the host, and the configuration.
func writeInitrd(file string, k stored, g *guestConfig) error {
	x, err := readModuleIndex(k.modules())
	if err != nil {
		return err
	}
	var buf bytes.Buffer
	a := &archive{w: &buf}
	for _, d := range []string{"dev", "proc", "modules"} {
		a.dir(d)
	}
	a.entry("dev/console", cpioChar|0o600, 5, 1, nil)
	a.entry("dev/null", cpioChar|0o666, 1, 3, nil)
	for _, name := range bootModules {
		order, err := x.loadOrder(name)
		if err != nil {
			return err
		}
		for _, f := range order {
			to := "modules/" + filepath.Base(f)
			a.copy(to, f)
			g.Boot = append(g.Boot, "/"+to)
		}
	}
	a.copy("init", g.Self)
	cfg := file + ".gob"
	if err := errors.Join(writeGuestConfig(cfg, *g), a.err); err != nil {
		return err
	}
	a.copy(strings.TrimPrefix(initrdConfig, "/"), cfg)
	if err := a.close(); err != nil {
		return err
	}
	return os.WriteFile(file, buf.Bytes(), 0o600)
}
