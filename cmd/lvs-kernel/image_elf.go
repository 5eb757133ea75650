package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
)

// setInterpreter makes an x86-64 program start through another dynamic
// loader, so that a kernel built for a newer libc than the host's runs with
// its own. The new path is put at the end of the file, and the program header
// is pointed there; only the host's kernel reads it from there.
func setInterpreter(file, loader string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if b, err = patchInterpreter(b, loader); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.WriteFile(file, b, 0o755)
}

func patchInterpreter(b []byte, loader string) ([]byte, error) {
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if f.Class != elf.ELFCLASS64 || f.ByteOrder != binary.LittleEndian {
		return nil, fmt.Errorf("is a %v %v program, not one for x86-64", f.Class, f.ByteOrder)
	}
	// e_phoff and e_phentsize of the ELF header; debug/elf does not export
	// where a program header lies.
	off := binary.LittleEndian.Uint64(b[32:])
	size := uint64(binary.LittleEndian.Uint16(b[54:]))
	for i, p := range f.Progs {
		if p.Type != elf.PT_INTERP {
			continue
		}
		head := b[off+uint64(i)*size:]
		binary.LittleEndian.PutUint64(head[8:], uint64(len(b)))         // p_offset
		binary.LittleEndian.PutUint64(head[32:], uint64(len(loader)+1)) // p_filesz
		return append(append(b, loader...), 0), nil
	}
	return nil, fmt.Errorf("names no interpreter")
}

// isStatic reports whether a program runs without a dynamic loader.
func isStatic(file string) (bool, error) {
	f, err := elf.Open(file)
	if err != nil {
		return false, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return false, nil
		}
	}
	return true, nil
}
