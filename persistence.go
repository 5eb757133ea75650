package lvs

import (
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs/internal/wire"
)

// MaxPersistence is the longest persistence timeout that every kernel keeps as
// it was given. The kernel counts in ticks, 32 bits wide; past this, one with
// 1000 ticks a second would store some shorter time without a word.
const MaxPersistence = 4_294_967 * time.Second

// Persistence sends all connections of a client to the real server of its
// first. The zero value is no persistence.
//
// As text it reads "5m0s", "5m0s/24", "5m0s/255.255.0.255" or, with an engine,
// "5m0s/24 pe=sip"; none is "none".
type Persistence struct {
	// Timeout is how long the server is remembered after the client's last
	// connection: whole seconds, at most [MaxPersistence]. Zero is no
	// persistence. Usual is 5 minutes.
	Timeout time.Duration

	// Mask makes all clients of a network one client. Zero means each address
	// is a client of its own.
	Mask Mask

	// Engine names a persistence engine, "sip" in Linux; empty is none.
	Engine string
}

// String returns the text form.
func (p Persistence) String() string {
	s := "none"
	if p.Timeout != 0 {
		s = p.Timeout.String()
	}
	s += p.Mask.String()
	if p.Engine != "" {
		s += " pe=" + p.Engine
	}
	return s
}

// MarshalText returns the text form.
func (p Persistence) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form; an empty text is none. The error is of the
// kind [ErrInvalid].
func (p *Persistence) UnmarshalText(text []byte) error {
	*p = Persistence{}
	for i, word := range strings.Fields(string(text)) {
		engine, isEngine := strings.CutPrefix(word, "pe=")
		switch {
		case isEngine && i > 0:
			p.Engine = engine
		case i > 0:
			return invalid("persistence", "%q is not pe=NAME", word).about(OpParse, strconv.Quote(string(text)))
		default:
			if err := p.parseTime(word); err != nil {
				return err.about(OpParse, strconv.Quote(string(text)))
			}
		}
	}
	return nil
}

func (p *Persistence) parseTime(word string) *Error {
	timeout, mask, masked := strings.Cut(word, "/")
	if timeout != "none" {
		d, err := time.ParseDuration(timeout)
		if err != nil {
			return invalid("persistence", "%q is not a time such as 5m or 300s", timeout)
		}
		p.Timeout = d
	}
	if masked {
		var err *Error
		p.Mask, err = parseMask(mask)
		return err
	}
	return nil
}

func (p Persistence) validate(id ServiceID) *Error {
	switch {
	case p.Timeout < 0 || p.Timeout > MaxPersistence:
		return invalid("Persistence.Timeout", "%s is not within 0 and %s", p.Timeout, MaxPersistence)
	case p.Timeout%time.Second != 0:
		return invalid("Persistence.Timeout", "%s is not in whole seconds, and the kernel counts no finer", p.Timeout)
	case p.Timeout == 0 && p.Engine != "":
		return invalid("Persistence.Engine", "%q needs a Timeout: without persistence it does nothing", p.Engine)
	}
	if bad := validateName("Persistence.Engine", p.Engine, wire.MaxEngineName); bad != nil {
		return bad
	}
	return p.Mask.validate(id)
}
