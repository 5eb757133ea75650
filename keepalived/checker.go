package keepalived

import "github.com/golvs/lvs/health"

// file is a track_file.
type file struct{ path string }

// identity is what the block SSL says.
type identity struct{}

func (m *maker) identity(s *statement) error  { return nil }
func (m *maker) trackFile(s *statement) error { return nil }
func (m *maker) checker(r *server, s *statement) ([]health.Check, error) {
	m.note(s, "checks are not read yet")
	return nil, nil
}
