package main

import (
	"context"
	"debug/elf"
	_ "embed"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
)

// User-Mode Linux before 6.16 gives the host less processor state than it accepts
// where the processor has AMX, and panics. A shared object, loaded into
// the kernel's process, pads it.

//go:embed preload/xstate.c
var paddingSource []byte

// paddingFile is the shared object in the folder lib of a stored kernel. Its
// name changes with its source.
var paddingFile = fmt.Sprintf("xstate-%08x.so", crc32.ChecksumIEEE(paddingSource))

// pad reports whether the kernel's processor state has to be padded, and makes what
// that needs. The caller holds the kernel's lock.
func (s *store) pad(ctx context.Context, k kernel, got stored, when string) (bool, error) {
	if k.saves == 0 {
		return false, nil
	}
	area, err := stateArea()
	if err != nil {
		return false, k.cannotRun(err)
	}
	if !needsPadding(k, area, when) {
		return false, nil
	}
	file := filepath.Join(got.Dir, "lib", paddingFile)
	if _, err := os.Stat(file); err == nil {
		return true, nil
	}
	if err := s.buildPadding(ctx, k, file); err != nil {
		return false, k.cannotRun(fmt.Errorf("it gives %d bytes of processor state to the host, which accepts no less than %d (as with AMX), and the padding cannot be built: %w",
			k.saves, area, err))
	}
	return true, nil
}

func needsPadding(k kernel, area int, when string) bool {
	switch when {
	case padAlways:
		return k.saves != 0
	case padNever:
		return false
	}
	return k.saves != 0 && area > k.saves
}

// compilers are looked for on the PATH. If none will do, tcc is fetched.
var compilers = []string{"cc", "gcc", "clang", "tcc"}

// buildPadding makes the shared object.
func (s *store) buildPadding(ctx context.Context, k kernel, file string) error {
	tmp, err := os.MkdirTemp(filepath.Join(s.dir, k.name), "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	source, made := filepath.Join(tmp, "xstate.c"), filepath.Join(tmp, paddingFile)
	if err := os.WriteFile(source, paddingSource, 0o644); err != nil {
		return err
	}
	for _, name := range compilers {
		if path, err := exec.LookPath(name); err == nil && compile(ctx, []string{path}, source, made) == nil {
			return os.Rename(made, file)
		}
	}
	tcc, err := s.fetchCompiler(ctx, k, tmp)
	if err != nil {
		return fmt.Errorf("no C compiler on the PATH (cc, gcc, clang, tcc), and tcc cannot be fetched: %w", err)
	}
	if err := compile(ctx, tcc, source, made); err != nil {
		return err
	}
	return os.Rename(made, file)
}

// compile makes a shared object of a source, and checks it.
func compile(ctx context.Context, compiler []string, source, file string) error {
	args := append(compiler[1:], "-shared", "-fPIC", "-nostdlib", "-O2", "-o", file, source)
	out, err := exec.CommandContext(ctx, compiler[0], args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("compile %s: %w: %s", filepath.Base(source), err, lastLines(string(out), 5))
	}
	return checkPadding(file)
}

// checkPadding reports whether a file is a shared object for x86-64 that has
// the function ptrace: compilers for other machines go by the same names.
func checkPadding(file string) error {
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return err
	}
	if f.Type != elf.ET_DYN || f.Machine != elf.EM_X86_64 || f.Class != elf.ELFCLASS64 {
		return fmt.Errorf("the compiler made %v for %v", f.Type, f.Machine)
	}
	for _, s := range symbols {
		if s.Name == "ptrace" && s.Section != elf.SHN_UNDEF {
			return nil
		}
	}
	return errors.New("the compiler made a shared object without the function ptrace")
}

// fetchCompiler fetches tcc, which is small, and the libraries that it was
// built for. It returns the command.
func (s *store) fetchCompiler(ctx context.Context, k kernel, dir string) ([]string, error) {
	f, err := newFetcher(ctx, dir, k.suite, s.mirror, s.stderr)
	if err != nil {
		return nil, err
	}
	version, _, err := f.candidate("tcc")
	if err != nil {
		return nil, err
	}
	deb, err := f.download("tcc", version)
	if err != nil {
		return nil, err
	}
	program := filepath.Join(dir, "tcc")
	err = f.unpack(deb, func(name string) string {
		if name == "bin/tcc" {
			return program
		}
		return ""
	})
	if err != nil {
		return nil, err
	}
	if err := unpackLibc(f, dir, loader, "libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0"); err != nil {
		return nil, err
	}
	lib := filepath.Join(dir, "lib")
	return []string{filepath.Join(lib, loader), "--library-path", lib, program}, nil
}
