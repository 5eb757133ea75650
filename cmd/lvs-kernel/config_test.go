package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestGuestConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guest")
	want := guestConfig{Name: "6.1", Dir: "/d", Args: []string{"a", "b\nc"}, Env: []string{"X=\xff?"},
		Writes: []writeMount{{Path: "/w", Tag: "t"}}}
	if err := writeGuestConfig(file, want); err != nil {
		t.Fatal(err)
	}
	got, err := readGuestConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestGuestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "rubbish": "x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := readGuestConfig(file); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	file := filepath.Join(dir, "no command")
	if err := writeGuestConfig(file, guestConfig{}); err != nil {
		t.Fatal(err)
	}
	if _, err := readGuestConfig(file); err == nil {
		t.Error("a configuration without a command gave no error")
	}
	if _, err := readGuestConfig(filepath.Join(dir, "nosuch")); err == nil {
		t.Error("a file that is not there gave no error")
	}
}
