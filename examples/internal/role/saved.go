package role

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/golvs/lvs"
)

// saved is what -undo needs.
type saved struct {
	Setup    lvs.Setup     `json:"setup"`
	Plan     lvs.SetupPlan `json:"plan"`
	Service  lvs.ServiceID `json:"service,omitzero"`  // on a director
	WasThere bool          `json:"wasThere,omitzero"` // another program had added the service
}

// plan records the state of the host before anything is changed.
func (w *work) plan(ctx context.Context, host *lvs.Host) (s saved, err error) {
	s.Setup = w.setup
	if s.Plan, err = host.Plan(ctx, w.setup); err != nil || !w.isDirector() {
		return s, err
	}
	s.Service = w.service.ID
	_, err = host.Client().Service(ctx, s.Service)
	s.WasThere = err == nil
	return s, lvs.Ignore(err, lvs.ErrNoService)
}

// isFor reports whether s was saved for the same work.
func (s saved) isFor(w *work) bool {
	return slices.Equal(s.Setup, w.setup) && s.Service == w.service.ID
}

func load(file string) (s saved, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("%s: %w", file, err)
	}
	return s, nil
}

// save writes all of it or nothing, and never overwrites a file.
func (s saved) save(file string) error {
	text, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, werr := f.Write(append(text, '\n'))
	if err := errors.Join(werr, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Link(f.Name(), file)
}
