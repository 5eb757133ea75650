package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// Arrivals is how connections arrive. [Poisson], [Steady], [Bursts] and [Daily] return
// values; the zero value has no arrivals. The text form is "poisson 500/s", "steady
// 500/s", "bursts 500/s of 20" or "daily 20/s to 150/s in 24h".
type Arrivals struct {
	pattern pattern
	rate    float64       // connections a second; of daily, at the peak
	size    int           // of a burst
	night   float64       // of daily: the lowest rate
	day     time.Duration // of daily: from one night to the next
}

type pattern uint8

const (
	noArrivals pattern = iota
	poisson
	steady
	bursts
	daily
)

var patternNames = [...]string{poisson: "poisson", steady: "steady", bursts: "bursts", daily: "daily"}

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

// Daily returns independent arrivals whose rate changes in the course of a day. It rises
// from night connections per second at the beginning to peak at half the day, and falls
// again, like a cosine. The next day is like the first.
func Daily(night, peak float64, day time.Duration) Arrivals {
	return Arrivals{pattern: daily, rate: peak, night: night, day: day}
}

// Rate returns how many connections arrive per second, on average.
func (a Arrivals) Rate() float64 {
	if a.pattern == daily {
		return (a.night + a.rate) / 2
	}
	return a.rate
}

// String returns the text form, and "" for the zero value.
func (a Arrivals) String() string {
	if a.pattern == noArrivals {
		return ""
	}
	text, rate := patternNames[a.pattern]+" ", formatFloat(a.rate)+"/s"
	switch a.pattern {
	case bursts:
		return text + rate + " of " + strconv.Itoa(a.size)
	case daily:
		return text + formatFloat(a.night) + "/s to " + rate + " in " + a.day.String()
	}
	return text + rate
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
	if !a.parse(words[1:]) {
		return Arrivals{}, invalid("Arrivals", `%q is not like "poisson 500/s", "steady 500/s", "bursts 500/s of 20" or "daily 20/s to 150/s in 24h"`, s)
	}
	return a, nil
}

// parse parses what follows the pattern.
func (a *Arrivals) parse(words []string) bool {
	if a.pattern == noArrivals || len(words) == 0 {
		return false
	}
	var first, second error
	a.rate, first = parseRate(words[0])
	switch rest := words[1:]; {
	case a.pattern == bursts && len(rest) == 2 && rest[0] == "of":
		a.size, second = strconv.Atoi(rest[1])
	case a.pattern == daily && len(rest) == 4 && rest[0] == "to" && rest[2] == "in":
		a.night = a.rate
		if a.rate, second = parseRate(rest[1]); second == nil {
			a.day, second = time.ParseDuration(rest[3])
		}
	case a.pattern == bursts || a.pattern == daily || len(rest) > 0:
		return false
	}
	return first == nil && second == nil
}

func parseRate(s string) (float64, error) { return strconv.ParseFloat(strings.TrimSuffix(s, "/s"), 64) }

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
	case !(a.rate > 0) || math.IsInf(a.rate, 0):
		return invalid("Arrivals", "a rate of %s connections a second must be above 0", formatFloat(a.rate))
	case a.rate > 1e9:
		return invalid("Arrivals", "a rate of %s connections a second is above 1e9, one a nanosecond", formatFloat(a.rate))
	case a.pattern == bursts && a.size < 1:
		return invalid("Arrivals", "a burst of %d connections must be above 0", a.size)
	case a.pattern == daily && !(a.night >= 0 && a.night <= a.rate):
		return invalid("Arrivals", "a rate of %s connections a second at night is out of range [0, %s], up to that of the peak", formatFloat(a.night), formatFloat(a.rate))
	case a.pattern == daily && a.day <= 0:
		return invalid("Arrivals", "a day of %s must be longer than 0", a.day)
	}
	return nil
}

// times returns the times of arrival, one a call, in order.
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
		case daily:
			// Arrivals as at the peak, of which some do not happen.
			for at += r.ExpFloat64() / a.rate; r.Float64()*a.rate > a.rateAt(at); at += r.ExpFloat64() / a.rate {
			}
		}
		return seconds(at)
	}
}

// rateAt returns the rate of daily arrivals after some seconds.
func (a Arrivals) rateAt(at float64) float64 {
	return a.night + (a.rate-a.night)*(1-math.Cos(2*math.Pi*at/a.day.Seconds()))/2
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
