package cli

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// Choice defines a flag that has one of some values. The first is what it is without
// the flag. The usage names the value, as in "write a `FORMAT`"; the values are appended.
func Choice(f *flag.FlagSet, p *string, name, usage string, values ...string) {
	*p = values[0]
	f.Var(&choice{p, values}, name, usage+": "+Or(named(values)))
}

// choice is the value of such a flag.
type choice struct {
	value  *string
	values []string
}

func (c *choice) String() string {
	if c.value == nil { // package flag makes one to learn the default
		return ""
	}
	return *c.value
}

func (c *choice) Set(s string) error {
	if !slices.Contains(c.values, s) {
		return fmt.Errorf("want %s", Or(named(c.values)))
	}
	*c.value = s
	return nil
}

// named returns the values that have a name: "" is what a flag is without being given.
func named(values []string) []string {
	return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
}

// Or returns words as in "a, b, or c".
func Or(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	case 2:
		return words[0] + " or " + words[1]
	default:
		return strings.Join(words[:n-1], ", ") + ", or " + words[n-1]
	}
}
