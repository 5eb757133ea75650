package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"testing"
)

// smallProgram is a program of headers alone, which names an interpreter.
func smallProgram(t *testing.T, kind elf.ProgType) []byte {
	t.Helper()
	const interp = "/lib64/ld.so\x00"
	head := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	}
	progs := []elf.Prog64{
		{Type: uint32(elf.PT_LOAD), Off: 0, Filesz: 64},
		{Type: uint32(kind), Off: 64 + 2*56, Vaddr: 0x400, Filesz: uint64(len(interp)), Memsz: uint64(len(interp))},
	}
	var b bytes.Buffer
	for _, v := range []any{head, progs, []byte(interp)} {
		if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func TestPatchInterpreter(t *testing.T) {
	const want = "/home/someone/.cache/lvs-kernel/6.12/lib/ld-linux-x86-64.so.2"
	b, err := patchInterpreter(smallProgram(t, elf.PT_INTERP), want)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	p := f.Progs[1]
	got, err := io.ReadAll(io.NewSectionReader(p.ReaderAt, 0, int64(p.Filesz)))
	if err != nil || string(got) != want+"\x00" {
		t.Errorf("got the interpreter %q and the error %v", got, err)
	}
	if p.Vaddr != 0x400 {
		t.Errorf("the address became %#x", p.Vaddr)
	}
}

func TestPatchInterpreterErrors(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":          nil,
		"no program":     []byte("#!/bin/sh\n"),
		"no interpreter": smallProgram(t, elf.PT_NOTE),
		"cut short":      smallProgram(t, elf.PT_INTERP)[:70],
	} {
		if _, err := patchInterpreter(b, "/x"); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
