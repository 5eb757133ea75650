package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestMain lets the test binary be the program itself when a link calls it, because
// nothing is compiled inside a kernel.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "ipvsadm", "ipvsadm-save", "ipvsadm-restore", "lvs":
		main()
	case childName:
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// linkTo makes a link to the program.
func linkTo(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, path); err != nil {
		t.Fatal(err)
	}
	return path
}
