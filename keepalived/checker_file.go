package keepalived

import (
	"math"
	"time"

	"github.com/golvs/lvs/health"
)

// trackFile is a track_file: a file with a number, and what each unit of it adds to the
// weight of a server.
type trackFile struct {
	path      string
	factor    fileFactor
	used      bool // by a FILE_CHECK
	statement *statement
}

// fileFactor is a weight of a track_file or a FILE_CHECK, by which its number is multiplied.
type fileFactor struct {
	value   int64
	reverse bool
}

// lookInterval is the time between two looks at a file, where keepalived waits for events.
const lookInterval = time.Second

// trackFile reads a track_file.
func (m *maker) trackFile(s *statement) error {
	name, err := s.one()
	if err != nil {
		return err
	}
	f := &trackFile{factor: fileFactor{value: 1}, statement: s}
	for _, line := range s.children {
		switch line.keyword() {
		case "file":
			f.path, err = line.one()
		case "weight":
			f.factor, err = line.fileFactor(254)
		case "init_file":
			m.note(line, "the file is not made: without it, the number is 0")
		default:
			m.unknown(line)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case f.path == "":
		m.note(s, "keepalived leaves it out: it has no file")
	case m.files[name] != nil:
		m.note(s, "keepalived leaves it out: there is one of that name already")
	default:
		m.files[name] = f
	}
	return nil
}

// fileFactor returns the parameters, which are a weight and perhaps a word that makes it
// negative.
func (s *statement) fileFactor(most int64) (f fileFactor, err error) {
	args := s.args()
	if len(args) == 0 || len(args) > 2 {
		return f, s.at.errorf("%s: want a number, and perhaps reverse", s.keyword())
	}
	f.value, err = s.numberAt(1, args[0], -most, most)
	if err != nil || len(args) == 1 {
		return f, err
	}
	switch args[1] {
	case "reverse":
		f.reverse = true
	case "noreverse":
	default:
		return f, s.word(2).errorf("%s: %q is neither reverse nor noreverse", s.keyword(), args[1])
	}
	return f, nil
}

// fileCheck reads a FILE_CHECK, which has no times of its own.
func (m *maker) fileCheck(c *checker) ([]health.Check, error) {
	var file *trackFile
	var factor *fileFactor
	for _, line := range c.statement.children {
		switch line.keyword() {
		case "track_file":
			name, err := line.one()
			if err != nil {
				return nil, err
			}
			if file = m.files[name]; file == nil {
				return nil, line.word(1).errorf("there is no track_file %s", name)
			}
			file.used = true
		case "weight":
			own, err := line.fileFactor(math.MaxInt32)
			if err != nil {
				return nil, err
			}
			factor = &own
		default:
			m.unknown(line)
		}
	}
	if file == nil {
		m.note(c.statement, "keepalived leaves it out: it has no track_file")
		return nil, nil
	}
	if factor == nil {
		factor = &file.factor
	}
	if factor.value != 0 {
		m.dynamic(c.server, c.statement)
	}
	c.defaults = defaults{interval: lookInterval, retry: -1, pause: -1}
	return c.checks(0, 0, factor.probe(file.path, c.server.weight))
}

// probe returns what reads a file of a server that has a weight.
func (f fileFactor) probe(path string, weight int) health.Number {
	if f.value == 0 {
		return health.Number{Path: path, Reverse: f.reverse}
	}
	step := float64(f.value) / float64(max(weight, 1))
	if f.reverse {
		step = -step
	}
	return health.Number{Path: path, Step: step}
}

// unusedFiles says which files no server is checked by.
func (m *maker) unusedFiles() {
	for _, f := range m.files {
		if !f.used {
			m.note(f.statement, "no FILE_CHECK reads it, and VRRP is keepalived's own")
		}
	}
}
