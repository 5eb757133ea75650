package director

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/health"
)

// overridesVersion is the version of a file of overrides.
const overridesVersion = 1

// overridesFile is what a file of overrides has.
type overridesFile struct {
	Version   int               `json:"version"`
	Overrides []health.Override `json:"overrides"`
}

// ReadOverrides returns the overrides in a file: see [Options.OverridesFile]. A file that
// does not exist has none. It fails with a [*FileError] for a file that cannot be read
// or decoded, and for one with two overrides of one real server.
func ReadOverrides(path string) ([]health.Override, error) {
	_, err := statRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	var all []health.Override
	if err == nil {
		all, err = parseOverrides(text)
	}
	if err != nil {
		return nil, inFile(path, err)
	}
	return all, nil
}

// PutOverride adds an override to a file, which need not exist, in place of one of the
// same real server. A Director that runs with this file follows within a second. Since
// becomes now if it is zero. The file is replaced as a whole, and overrides that have ended
// are left out.
//
// It fails with [lvs.ErrInvalid] for an override that cannot work, as [ReadOverrides], with
// [lvs.ErrBusy] while another program changes the file for longer than a second, and if it
// cannot be written.
func PutOverride(path string, o health.Override) error {
	_, err := changeOverrides(path, overrideChange{put: &o})
	return err
}

// RemoveOverride removes the override of a real server from a file, as [PutOverride] puts
// one, and reports whether there was one.
func RemoveOverride(path string, service lvs.ServiceID, server netip.AddrPort) (found bool, err error) {
	_, err = changeOverrides(path, overrideChange{service: service, server: server, found: &found})
	return found, err
}

// changeOverrides changes the overrides in a file, and returns those that it has now.
func changeOverrides(path string, change overrideChange) ([]health.Override, error) {
	unlock, err := lockFile(path)
	if err != nil {
		return nil, fmt.Errorf("director: change overrides: %w", err)
	}
	defer unlock()
	all, err := ReadOverrides(path)
	if err != nil {
		return nil, err
	}
	all, err = change.of(all)
	if err != nil {
		return nil, err
	}
	file := overridesFile{overridesVersion, all}
	if all == nil {
		file.Overrides = []health.Override{}
	}
	text, err := json.MarshalIndent(file, "", "\t")
	if err == nil {
		err = replaceFile(path, append(text, '\n'))
	}
	if err != nil {
		return nil, fmt.Errorf("director: write overrides: %w", err)
	}
	return all, nil
}

// parseOverrides decodes the text of a file; nil has none. Its errors have the place.
func parseOverrides(text []byte) ([]health.Override, error) {
	if text == nil {
		return nil, nil
	}
	members, err := membersOf(text, "version", "overrides")
	if err != nil {
		return nil, err
	}
	if version := string(members["version"]); version != fmt.Sprint(overridesVersion) {
		return nil, wrongAt(text, &ConfigError{"version", fmt.Errorf("is missing or %s, and this version of the library reads only %d", version, overridesVersion)})
	}
	var list []json.RawMessage
	if value := members["overrides"]; value != nil && json.Unmarshal(value, &list) != nil {
		return nil, wrongAt(text, &ConfigError{"overrides", errors.New("must be a list")})
	}
	all, seen := make([]health.Override, len(list)), map[driftKey]bool{}
	for i, value := range list {
		err := json.Unmarshal(value, &all[i])
		if err == nil {
			err = all[i].Validate()
		}
		if key := keyOfOverride(all[i]); err == nil && seen[key] {
			err = fmt.Errorf("%s -> %s has an override already", all[i].Service, all[i].Server)
		} else {
			seen[key] = true
		}
		if err != nil {
			return nil, wrongAt(text, configError(fmt.Sprintf("overrides[%d]", i), err))
		}
		all[i] = normal(all[i])
	}
	return all, nil
}
