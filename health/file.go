package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// File reads a file on this host, by which an administrator or another program says how a
// server is doing. The first line is a state or a share, such as "up", "50%" or
// "down # new disk": see [Agent]. An empty one is "up".
type File struct {
	Path string `json:"path"` // must be absolute; "{server}" in it stands for the server's address, such as "10.1.0.1"

	// Missing says that a server works whose file does not exist; otherwise it fails.
	Missing bool `json:"missing"`
}

// Probe reads the file once.
func (f File) Probe(_ context.Context, t Target) (Answer, error) {
	path := pathFor(f.Path, t)
	text, err := readHead(path, outputLimit)
	if errors.Is(err, fs.ErrNotExist) && f.Missing {
		return Answer{}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	answer, err := parseState(firstLine(text))
	if err != nil {
		return answer, fmt.Errorf("%s: %w", path, err)
	}
	return answer, nil
}

// pathFor returns the path of the file of a server.
func pathFor(path string, t Target) string {
	return strings.ReplaceAll(path, "{server}", t.Server.Addr().String())
}

// readHead returns the first bytes of a regular file.
func readHead(path string, most int64) ([]byte, error) {
	// Opening alone can have an effect: that of a device may start it.
	if err := mustBeRegular(os.Stat(path)); err != nil {
		return nil, err
	}
	// If it has become a pipe since, opening it would wait for its writer.
	file, err := os.OpenFile(path, os.O_RDONLY|nonblocking, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if err := mustBeRegular(file.Stat()); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(file, most))
}

func mustBeRegular(info fs.FileInfo, err error) error {
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", info.Name())
	}
	return err
}

// String returns "file" and its name.
func (f File) String() string { return "file " + filepath.Base(f.Path) }

func (f File) validate() error {
	if !filepath.IsAbs(f.Path) || hasZero(f.Path) {
		return invalid("Path", "%q is not an absolute path", f.Path)
	}
	return nil
}
