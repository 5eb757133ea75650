package lvs

import (
	"fmt"
	"strings"
)

// shownEffects is how many clients and connections of each kind are printed.
const shownEffects = 3

// String returns how many clients and connections are affected, with some of them.
func (e TableEffect) String() string {
	var b strings.Builder
	e.AtOnce.write(&b, "at once", &e)
	if e.AtDeadline != nil {
		e.AtDeadline.write(&b, "at the deadline", &e)
	}
	for _, u := range e.Unseen {
		b.WriteString("not known: " + u + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (i *TableImpact) write(b *strings.Builder, when string, of *TableEffect) {
	fmt.Fprintf(b, "%s: of %s, %d move and %d are refused; of %s, %d break\n", when,
		quantity(of.Clients, "client"), len(i.Moved), len(i.Refused), quantity(of.Connections, "connection"), len(i.Broken))
	writeSome(b, i.Moved)
	writeSome(b, i.Refused)
	writeSome(b, i.Broken)
}

func writeSome[T fmt.Stringer](b *strings.Builder, all []T) {
	for _, one := range all[:min(shownEffects, len(all))] {
		b.WriteString("    " + one.String() + "\n")
	}
	if more := len(all) - shownEffects; more > 0 {
		fmt.Fprintf(b, "    and %d more\n", more)
	}
}

// String returns the effect in one line.
func (c ClientEffect) String() string {
	text := fmt.Sprintf("%s of %s, now on %s, ", c.Client, c.Service, c.Was)
	switch {
	case c.Now.IsValid():
		return text + "moves to " + c.Now.String()
	case c.Action == ActionForwarded:
		return text + "moves to another server"
	}
	return text + fmt.Sprintf("is %s: %s", c.Action, c.Reason)
}

// String returns the effect in one line.
func (c ConnectionEffect) String() string {
	return fmt.Sprintf("%s %s -> %s with %s: its next packet is %s: %s",
		c.Connection.Protocol, c.Connection.Client, c.Connection.VIP, c.Connection.Server, c.Action, c.Reason)
}
