package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
)

// Number reads a whole number from a file on this host, by which an administrator or
// another program raises or lowers the weight of a server, as FILE_CHECK of keepalived
// does. A file that is empty or does not exist has 0.
type Number struct {
	Path string `json:"path"` // must be absolute; "{server}" in it stands for the server's address, such as "10.1.0.1"

	// Step is the part of its weight that each unit adds to a server's: it asks for the
	// share 1 + number × Step, or for 0 where that is negative. With 0, the server works if
	// the number is 0, and asks for nothing.
	Step float64 `json:"step"`

	// Reverse makes a server fail whose number is 0, and work with another one, if Step is 0.
	Reverse bool `json:"reverse"`
}

// leastNumber is the number by which a server says that it is down, whatever the step.
const leastNumber = math.MinInt32

// Probe reads the file once.
func (p Number) Probe(_ context.Context, t Target) (Answer, error) {
	path := pathFor(p.Path, t)
	text, err := readHead(path, outputLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Answer{}, err
	}
	line := firstLine(text)
	n, err := strconv.ParseInt(cmp.Or(line, "0"), 0, 64)
	switch {
	case err != nil || n < leastNumber || n > -leastNumber:
		return Answer{}, fmt.Errorf("%s: %q is not a whole number of 32 bits", path, line)
	case n == leastNumber:
		return Answer{}, fmt.Errorf("%s has the number %d, which means down", path, n)
	case p.Step != 0:
		return Answer{Share: max(0, 1+float64(n)*p.Step), Reported: true}, nil
	case (n == 0) == p.Reverse:
		return Answer{}, fmt.Errorf("%s has the number %d", path, n)
	}
	return Answer{}, nil
}

// String returns "number" and the name of the file.
func (p Number) String() string { return "number " + filepath.Base(p.Path) }

func (p Number) directOnly() bool { return true }

func (p Number) validate() error {
	switch {
	case !filepath.IsAbs(p.Path) || hasZero(p.Path):
		return invalid("Path", "%q is not an absolute path", p.Path)
	case math.IsNaN(p.Step) || math.IsInf(p.Step, 0):
		return invalid("Step", "%g is not a number", p.Step)
	case p.Reverse && p.Step != 0:
		return invalid("Reverse", "is for a Step of 0; make it negative instead")
	}
	return nil
}
