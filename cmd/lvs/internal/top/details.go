package top

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// details say more of the row at the cursor, in so many lines. What does not fit is cut.
func (m *Model) details(lines int) []term.Line {
	all := make([]term.Line, lines)
	r, ok := m.find(m.Cursor)
	if !ok || lines == 0 {
		return all
	}
	b := m.balance(r.service)
	name, text := r.service.ID.String(), b.details()
	if s := r.server(); s != nil {
		name, text = s.Addr.String(), m.serverDetails(b, r.place)
	}
	wrapped := term.Wrap(name+"  "+text, m.Width)
	if len(wrapped) > lines {
		wrapped = append(wrapped[:lines-1], strings.Join(wrapped[lines-1:], " "))
	}
	all = all[:lines-len(wrapped)]
	for _, line := range wrapped {
		all = append(all, term.Text(line))
	}
	if rest, ok := strings.CutPrefix(wrapped[0], name); ok {
		all[lines-len(wrapped)] = term.Line{{Text: name, Attr: term.Bold}, {Text: rest}}
	}
	return all
}

func (m *Model) serverDetails(b *balance, place int) string {
	var words []string
	if d := b.service.Servers[place].Details; d != nil {
		words = append(words, d.Mode.String())
	}
	l := m.line(row{b.service, place}, b)
	switch {
	case l.note.long != "":
		words = append(words, l.note.long)
	case l.share.hasGot:
		words = append(words, fmt.Sprintf("got %s of %s", percent(l.share.got), b.basis()), b.expect.sentence(l.share.want))
	}
	if is := m.healthOf(b.service, &b.service.Servers[place]); is != nil {
		words = append(words, m.healthDetails(is))
	}
	return strings.Join(words, ", ")
}

// sentence says what share was expected.
func (e *expectation) sentence(share float64) string {
	switch {
	case !e.known:
		return e.why
	case e.why != "":
		return "expected " + percent(share) + " " + e.why
	}
	return "expected " + percent(share)
}

func (b *balance) details() string {
	var words []string
	if b.note.long != "" {
		words = append(words, b.note.long)
	}
	if p := b.service.Persistence; p.Timeout != 0 {
		words = append(words, "persistent "+p.String())
	}
	if b.expect.why != "" && len(words) == 0 {
		words = append(words, "expected shares are "+b.expect.why)
	}
	if basis := b.basis(); basis != "" {
		words = append(words, "shares are of "+basis)
	}
	return strings.Join(words, ", ")
}

// basis says which connections the shares are of.
func (b *balance) basis() string {
	switch {
	case b.sum == 0:
		return ""
	case b.in == 0:
		return "the rates of about eight seconds"
	}
	return fmt.Sprintf("%s connections in %s", count(b.sum), short(b.in))
}
