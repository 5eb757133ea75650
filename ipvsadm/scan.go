package ipvsadm

import "strings"

// word is an argument, and the column at which it begins.
type word struct {
	text   string
	column int
}

// given is an option as it is given.
type given struct {
	*option
	as     string // "-w" or "--weight"
	column int

	value   string // the option's argument
	valueAt int    // the column of value
}

// scanner reads options as popt does, the library that ipvsadm reads them with.
type scanner struct {
	words   []word
	cluster word   // a word of short options, if some of it is left
	used    int    // the bytes of cluster that have been read
	rest    []word // words that are neither options nor their arguments
	ended   bool   // by "--"
	taken   string // the word that was read last
}

// next returns the next option. It reports false at the end.
func (s *scanner) next() (g given, ok bool, err *Error) {
	for s.used == len(s.cluster.text) {
		if len(s.words) == 0 {
			return g, false, nil
		}
		w := s.words[0]
		s.words, s.taken = s.words[1:], w.text
		switch {
		case s.ended, len(w.text) < 2, w.text[0] != '-':
			s.rest = append(s.rest, w)
		case w.text == "--":
			s.ended = true
		case w.text[1] == '-':
			g, err = s.long(w)
			return g, true, err
		default:
			s.cluster, s.used = w, len("-")
		}
	}
	g, err = s.short()
	return g, true, err
}

// long reads "--weight", "--weight 2" or "--weight=2". Names are never abbreviated.
func (s *scanner) long(w word) (given, *Error) {
	name, value, valued := strings.Cut(w.text[2:], "=")
	g := given{option: longOption(name), as: "--" + name, column: w.column}
	switch {
	case g.option == nil:
		return g, unknownOption(g.as, w.column).aborts("%s: unknown option", s.taken)
	case !valued:
		return s.argument(g)
	case g.arg == noArgument:
		return g, s.noSuchArgument().at(g.as, w.column)
	}
	g.value, g.valueAt = value, w.column+len("--")+len(name)+len("=")
	return g, nil
}

// short reads "-w2", "-w=2", "-w 2", or one of several as in "-mw2".
func (s *scanner) short() (given, *Error) {
	text, at := s.cluster.text, s.used
	g := given{option: shortOption(text[at]), as: "-" + text[at:at+1], column: s.cluster.column}
	if at > len("-") {
		g.column += at
	}
	s.used++
	if g.option == nil {
		return g, unknownOption(g.as, g.column).aborts("%s: unknown option", s.taken)
	}
	switch {
	case s.used == len(text):
		return s.argument(g)
	case text[s.used] == '=':
		s.used++
		if g.arg == noArgument {
			return g, s.noSuchArgument().at(g.as, g.column)
		}
	case g.arg == noArgument:
		return g, nil
	}
	g.value, g.valueAt = text[s.used:], s.cluster.column+s.used
	s.used = len(text)
	return g, nil
}

// argument reads the argument of an option from the next word, if it has one.
func (s *scanner) argument(g given) (given, *Error) {
	g.value, g.valueAt = g.absent, g.column
	switch {
	case g.arg == noArgument:
	case len(s.words) == 0:
		if g.arg == needsArgument {
			return g, errorf("needs an argument").at(g.as, g.column).aborts("%s: missing argument", s.taken)
		}
	case g.arg == needsArgument || !strings.HasPrefix(s.words[0].text, "-"):
		g.value, g.valueAt = s.words[0].text, s.words[0].column
		s.words, s.taken = s.words[1:], g.value
	}
	return g, nil
}

func (s *scanner) noSuchArgument() *Error {
	return errorf("does not have an argument").aborts("%s: option does not take an argument", s.taken)
}

func unknownOption(as string, column int) *Error {
	return errorf("%s is not an option", quote(as)).
		or("long options cannot be abbreviated, and begin with two dashes").at("", column)
}
