package cli

import (
	"errors"
	"flag"
	"fmt"
	"regexp"
	"strings"
)

// parse reads flags that may stand before, between and behind the arguments, which it
// returns. All that follows "--" are arguments.
func parse(f *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		left := f.Args()
		if len(left) == 0 {
			return rest, nil
		}
		if n := len(args) - len(left); n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest, args = append(rest, left[0]), left[1:]
	}
}

// param is an argument of a command.
type param struct {
	name           string
	optional, many bool
}

// params returns the arguments that a command has.
func (c *Command) params() (all []param) {
	for _, word := range strings.Fields(c.Args) {
		p := param{name: strings.Trim(word, "[].")}
		p.optional = strings.HasPrefix(word, "[")
		p.many = strings.Contains(word, "...")
		all = append(all, p)
	}
	return all
}

// countArgs refuses arguments if there are too few or too many.
func (c *Command) countArgs(args []string) error {
	n := len(args)
	for i, p := range c.params() {
		if n == i && !p.optional {
			return fmt.Errorf("%s is missing", p.name)
		}
		if p.many {
			return nil
		}
	}
	if most := len(c.params()); n > most {
		return fmt.Errorf("%q is one argument too many", args[most])
	}
	return nil
}

var (
	undefined = regexp.MustCompile(`^flag provided but not defined: -(.*)$`)
	invalid   = regexp.MustCompile(`(?s)^invalid (?:boolean )?value (".*") for (?:flag )?-([^:]*): (.*)$`)
	valueless = regexp.MustCompile(`^flag needs an argument: -(.*)$`)
)

// explainFlags says what package flag says about a wrong flag, as this program speaks.
func explainFlags(f *flag.FlagSet, err error) error {
	text := err.Error()
	if m := undefined.FindStringSubmatch(text); m != nil {
		var names []string
		f.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
		return fmt.Errorf("-%s is not a flag of this command%s", m[1], DidYouMean(m[1], names, "-"))
	}
	if m := valueless.FindStringSubmatch(text); m != nil {
		return fmt.Errorf("the flag -%s needs %s behind it", m[1], valueName(f.Lookup(m[1])))
	}
	if m := invalid.FindStringSubmatch(text); m != nil {
		why := m[3]
		if why == "parse error" {
			why = "want " + kindOf(f.Lookup(m[2]))
		}
		return fmt.Errorf("the flag -%s cannot be %s: %s", m[2], m[1], why)
	}
	return errors.New(strings.TrimSuffix(text, "."))
}

// valueName returns the name of a flag's value, "" for a switch.
func valueName(f *flag.Flag) string {
	if f == nil {
		return "a value"
	}
	name, _ := flag.UnquoteUsage(f)
	switch name {
	case "value", "string", "int", "uint", "float", "duration":
		return strings.ToUpper(name)
	}
	return name
}

// kindOf returns what the value of a flag must be.
func kindOf(f *flag.Flag) string {
	getter, ok := f.Value.(flag.Getter)
	if !ok {
		return "another value"
	}
	switch kind := fmt.Sprintf("%T", getter.Get()); kind {
	case "time.Duration":
		return `a duration such as "90s" or "5m"`
	case "int", "int64":
		return "a whole number"
	case "uint", "uint64":
		return "a whole number that is not negative"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	}
	return "another value"
}
