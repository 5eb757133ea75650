package main

import (
	"bytes"
	"path/filepath"
	"testing"
)

func TestArchive(t *testing.T) {
	var b bytes.Buffer
	a := &archive{w: &b}
	a.dir("dev")
	a.entry("dev/null", cpioChar|0o666, 1, 3, nil)
	a.entry("init", cpioFile|0o755, 0, 0, []byte("12345"))
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	got := b.Bytes()
	if len(got)%4 != 0 {
		t.Errorf("the length %d is not a multiple of four", len(got))
	}
	first := "070701" + "00000001" + "000041ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000" +
		"00000000" + "00000000" + "00000000" + "00000000" + "00000004" + "00000000" + "dev\x00"
	if !bytes.HasPrefix(got, []byte(first)) {
		t.Errorf("the archive begins %q, want %q", got[:len(first)], first)
	}
	for _, want := range []string{"init\x00\x00", "12345\x00\x00\x00070701", "TRAILER!!!\x00"} {
		if !bytes.Contains(got, []byte(want)) {
			t.Errorf("the archive lacks %q", want)
		}
	}
}

func TestArchiveMissingFile(t *testing.T) {
	var b bytes.Buffer
	a := &archive{w: &b}
	a.copy("x", filepath.Join(t.TempDir(), "nosuch"))
	if err := a.close(); err == nil {
		t.Error("a file that is not there gave no error")
	}
}
