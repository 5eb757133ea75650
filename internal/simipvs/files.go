package simipvs

import (
	"io/fs"
	"strings"
	"syscall"
)

// WriteFile writes a file of /proc/sys/net/ipv4/vs. A value that the kernel
// would refuse, or that is not simulated, is an error.
func (k *Kernel) WriteFile(path string, data []byte) error {
	k.lock()
	defer k.mu.Unlock()
	return k.writeFile(path, data)
}

func (k *Kernel) writeFile(path string, data []byte) error {
	c, ok := k.sysctl.byPath[path]
	if !ok {
		if k.proc(path) != nil {
			return fs.ErrPermission
		}
		return notFile(path)
	}
	return k.writeSysctl(c, string(data))
}

// ReadFile returns a file of /proc/sys/net/ipv4/vs, or one of IPVS's in
// /proc/net. Unless memory is plenty, there is also how much is free.
func (k *Kernel) ReadFile(path string) ([]byte, error) {
	k.lock()
	defer k.mu.Unlock()
	if c, ok := k.sysctl.byPath[path]; ok {
		return []byte(c.read()), nil
	}
	if list := k.proc(path); list != nil {
		return list(k), nil
	}
	switch path {
	case "/proc/sys/kernel/osrelease":
		return []byte(k.opts.Release.String() + "\n"), nil
	case "/proc/sys/kernel/version":
		return []byte("simulated\n"), nil
	case "/proc/meminfo":
		if k.defences.freePages > 0 {
			return k.memory(), nil
		}
	}
	return nil, notFile(path)
}

// notFile returns why a path is not a file.
func notFile(path string) error {
	if strings.TrimSuffix(path, "/")+"/" == vsFolder {
		return syscall.EISDIR
	}
	return syscall.ENOENT
}
