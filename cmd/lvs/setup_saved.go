package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/cli"
)

// defaultFolder has the plans of set-ups that were applied.
const defaultFolder = "/var/lib/lvs/setup"

// savedVersion is that of the files of saved set-ups, and of configurations.
const savedVersion = 1

// savedSetup is what undoing a set-up needs.
type savedSetup struct {
	Version      int           `json:"version"`
	Mode         string        `json:"setup"` // such as "dr-director"
	Netns        string        `json:"netns,omitempty"`
	Requirements lvs.Setup     `json:"requirements"`
	Plan         lvs.SetupPlan `json:"plan"`
}

// loadSetup reads a saved set-up.
func loadSetup(path string) (s savedSetup, err error) {
	text, err := readSmall(path)
	if err != nil {
		return s, err
	}
	if err := requireVersion(text); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.Mode == "" || len(s.Requirements) != len(s.Plan.Steps) {
		return s, fmt.Errorf("%s: not a set-up that 'lvs setup MODE apply' saved", path)
	}
	return s, nil
}

// requireVersion refuses a file of another version.
func requireVersion(text []byte) error {
	var v struct {
		Version *int `json:"version"`
	}
	err := json.Unmarshal(text, &v)
	switch wrong := new(json.UnmarshalTypeError); {
	case errors.As(err, &wrong) && wrong.Field == "":
		return fmt.Errorf("is %s, and must be an object", wrong.Value)
	case err != nil:
		return err
	case v.Version == nil:
		return fmt.Errorf("version is missing: want %d", savedVersion)
	case *v.Version != savedVersion:
		return fmt.Errorf("version is %d, but this program reads version %d: use the program that wrote it", *v.Version, savedVersion)
	}
	return nil
}

// save writes all of it or nothing, and never overwrites a file.
func (s savedSetup) save(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, werr := f.Write(append(text, '\n'))
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), path)
}

// isFor reports whether both want the same of a host. Keys are not saved.
func (s savedSetup) isFor(mode string, setup lvs.Setup) bool {
	was, err1 := json.Marshal(s.Requirements)
	want, err2 := json.Marshal(setup)
	return err1 == nil && err2 == nil && s.Mode == mode && bytes.Equal(was, want)
}

// giveKeys puts the keys of a setup into the plan, which was saved without them.
func (s savedSetup) giveKeys(setup lvs.Setup) {
	for i, r := range setup {
		a, ok := r.Want.(lvs.IPsecAssociation)
		if !ok {
			continue
		}
		step := &s.Plan.Steps[i]
		step.Requirement = r
		if left, ok := step.Left.(lvs.IPsecAssociation); ok {
			left.Key = a.Key
			step.Left = left
		}
	}
}

// isSavedSetup reports whether a file of any version is meant to be a saved set-up.
func isSavedSetup(path string) bool {
	text, err := readSmall(path)
	var keys map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &keys) != nil {
		return false
	}
	return keys["setup"] != nil && keys["plan"] != nil
}

// savedSetups returns the set-ups of a namespace that a folder has, but for one.
func savedSetups(folder, netns, except string) ([]savedSetup, error) {
	except = filepath.Clean(except)
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	var all []savedSetup
	for _, path := range paths {
		if path == except || !isSavedSetup(path) {
			continue
		}
		s, err := loadSetup(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return nil, fmt.Errorf("what other set-ups need is not known: %w", err)
		case s.Netns == netns:
			all = append(all, s)
		}
	}
	return all, nil
}

// savedNames names the set-ups that a folder has, for a message.
func savedNames(folder string) string {
	paths, _ := filepath.Glob(filepath.Join(folder, "*.json")) // the pattern is good
	if paths = slices.DeleteFunc(paths, func(path string) bool { return !isSavedSetup(path) }); len(paths) == 0 {
		return "its folder has no saved set-up"
	}
	return "saved are " + some(paths)
}

// mostSmall is the size above which a file is not read that has no table.
const mostSmall = 4 << 20

// readSmall returns the content of a file, which is not large.
func readSmall(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, mostSmall+1))
	if len(text) > mostSmall {
		return nil, fmt.Errorf("%s has more than %d MiB, so it is not what was meant", path, mostSmall>>20)
	}
	return text, err
}

// planPath returns the usual file of a set-up, which name distinguishes from others of
// the mode.
func planPath(mode, name, netns string) (string, error) {
	if strings.ContainsAny(netns, "/") {
		return "", cli.Usagef("a network namespace without a name needs -plan FILE, to save the plan in")
	}
	file := mode + "-" + name + ".json"
	if netns != "" {
		file = netns + "." + file
	}
	return filepath.Join(defaultFolder, file), nil
}
