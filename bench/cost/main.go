// Command cost measures what a program pays for a library that manages IPVS: the
// packages that it is built from, the size of its binary, and the processor time of a
// build with an empty cache. Run it in the folder of the module bench.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// programs open IPVS, add a service with a real server, and read the table. The first
// one is empty.
var programs = []string{"hello", "cloudflare", "moby", "lvs"}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cost:", err)
		os.Exit(1)
	}
}

func run() error {
	fmt.Println("| program | packages | not of Go | binary, MB | stripped, MB | cold build, CPU s |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	for _, name := range programs {
		line, err := measure("./cost/" + name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("| %s | %s |\n", name, line)
	}
	return nil
}

func measure(program string) (string, error) {
	const others = "{{if not .Standard}}{{.ImportPath}}{{end}}"
	all, err := lines("list", "-deps", program)
	if err != nil {
		return "", err
	}
	own, err := lines("list", "-deps", "-f", others, program)
	if err != nil {
		return "", err
	}
	temp, err := os.MkdirTemp("", "cost")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	out, cache := filepath.Join(temp, "program"), "GOCACHE="+filepath.Join(temp, "cache")
	took, err := build(cache, out, "", program)
	if err != nil {
		return "", err
	}
	size, err := megabytes(out)
	if err != nil {
		return "", err
	}
	if _, err := build(cache, out, "-s -w", program); err != nil {
		return "", err
	}
	stripped, err := megabytes(out)
	return fmt.Sprintf("%d | %d | %.2f | %.2f | %.1f", len(all)-1, len(own)-1, size, stripped, took.Seconds()), err
}

// lines returns what a go command prints, by lines.
func lines(args ...string) ([]string, error) {
	out, err := command(args...).Output()
	return strings.Fields(string(out)), err
}

// build builds a program and returns the processor time of all that it ran.
func build(cache, out, linker, program string) (time.Duration, error) {
	c := command("build", "-trimpath", "-ldflags", linker, "-o", out, program)
	c.Env = append(c.Env, cache)
	c.Stderr = os.Stderr
	err := c.Run()
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), err
}

func command(args ...string) *exec.Cmd {
	c := exec.Command("go", args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	return c
}

func megabytes(file string) (float64, error) {
	info, err := os.Stat(file)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}
