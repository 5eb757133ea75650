package main

import (
	"slices"
	"testing"
)

func TestParseModInfo(t *testing.T) {
	m := parseModInfo([]byte("license=GPL\x00alias=devname:net/tun\x00alias=char-major-10-200\x00depends=a-b,c\x00retpoline=Y\x00\x00odd"))
	if want := []string{"a_b", "c"}; !slices.Equal(m.depends, want) {
		t.Errorf("depends are %q, want %q", m.depends, want)
	}
	if want := []string{"devname:net/tun", "char-major-10-200"}; !slices.Equal(m.aliases, want) {
		t.Errorf("aliases are %q, want %q", m.aliases, want)
	}
	if m := parseModInfo([]byte("depends=\x00")); m.depends != nil {
		t.Errorf("depends of an independent module are %q", m.depends)
	}
}

// testModules is a diamond, a module whose need is missing, and a circle.
func testModules() map[string]modInfo {
	return map[string]modInfo{
		"top":   {file: "top.ko", depends: []string{"left", "right"}},
		"left":  {file: "left.ko", depends: []string{"base"}},
		"right": {file: "right.ko", depends: []string{"base"}, aliases: []string{"rtnl-link-right"}},
		"base":  {file: "base.ko", aliases: []string{"devname:net/base", "char-major-10-200"}},
		"lost":  {file: "lost.ko", depends: []string{"nowhere"}},
		"c1":    {file: "c1.ko", depends: []string{"c2"}},
		"c2":    {file: "c2.ko", depends: []string{"c1"}},
	}
}

func TestFormatDep(t *testing.T) {
	want := "base.ko: \nleft.ko: base.ko\nright.ko: base.ko\ntop.ko: right.ko left.ko base.ko\n"
	if got := formatDep(testModules()); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// What is written must load in the right order when it is read again.
func TestFormatDepLoadOrder(t *testing.T) {
	x := &moduleIndex{builtin: map[string]bool{}}
	x.files, x.deps = parseDep([]byte(formatDep(testModules())))
	got, err := x.loadOrder("top")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"base.ko", "left.ko", "right.ko", "top.ko"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFormatAliasesAndDevnames(t *testing.T) {
	if got, want := formatAliases(testModules()), "alias char-major-10-200 base\nalias rtnl-link-right right\n"; got != want {
		t.Errorf("aliases: got %q, want %q", got, want)
	}
	if got, want := formatDevnames(testModules()), "base net/base c10:200\n"; got != want {
		t.Errorf("device names: got %q, want %q", got, want)
	}
}
