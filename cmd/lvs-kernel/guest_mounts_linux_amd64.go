package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// A mountPoint is one file system that init mounts.
type mountPoint struct {
	source, target, fstype string
	flags                  uintptr
	data                   string
}

// earlyMounts are what init itself needs, before it has a root of its own.
var earlyMounts = []mountPoint{
	{"proc", "/proc", "proc", 0, ""},
	{"dev", "/dev", "devtmpfs", 0, "mode=755"},
}

// lateMounts complete the root that the command sees.
var lateMounts = []mountPoint{
	{"proc", "/proc", "proc", 0, ""},
	{"sys", "/sys", "sysfs", 0, ""},
	{"dev", "/dev", "devtmpfs", 0, "mode=755"},
	{"pts", "/dev/pts", "devpts", 0, "mode=620,ptmxmode=666"},
	{"shm", "/dev/shm", "tmpfs", 0, "mode=1777"},
	{"run", "/run", "tmpfs", 0, "mode=755"},
	{"tmp", guestTmp, "tmpfs", 0, "mode=1777"},
}

func mountAll(list []mountPoint) error {
	for _, m := range list {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		err := unix.Mount(m.source, m.target, m.fstype, m.flags, m.data)
		// The kernel may have mounted /dev already.
		if err != nil && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("mount %s on %s: %w", m.fstype, m.target, err)
		}
	}
	return nil
}

// switchRoot makes an overlay in memory over the host's file system the new root. All
// of the root can be written to, and nothing of that reaches the host.
func (g *guest) switchRoot(x *moduleIndex) error {
	lower, scratch := "/", "/tmp"
	if g.cfg.HostTag != "" {
		lower, scratch = "/host", "/scratch"
		m := mountPoint{g.cfg.HostTag, lower, "9p", unix.MS_RDONLY, nineOptions + ",cache=loose"}
		if err := mountAll([]mountPoint{m}); err != nil {
			return err
		}
	} else if err := loadModule(x, "overlay", ""); err != nil {
		return err
	}
	if err := mountAll([]mountPoint{{"scratch", scratch, "tmpfs", 0, "mode=700"}}); err != nil {
		return err
	}
	for _, d := range []string{"/upper", "/work", "/root"} {
		if err := os.Mkdir(scratch+d, 0o755); err != nil {
			return err
		}
	}
	root := scratch + "/root"
	if err := mountOverlay(root, lower, scratch+"/upper", scratch+"/work"); err != nil {
		return err
	}
	return enterRoot(root)
}

// mountOverlay prefers metacopy: with it a file whose times alone change, as
// in the go command's build cache, is not copied.
func mountOverlay(root, lower, upper, work string) error {
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work)
	err := unix.Mount("root", root, "overlay", 0, data+",metacopy=on")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("root", root, "overlay", 0, data)
	}
	if err != nil {
		return fmt.Errorf("mount an overlay of %s: %w", lower, err)
	}
	return nil
}

// enterRoot makes a mounted file system the root of every process, and of the
// kernel's own threads, which start modprobe.
func enterRoot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move the root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("enter the root: %w", err)
	}
	return os.Chdir("/")
}

// nineOptions are the options of every 9p mount.
const nineOptions = "trans=virtio,version=9p2000.L,msize=512000"

// mountWrites mounts the host's folders that the command may write to.
func (g *guest) mountWrites() error {
	for _, w := range g.cfg.Writes {
		m := mountPoint{"none", w.Path, "hostfs", 0, w.Path}
		if w.Tag != "" {
			m = mountPoint{w.Tag, w.Path, "9p", 0, nineOptions + ",cache=mmap"}
		}
		if err := mountAll([]mountPoint{m}); err != nil {
			return err
		}
	}
	return nil
}
