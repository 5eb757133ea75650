package keepalived

import (
	"strconv"
	"strings"
)

func isSequence(text string) bool {
	return strings.HasPrefix(text, "~SEQ") || strings.HasPrefix(text, "~LST")
}

// sequence reads the rest of a line as often as a sequence or a list before it says.
func (r *reader) sequence(l line, depth int) error {
	head, inside, closed := strings.Cut(l.text, "(")
	inside, _, ended := strings.Cut(inside, ")")
	if !closed || !ended {
		return l.at.errorf("want a form like ~SEQ(NAME, 1, 3) or ~LST(NAME, a, b)")
	}
	rest := l.from(len(head) + len(inside) + len("()"))
	inside, _, err := r.substitute(inside, l.at)
	if err != nil {
		return err
	}
	items := splitItems(inside)
	switch head {
	case "~SEQ":
		return r.numbers(items, 10, rest, depth)
	case "~SEQx":
		return r.numbers(items, 16, rest, depth)
	case "~LST":
		return r.list(items, rest, depth)
	}
	return l.at.errorf("%s is not ~SEQ, ~SEQx or ~LST", head)
}

// splitItems returns what commas separate outside of braces.
func splitItems(text string) (items []string) {
	depth, from := 0, 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth--
		case ',':
			if depth == 0 {
				items = append(items, strings.Trim(text[from:i], blanks))
				from = i + 1
			}
		}
	}
	return append(items, strings.Trim(text[from:], blanks))
}

// numbers reads a line for each number of NAME, [START, [STEP,]] END.
func (r *reader) numbers(items []string, base int, l line, depth int) error {
	name := items[0]
	if nameLength(name) != len(name) || name == "" || len(items) < 2 || len(items) > 4 {
		return l.at.errorf("want ~SEQ(NAME, START, STEP, END), without STEP, or without START and STEP")
	}
	values := make([]int64, len(items)-1)
	for i, item := range items[1:] {
		var err error
		if values[i], err = strconv.ParseInt(item, 0, 32); err != nil {
			return l.at.errorf("%q is not a number", item)
		}
	}
	end := values[len(values)-1]
	start, step := int64(1), int64(1)
	if end < 0 {
		start = -1
	}
	if len(values) > 1 {
		start = values[0]
	}
	if end < start {
		step = -1
	}
	if len(values) == 3 {
		step = values[1]
	}
	if step == 0 || (end-start)*step < 0 {
		return l.at.errorf("a step of %d does not lead from %d to %d", step, start, end)
	}
	for n := start; (end-n)*step >= 0; n += step {
		r.definitions[name] = definition{lines: []string{strconv.FormatInt(n, base)}}
		if r.left -= 32; r.left < 0 {
			return l.at.errorf("the sequence is too long")
		}
		if err := r.process(l, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// list reads a line for each value of NAME, VALUE…, or of {NAME…}, {VALUE…}….
func (r *reader) list(items []string, l line, depth int) error {
	names := splitGroup(items[0])
	if len(items) < 2 {
		return l.at.errorf("want ~LST(NAME, VALUE, VALUE…)")
	}
	for _, name := range names {
		if nameLength(name) != len(name) || name == "" {
			return l.at.errorf("%q is not a name", name)
		}
	}
	for _, item := range items[1:] {
		values := splitGroup(item)
		if len(values) != len(names) {
			return l.at.errorf("%q is not %d values", item, len(names))
		}
		for i, name := range names {
			r.definitions[name] = definition{lines: []string{values[i]}}
		}
		if err := r.process(l, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// splitGroup returns the items between braces, or the one without.
func splitGroup(item string) []string {
	inside, ok := strings.CutPrefix(item, "{")
	if !ok {
		return []string{item}
	}
	return splitItems(strings.TrimSuffix(inside, "}"))
}
