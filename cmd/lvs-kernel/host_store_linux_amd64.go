package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// A store is the folder that kernels are kept in:
//
//	VERSION.lock           held while VERSION is read or changed
//	VERSION.json           what is there: a stored record
//	VERSION/PACKAGEVERSION-N/  the unpacked kernel
//	VERSION/PACKAGEVERSION-N/in-use  locked by each runner of that kernel
type store struct {
	dir    string
	mirror string
	stderr io.Writer
}

// stored describes an unpacked kernel.
type stored struct {
	Kernel  string    // VERSION of the command line.
	Suite   string    // Debian suite.
	Package string    // The package that holds the kernel itself.
	Version string    // That package's version.
	Release string    // What uname -r prints inside.
	Fetched time.Time // When it was downloaded.
	Dir     string    // Where it was unpacked. The kernel names its loader by this path.
	Format  int       // storeFormat.

	padded bool // Whether this run pads the processor state.
}

// storeFormat changes when an older lvs-kernel's folders are of no use.
const storeFormat = 1

func openStore(o options, stderr io.Writer) (*store, error) {
	dir := o.cache
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return nil, fmt.Errorf("find the user's cache folder: %w; name one with -cache DIR", err)
		}
		dir = filepath.Join(base, "lvs-kernel")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of kernels: %w; name another with -cache DIR", err)
	}
	return &store{dir: dir, mirror: o.mirror, stderr: stderr}, nil
}

// read returns what is stored of a kernel; false when nothing of use is.
func (s *store) read(name string) (stored, bool) {
	var k stored
	b, err := os.ReadFile(filepath.Join(s.dir, name+".json"))
	if err != nil || json.Unmarshal(b, &k) != nil || k.Format != storeFormat {
		return stored{}, false
	}
	if _, err := os.Stat(filepath.Join(k.Dir, inUseFile)); err != nil {
		return stored{}, false
	}
	// A cache that was moved: the kernel's loader is not where it says.
	if rel, err := filepath.Rel(s.dir, k.Dir); err != nil || !filepath.IsLocal(rel) {
		return stored{}, false
	}
	return k, true
}

const inUseFile = "in-use"

// get returns the kernel that is asked for, fetched if need be, and keeps it
// from being removed until release is called.
func (s *store) get(ctx context.Context, o options) (got stored, release func(), err error) {
	k := o.kernel
	unlock, err := s.lock(ctx, filepath.Join(s.dir, k.name+".lock"))
	if err != nil {
		return got, nil, err
	}
	defer unlock()
	got, ok := s.read(k.name)
	if !ok || o.update {
		if got, err = s.fetch(ctx, k, got); err != nil {
			return got, nil, fmt.Errorf("fetch the kernel %s: %w", k.name, err)
		}
	}
	if err := indexForKmod(got); err != nil {
		return got, nil, err
	}
	if got.padded, err = s.pad(ctx, k, got, o.pad); err != nil {
		return got, nil, err
	}
	f, err := os.Open(filepath.Join(got.Dir, inUseFile))
	if err != nil {
		return got, nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_SH); err != nil {
		f.Close()
		return got, nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return got, func() { f.Close() }, nil
}

// lock waits for a lock file. Another runner holds it while it downloads.
func (s *store) lock(ctx context.Context, name string) (unlock func(), err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	for told := false; ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
		if !told {
			told = true
			fmt.Fprintf(s.stderr, "lvs-kernel: waiting for another lvs-kernel that uses %s\n", name)
		}
	}
}

// fetch downloads the newest version of a kernel unless it is old itself.
func (s *store) fetch(ctx context.Context, k kernel, old stored) (stored, error) {
	home := filepath.Join(s.dir, k.name)
	if err := os.MkdirAll(home, 0o755); err != nil {
		return old, err
	}
	tmp, err := os.MkdirTemp(home, "fetch-")
	if err != nil {
		return old, err
	}
	defer os.RemoveAll(tmp)
	f, err := newFetcher(ctx, tmp, k.suite, s.mirror, s.stderr)
	if err != nil {
		return old, err
	}
	pkg, version, err := f.newest(k)
	if err != nil {
		return old, err
	}
	if old.Package == pkg && old.Version == version {
		fmt.Fprintf(s.stderr, "lvs-kernel: %s %s is the newest of Debian %s\n", pkg, version, k.suite)
		return old, nil
	}
	dir, err := os.MkdirTemp(home, version+"-")
	if err != nil {
		return old, err
	}
	got := stored{Kernel: k.name, Suite: k.suite, Package: pkg, Version: version,
		Fetched: time.Now().UTC().Truncate(time.Second), Dir: dir, Format: storeFormat}
	if err := s.install(f, k, &got); err != nil {
		os.RemoveAll(dir)
		return old, err
	}
	s.removeOld(home, dir)
	fmt.Fprintf(s.stderr, "lvs-kernel: %s is Linux %s\n", k.name, got.Release)
	return got, nil
}

// newest returns the package that holds the kernel, and its version. A
// metapackage stands for the first image that it depends on.
func (f *fetcher) newest(k kernel) (pkg, version string, err error) {
	version, depends, err := f.candidate(k.pkg)
	if err != nil || !k.qemu {
		return k.pkg, version, err
	}
	if len(depends) == 0 {
		return "", "", fmt.Errorf("%s %s depends on no kernel", k.pkg, version)
	}
	version, _, err = f.candidate(depends[0])
	return depends[0], version, err
}

// install unpacks a kernel and records it.
func (s *store) install(f *fetcher, k kernel, got *stored) error {
	if err := os.Chmod(got.Dir, 0o755); err != nil {
		return err
	}
	unpack := unpackUML
	if k.qemu {
		unpack = unpackQEMU
	}
	var err error
	if got.Release, err = unpack(f, *got); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(got.Dir, inUseFile), nil, 0o644); err != nil {
		return err
	}
	b, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		return err
	}
	// The record is put in place last, at once.
	name := filepath.Join(s.dir, k.name+".json")
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}

// removeOld removes the unpacked kernels that no runner uses any more, and
// what a runner that was killed has left. Failures are left for next time.
func (s *store) removeOld(home, keep string) {
	all, _ := filepath.Glob(filepath.Join(home, "*"))
	for _, dir := range all {
		if dir == keep || filepath.Base(dir) == filepath.Base(keep) {
			continue
		}
		f, err := os.Open(filepath.Join(dir, inUseFile))
		if errors.Is(err, fs.ErrNotExist) {
			// Half unpacked; we hold the lock, so no other process uses it.
			os.RemoveAll(dir)
			continue
		}
		if err != nil {
			continue
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(dir)
		}
		f.Close()
	}
}

// releaseOf names the one kernel release in a folder of modules.
func releaseOf(modules string) (string, error) {
	list, err := os.ReadDir(modules)
	if err != nil {
		return "", err
	}
	if len(list) != 1 {
		return "", fmt.Errorf("%s holds the modules of %d kernels, not of one", modules, len(list))
	}
	return list[0].Name(), nil
}

func (k stored) modules() string { return filepath.Join(k.Dir, "modules", k.Release) }
