package top

import (
	"fmt"
	"strings"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// panel returns a panel's title and the part of it that is seen.
func (m *Model) panel() (title term.Line, lines []term.Line) {
	p := m.Panel
	wrapped := wrap(p.Lines, m.Width)
	space := m.space()
	p.top = min(p.top, max(0, len(wrapped)-space))
	end := min(len(wrapped), p.top+space)
	text := p.Title
	if len(wrapped) > space {
		text += fmt.Sprintf("  lines %d to %d of %d", p.top+1, end, len(wrapped))
	}
	return term.Line{{Text: text, Attr: term.Bold}}, wrapped[p.top:end]
}

// wrap breaks lines between words, and goes on below the beginning of the text.
func wrap(lines []term.Line, width int) (wrapped []term.Line) {
	for _, l := range lines {
		text := l.String()
		indent := len(text) - len(strings.TrimLeft(text, " "))
		for term.Width(text) > width && width > indent+10 {
			at := strings.LastIndexByte(text[:min(width, len(text))], ' ')
			if at <= indent {
				break
			}
			wrapped = append(wrapped, term.Text(text[:at]))
			text = strings.Repeat(" ", indent+2) + text[at+1:]
		}
		wrapped = append(wrapped, term.Text(text))
	}
	return wrapped
}

// helpText explains keys and columns.
const helpText = `keys
  q            quit                      ^Z  suspend
  up down j k  move                      page up, page down, g, G  move far
  Enter        fold a service or unfold it; F  all services
  s            sort by rate, active connections, address, weight
  f            filter: show only services and servers that contain a text
  e            explain where a client's next packet goes, and why
  d            drain: set the weight of a real server to 0, after a question
  u            undo a drain that was made here, after a question
  w            set the weight of a real server, after a question
  c            count connections by state
  p            pause     + -  longer or shorter interval     ^L  redraw
columns
  WT           weight; of a service the scheduler. 0 gets no new connections
  ACT INACT    connections that are established, and all others
  NEW/s        new connections a second, as the kernel averages over about 8 s
  B/s PKT/s    bytes and packets a second, in from clients and out to them.
               Answers of dr and tunnel servers do not pass, so OUT is 0 there
  SHARE        of the service's new connections in the last minute or less;
               the | in the bar is where the expected share ends
  EXP          expected share by weight and scheduler; ~ if connections last
               equally long on all servers; ? if it cannot be predicted`

func help(m *Model) Effect {
	m.Panel = &Panel{Title: "Help"}
	for line := range strings.SplitSeq(helpText, "\n") {
		m.Panel.Lines = append(m.Panel.Lines, term.Text(line))
	}
	return Effect{}
}
