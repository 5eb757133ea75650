package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A fetcher downloads packages of one Debian suite through an apt
// configuration of its own, which leaves the host's as it is and needs no
// root.
type fetcher struct {
	ctx    context.Context
	dir    string // Working folder, removed by the caller.
	suite  string
	stderr io.Writer
	conf   string
}

// newFetcher writes the private configuration and reads the suite's lists.
func newFetcher(ctx context.Context, dir, suite, mirror string, stderr io.Writer) (*fetcher, error) {
	if err := needTools("apt-get", "dpkg-deb"); err != nil {
		return nil, err
	}
	f := &fetcher{ctx: ctx, dir: dir, suite: suite, stderr: stderr, conf: filepath.Join(dir, "apt.conf")}
	sources, err := f.sources(mirror)
	if err != nil {
		return nil, err
	}
	for _, d := range []string{"state/lists/partial", "cache/archives/partial", "deb"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	files := map[string]string{"sources.list": sources, "state/status": "", "apt.conf": aptConf(dir)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	_, err = f.apt("apt-get", "-q", "update")
	return f, err
}

// sources returns the lines of sources.list for the suite.
func (f *fetcher) sources(mirror string) (string, error) {
	if mirror != "" {
		return sourceLine(mirror, f.suite), nil
	}
	// Without the releases' own data this works before any apt-get update.
	out, err := f.run("", "apt-get", "indextargets", "--no-release-info", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	main, security := debianMirrors(out)
	if main == "" {
		return "", errors.New("this machine's apt configuration names no Debian mirror (apt-get indextargets lists none); name one with -mirror URL")
	}
	lines := sourceLine(main, f.suite)
	if f.suite != "sid" && security != "" {
		lines += sourceLine(security, f.suite+"-security")
	}
	return lines, nil
}

// apt runs a program of apt with the private configuration.
func (f *fetcher) apt(args ...string) ([]byte, error) {
	return f.run(f.conf, args...)
}

func (f *fetcher) run(conf string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(f.ctx, args[0], args[1:]...)
	cmd.Dir = filepath.Join(f.dir, "deb")
	if conf == "" {
		cmd.Dir = f.dir
	}
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if conf != "" {
		cmd.Env = append(cmd.Env, "APT_CONFIG="+conf)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, lastLines(stderr.String(), 5))
	}
	return stdout.Bytes(), nil
}

// candidate returns the newest version of a package, and what it depends on.
func (f *fetcher) candidate(pkg string) (version string, depends []string, err error) {
	out, err := f.apt("apt-cache", "show", "--no-all-versions", pkg)
	if err != nil {
		return "", nil, fmt.Errorf("look %s up in Debian %s: %w", pkg, f.suite, err)
	}
	version, depends = parseShow(string(out))
	if version == "" {
		return "", nil, fmt.Errorf("no package %s in Debian %s", pkg, f.suite)
	}
	return version, depends, nil
}

// download fetches a package and returns the file.
func (f *fetcher) download(pkg, version string) (string, error) {
	fmt.Fprintf(f.stderr, "lvs-kernel: downloading %s %s from Debian %s\n", pkg, version, f.suite)
	if _, err := f.apt("apt-get", "-q", "download", pkg+"="+version); err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(f.dir, "deb", pkg+"_*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("apt-get download %s left %d files, not one", pkg, len(found))
	}
	return found[0], nil
}

// unpack moves those files of a package for which place returns a path. It
// leaves the reading of the archive to dpkg-deb: archive/tar would make this
// program depend on cgo, and init must be static.
func (f *fetcher) unpack(deb string, place func(name string) string) error {
	dir := filepath.Join(f.dir, "unpacked")
	defer os.RemoveAll(dir)
	if _, err := f.run("", "dpkg-deb", "-x", deb, dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(from string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, from)
		if err != nil {
			return err
		}
		// Debian's usrmerge: /lib is a link to /usr/lib, in either spelling.
		to := place(strings.TrimPrefix(name, "usr/"))
		if to == "" {
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.Rename(from, to)
	})
}
