package lvs

import (
	"strconv"
	"strings"
	"time"

	"github.com/golvs/lvs/internal/wire"
)

// MaxPersistence is the longest persistence timeout that every kernel stores
// unchanged. The kernel counts in ticks of 32 bits; beyond this, one with
// HZ=1000 would silently store a shorter time.
const MaxPersistence = 4_294_967 * time.Second

// Persistence sends all connections of a client to the real server of its first
// one. The zero value does not persist anything.
//
// The text form is "5m0s", "5m0s/24", "5m0s/255.255.0.255" or, with an engine,
// "5m0s/24 pe=sip"; the zero value is "none".
type Persistence struct {
	// Timeout is how long the server is remembered after the client's last
	// connection: whole seconds, at most [MaxPersistence]. Zero disables
	// persistence. Option -p of ipvsadm without a value sets 6 minutes.
	Timeout time.Duration

	// Mask makes all clients of a network one client. The zero value makes each
	// address a client of its own.
	Mask Mask

	// Engine names a persistence engine, such as "sip" in Linux; empty is none.
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

// ParsePersistence parses the text form. Errors match [ErrInvalid].
func ParsePersistence(s string) (Persistence, error) {
	p, err := parsePersistence(s)
	if err != nil {
		return Persistence{}, err.about(OpParse, strconv.Quote(s))
	}
	return p, nil
}

func parsePersistence(s string) (p Persistence, err *Error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return p, invalid("Persistence", "want a form like 5m, 5m/24 or none")
	}
	timeout, mask, masked := strings.Cut(words[0], "/")
	if timeout != "none" {
		d, err := time.ParseDuration(timeout)
		if err != nil {
			return p, invalid("Persistence.Timeout", "%q is not a duration such as 5m or 300s", timeout)
		}
		p.Timeout = d
	}
	if masked {
		if p.Mask, err = parseMask(mask); err != nil {
			err.Field = "Persistence.Mask"
			return p, err
		}
	}
	for _, word := range words[1:] {
		engine, ok := strings.CutPrefix(word, "pe=")
		if !ok {
			return p, invalid("Persistence.Engine", "%q is not pe=NAME", word)
		}
		p.Engine = engine
	}
	return p, nil
}

// MarshalText returns the text form. The error for a mask that is not valid
// matches [ErrInvalid].
func (p Persistence) MarshalText() ([]byte, error) {
	if _, err := p.Mask.MarshalText(); err != nil {
		return nil, err
	}
	return []byte(p.String()), nil
}

// UnmarshalText parses text as [ParsePersistence] does; an empty text is the
// zero value.
func (p *Persistence) UnmarshalText(text []byte) (err error) {
	*p = Persistence{}
	if len(strings.TrimSpace(string(text))) > 0 {
		*p, err = ParsePersistence(string(text))
	}
	return err
}

// problems returns what the kernel would ignore or store as something else.
func (p Persistence) problems(id ServiceID) (all problems) {
	switch {
	case p.Timeout < 0 || p.Timeout > MaxPersistence:
		all.add(invalid("Persistence.Timeout", "%s is out of range [0, %s]", p.Timeout, MaxPersistence))
	case p.Timeout%time.Second != 0:
		all.add(invalid("Persistence.Timeout", "%s must be a whole number of seconds", p.Timeout))
	}
	if p.Timeout == 0 && p.Engine != "" {
		all.add(invalid("Persistence.Engine", "%q needs a Timeout: it does nothing without persistence", p.Engine))
	} else {
		all.add(validateName("Persistence.Engine", p.Engine, wire.MaxEngineName))
	}
	if p.Timeout == 0 && !p.Mask.IsZero() {
		all.add(invalid("Persistence.Mask", "%s needs a Timeout: it does nothing without persistence", p.Mask))
	} else {
		all.add(p.Mask.validate(id))
	}
	return all
}
