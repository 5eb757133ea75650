package workload

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Lifetime is how long connections last on a server of speed 1. [Fixed], [Exponential]
// and [Pareto] return values; the zero value is refused. The text form is "fixed 10s",
// "exponential 10s" or "pareto 10s shape 1.5".
type Lifetime struct {
	law   law
	mean  time.Duration
	shape float64 // of pareto
}

type law uint8

const (
	noLifetime law = iota
	fixed
	exponential
	pareto
)

var lawNames = [...]string{fixed: "fixed", exponential: "exponential", pareto: "pareto"}

// Fixed returns the lifetime of connections that all last equally long.
func Fixed(d time.Duration) Lifetime { return Lifetime{law: fixed, mean: d} }

// Exponential returns lifetimes that are distributed exponentially.
func Exponential(mean time.Duration) Lifetime { return Lifetime{law: exponential, mean: mean} }

// Pareto returns heavy-tailed lifetimes: most are short, and a few are so long that
// they make up much of the load. The shape is above 1; the smaller it is, the heavier
// the tail. 1.5 is common for the sizes of files, and up to 2 the variance is
// infinite.
func Pareto(mean time.Duration, shape float64) Lifetime {
	return Lifetime{law: pareto, mean: mean, shape: shape}
}

// Mean returns how long connections last on average.
func (l Lifetime) Mean() time.Duration { return l.mean }

// String returns the text form, and "" for the zero value.
func (l Lifetime) String() string {
	if l.law == noLifetime {
		return ""
	}
	text := lawNames[l.law] + " " + l.mean.String()
	if l.law == pareto {
		text += " shape " + formatFloat(l.shape)
	}
	return text
}

// ParseLifetime reads the text form. The error is an [*InvalidError].
func ParseLifetime(s string) (l Lifetime, err error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return l, nil
	}
	for i, name := range lawNames {
		if name == words[0] && name != "" {
			l.law = law(i)
		}
	}
	ok := l.law != noLifetime && len(words) > 1
	if ok {
		l.mean, err = time.ParseDuration(words[1])
		ok = err == nil
	}
	if rest := words[min(2, len(words)):]; l.law == pareto {
		if ok = ok && len(rest) == 2 && rest[0] == "shape"; ok {
			l.shape, err = strconv.ParseFloat(rest[1], 64)
			ok = err == nil
		}
	} else {
		ok = ok && len(rest) == 0
	}
	if !ok {
		return Lifetime{}, invalid("Lifetime", `%q is not like "fixed 10s", "exponential 10s" or "pareto 10s shape 1.5"`, s)
	}
	return l, nil
}

// MarshalText returns the text form.
func (l Lifetime) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads the text form; an empty text is the zero value.
func (l *Lifetime) UnmarshalText(text []byte) (err error) {
	*l, err = ParseLifetime(string(text))
	return err
}

func (l Lifetime) validate() error {
	switch {
	case l.law == noLifetime:
		return invalid("Lifetime", `is empty; want for example Exponential(10*time.Second) or "exponential 10s"`)
	case l.mean <= 0:
		return invalid("Lifetime", "a mean of %s is not above 0", l.mean)
	case l.law == pareto && (!(l.shape > 1) || math.IsInf(l.shape, 0)):
		return invalid("Lifetime", "a shape of %s is not above 1, so there is no mean", formatFloat(l.shape))
	}
	return nil
}

// draw returns the lifetime of one connection.
func (l Lifetime) draw(r *rand.Rand) time.Duration {
	mean := l.mean.Seconds()
	switch l.law {
	case exponential:
		return seconds(mean * r.ExpFloat64())
	case pareto:
		least := mean * (l.shape - 1) / l.shape
		return seconds(least * math.Pow(1-r.Float64(), -1/l.shape))
	}
	return l.mean
}
