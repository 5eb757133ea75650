package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Arrivals is how connections arrive. [Poisson], [Steady] and [Bursts] return values;
// the zero value has no arrivals. The text form is "poisson 500/s", "steady 500/s" or
// "bursts 500/s of 20".
type Arrivals struct {
	pattern pattern
	rate    float64 // connections a second
	size    int     // of a burst
}

type pattern uint8

const (
	noArrivals pattern = iota
	poisson
	steady
	bursts
)

var patternNames = [...]string{poisson: "poisson", steady: "steady", bursts: "bursts"}

// Poisson returns independent arrivals, as of many clients: rate connections a second
// on average.
func Poisson(rate float64) Arrivals { return Arrivals{pattern: poisson, rate: rate} }

// Steady returns arrivals at equal intervals, rate connections per second.
func Steady(rate float64) Arrivals { return Arrivals{pattern: steady, rate: rate} }

// Bursts returns arrivals of size connections at the same moment. Bursts come
// as in [Poisson], with rate connections per second on average.
func Bursts(rate float64, size int) Arrivals {
	return Arrivals{pattern: bursts, rate: rate, size: size}
}

// Rate returns how many connections arrive per second, on average.
func (a Arrivals) Rate() float64 { return a.rate }

// String returns the text form, and "" for the zero value.
func (a Arrivals) String() string {
	if a.pattern == noArrivals {
		return ""
	}
	text := patternNames[a.pattern] + " " + formatFloat(a.rate) + "/s"
	if a.pattern == bursts {
		text += " of " + strconv.Itoa(a.size)
	}
	return text
}

func formatFloat(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// ParseArrivals reads the text form. The error is an [*InvalidError].
func ParseArrivals(s string) (a Arrivals, err error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return a, nil
	}
	for p, name := range patternNames {
		if name == words[0] && name != "" {
			a.pattern = pattern(p)
		}
	}
	ok := a.pattern != noArrivals && len(words) > 1
	if ok {
		a.rate, err = strconv.ParseFloat(strings.TrimSuffix(words[1], "/s"), 64)
		ok = err == nil
	}
	if rest := words[min(2, len(words)):]; a.pattern == bursts {
		if ok = ok && len(rest) == 2 && rest[0] == "of"; ok {
			a.size, err = strconv.Atoi(rest[1])
			ok = err == nil
		}
	} else {
		ok = ok && len(rest) == 0
	}
	if !ok {
		return Arrivals{}, invalid("Arrivals", `%q is not like "poisson 500/s", "steady 500/s" or "bursts 500/s of 20"`, s)
	}
	return a, nil
}

// MarshalText returns the text form.
func (a Arrivals) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the text form; an empty text is the zero value.
func (a *Arrivals) UnmarshalText(text []byte) (err error) {
	*a, err = ParseArrivals(string(text))
	return err
}

func (a Arrivals) validate() error {
	switch {
	case a.pattern == noArrivals:
		return invalid("Arrivals", `is empty; want for example Poisson(500) or "poisson 500/s"`)
	case a.rate < 0:
		return invalid("Arrivals", "a rate of %s connections a second must be above 0", formatFloat(a.rate))
	case !(a.rate > 0) || math.IsInf(a.rate, 0):
		return invalid("Arrivals", "a rate of %s connections a second must be above 0", formatFloat(a.rate))
	case a.rate > 1e9:
		return invalid("Arrivals", "a rate of %s connections a second is above 1e9, one a nanosecond", formatFloat(a.rate))
	case a.pattern == bursts && a.size < 1:
		return invalid("Arrivals", "a burst of %d connections must be above 0", a.size)
	}
	return nil
}

// arrivalTimes returns the times of arrival, one a call, in order.
func (a Arrivals) times(r *rand.Rand) func() time.Duration {
	at, left, n := 0.0, 0, 0 // seconds
	return func() time.Duration {
		switch a.pattern {
		case steady:
			n++
			at = float64(n) / a.rate
		case poisson:
			at += r.ExpFloat64() / a.rate
		case bursts:
			if left == 0 {
				left = a.size
				at += r.ExpFloat64() * float64(a.size) / a.rate
			}
			left--
		}
		return seconds(at)
	}
}

// seconds returns a number of seconds as a duration, at most the longest one.
func seconds(s float64) time.Duration {
	if s *= float64(time.Second); s < math.MaxInt64 {
		return time.Duration(s)
	}
	return forever
}

const forever = time.Duration(math.MaxInt64)

// span is a time whose JSON is text.
type span time.Duration

func (s span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

func (s *span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 1m30s", text)
	}
	*s = span(d)
	return nil
}
