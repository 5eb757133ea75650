package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// A moduleIndex is what a folder of kernel modules holds, read from the
// text files that depmod writes there. Reading them ourselves means that no
// host needs kmod, whatever form the binary indexes beside them have.
type moduleIndex struct {
	dir     string
	files   map[string]string   // Module name to file, relative to dir.
	deps    map[string][]string // Module name to the files it needs, nearest first.
	aliases []moduleAlias
	builtin map[string]bool
}

type moduleAlias struct{ pattern, name string }

// A deviceNode is a line of modules.devname: a device file whose first use
// loads its module.
type deviceNode struct {
	name         string
	char         bool
	major, minor uint32
}

// readModuleIndex reads the index of dir. Only modules.dep must be there.
func readModuleIndex(dir string) (*moduleIndex, error) {
	dep, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	x := &moduleIndex{dir: dir, builtin: map[string]bool{}}
	x.files, x.deps = parseDep(dep)
	alias, err := readIfExists(filepath.Join(dir, "modules.alias"))
	if err != nil {
		return nil, err
	}
	x.aliases = parseAliases(alias)
	builtin, err := readIfExists(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(builtin) {
		x.builtin[moduleName(string(bytes.TrimSpace(line)))] = true
	}
	return x, nil
}

func readIfExists(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// parseDep reads modules.dep: a line "FILE: FILE…" for each module.
func parseDep(b []byte) (files map[string]string, deps map[string][]string) {
	files, deps = map[string]string{}, map[string][]string{}
	for line := range strings.Lines(string(b)) {
		file, rest, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		name := moduleName(file)
		files[name] = file
		deps[name] = strings.Fields(rest)
	}
	return files, deps
}

// parseAliases reads modules.alias: a line "alias PATTERN MODULE" for each.
func parseAliases(b []byte) []moduleAlias {
	var out []moduleAlias
	s := bufio.NewScanner(bytes.NewReader(b))
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) == 3 && f[0] == "alias" {
			out = append(out, moduleAlias{pattern: f[1], name: moduleName(f[2])})
		}
	}
	return out
}

// parseDevnames reads modules.devname: lines "MODULE NAME cMAJOR:MINOR".
func parseDevnames(b []byte) []deviceNode {
	var out []deviceNode
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 3 || strings.HasPrefix(f[0], "#") {
			continue
		}
		var kind rune
		n := deviceNode{name: f[1]}
		if _, err := fmt.Sscanf(f[2], "%c%d:%d", &kind, &n.major, &n.minor); err != nil {
			continue
		}
		n.char = kind == 'c'
		if filepath.IsLocal(n.name) {
			out = append(out, n)
		}
	}
	return out
}

// loadOrder returns the files to load for a module's name or alias, in order.
// Nothing is to be loaded for what is built into the kernel.
func (x *moduleIndex) loadOrder(name string) ([]string, error) {
	names := x.resolve(name)
	if len(names) == 0 {
		if x.builtin[moduleName(name)] {
			return nil, nil
		}
		return nil, fmt.Errorf("module %s: not found in %s", name, x.dir)
	}
	var order []string
	seen := map[string]bool{}
	for _, n := range names {
		needs := append([]string{x.files[n]}, x.deps[n]...)
		// depmod writes the deepest need last.
		for i := len(needs) - 1; i >= 0; i-- {
			if !seen[needs[i]] {
				seen[needs[i]] = true
				order = append(order, x.file(needs[i]))
			}
		}
	}
	return order, nil
}

func (x *moduleIndex) file(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(x.dir, name)
}

// resolve turns a module's name or an alias into module names.
func (x *moduleIndex) resolve(name string) []string {
	if n := moduleName(name); x.files[n] != "" {
		return []string{n}
	}
	var out []string
	for _, a := range x.aliases {
		if x.files[a.name] != "" && aliasMatches(a.pattern, name) {
			out = append(out, a.name)
		}
	}
	return out
}

// aliasMatches compares as modprobe does: a dash equals an underscore.
func aliasMatches(pattern, name string) bool {
	ok, err := path.Match(underscores(pattern), underscores(name))
	return err == nil && ok
}

// moduleName turns a file's name into the module's: nf-x.ko.xz is nf_x.
func moduleName(file string) string {
	base, _, _ := strings.Cut(path.Base(file), ".ko")
	return underscores(base)
}

func underscores(s string) string { return strings.ReplaceAll(s, "-", "_") }

// wantedDirs are the folders of modules that networks and the runner need,
// out of the thousands of drivers in Debian's kernels.
var wantedDirs = []string{
	"net/", "lib/", "crypto/", "arch/x86/crypto/",
	"fs/9p/", "fs/netfs/", "fs/fscache/", "fs/overlayfs/",
	"drivers/virtio/", "drivers/char/virtio_console", "drivers/net/wireguard/",
	"drivers/net/vxlan/", "drivers/net/bonding/", "drivers/net/ipvlan/", "drivers/net/team/",
}

// wantedModule reports whether a file of a kernel's folder of modules is kept.
func wantedModule(name string) bool {
	in, ok := strings.CutPrefix(name, "kernel/")
	if !ok {
		return strings.HasPrefix(name, "modules.") && !strings.Contains(name, "/")
	}
	for _, d := range wantedDirs {
		if strings.HasPrefix(in, d) {
			return true
		}
	}
	// The virtual devices lie at the top; hardware has folders.
	file, ok := strings.CutPrefix(in, "drivers/net/")
	return ok && !strings.Contains(file, "/")
}
