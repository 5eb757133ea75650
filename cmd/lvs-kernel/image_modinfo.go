package main

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// modInfo is what a module says of itself in its section .modinfo.
type modInfo struct {
	file    string // Relative to the folder of modules.
	depends []string
	aliases []string
}

// writeModuleIndex writes modules.dep, modules.alias and modules.devname for a
// folder of modules, as depmod does: Debian's packages of kernels leave that
// to the machine where they are installed.
func writeModuleIndex(dir string) error {
	mods, err := readModInfos(dir)
	if err != nil {
		return err
	}
	for name, text := range map[string]string{
		"modules.dep":     formatDep(mods),
		"modules.alias":   formatAliases(mods),
		"modules.devname": formatDevnames(mods),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func readModInfos(dir string) (map[string]modInfo, error) {
	mods := map[string]modInfo{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(p, ".ko") {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		section, err := modinfoSection(p)
		if err != nil {
			return fmt.Errorf("%s: %w", rel, err)
		}
		m := parseModInfo(section)
		m.file = filepath.ToSlash(rel)
		mods[moduleName(rel)] = m
		return nil
	})
	return mods, err
}

func modinfoSection(file string) ([]byte, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("is no kernel module: it has no section .modinfo")
	}
	return s.Data()
}

// parseModInfo reads the strings "key=value", each ended by a zero byte.
func parseModInfo(b []byte) modInfo {
	var m modInfo
	for s := range strings.SplitSeq(string(b), "\x00") {
		key, value, _ := strings.Cut(s, "=")
		switch {
		case value == "":
		case key == "depends":
			for _, d := range strings.Split(value, ",") {
				m.depends = append(m.depends, underscores(d))
			}
		case key == "alias":
			m.aliases = append(m.aliases, value)
		}
	}
	return m
}

// formatDep leaves out modules that need one which is not there.
func formatDep(mods map[string]modInfo) string {
	var b strings.Builder
	for _, name := range sortedNames(mods) {
		order, ok := needsOf(mods, name, nil, 0)
		if !ok {
			continue
		}
		// The module itself is the last to load; the first to load is
		// written last.
		slices.Reverse(order)
		files := make([]string, len(order))
		for i, n := range order {
			files[i] = mods[n].file
		}
		fmt.Fprintf(&b, "%s: %s\n", files[0], strings.Join(files[1:], " "))
	}
	return b.String()
}

// needsOf appends to order the modules that name needs, and name itself, in
// the order to load them. It is false when one is missing.
func needsOf(mods map[string]modInfo, name string, order []string, depth int) ([]string, bool) {
	m, ok := mods[name]
	if !ok || depth > len(mods) { // As deep as that is a circle.
		return nil, false
	}
	if slices.Contains(order, name) {
		return order, true
	}
	for _, d := range m.depends {
		if order, ok = needsOf(mods, d, order, depth+1); !ok {
			return nil, false
		}
	}
	return append(order, name), true
}

func formatAliases(mods map[string]modInfo) string {
	var b strings.Builder
	for _, name := range sortedNames(mods) {
		for _, a := range mods[name].aliases {
			if !strings.HasPrefix(a, "devname:") {
				fmt.Fprintf(&b, "alias %s %s\n", a, name)
			}
		}
	}
	return b.String()
}

// formatDevnames joins a module's alias devname:NAME with its
// char-major-X-Y or block-major-X-Y.
func formatDevnames(mods map[string]modInfo) string {
	var b strings.Builder
	for _, name := range sortedNames(mods) {
		var dev, number string
		for _, a := range mods[name].aliases {
			if v, ok := strings.CutPrefix(a, "devname:"); ok {
				dev = v
			}
			var major, minor int
			if n, _ := fmt.Sscanf(a, "char-major-%d-%d", &major, &minor); n == 2 {
				number = fmt.Sprintf("c%d:%d", major, minor)
			} else if n, _ := fmt.Sscanf(a, "block-major-%d-%d", &major, &minor); n == 2 {
				number = fmt.Sprintf("b%d:%d", major, minor)
			}
		}
		if dev != "" && number != "" {
			fmt.Fprintf(&b, "%s %s %s\n", name, dev, number)
		}
	}
	return b.String()
}

func sortedNames(mods map[string]modInfo) []string {
	names := make([]string, 0, len(mods))
	for n := range mods {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
