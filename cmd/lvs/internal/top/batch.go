package top

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// Batch prints frames of the whole table as plain text, an empty line after each, until
// there were so many, or until the context ends if frames is 0. It ends at the first
// error.
func Batch(ctx context.Context, r *Reader, m *Model, w io.Writer, frames int) error {
	for n := 1; ; n++ {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		reading, err := r.Read(call, nil)
		if err == nil {
			m.Now = time.Now()
			m.SetReading(reading, nil)
			if m.CountStates || m.isSmall() {
				m.States, m.StatesErr = r.States(call)
			}
		}
		cancel()
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, m.Text()+"\n"); err != nil {
			return err
		}
		if n == frames {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(m.Interval):
		}
	}
}

// Text returns a frame of the whole table as plain text.
func (m *Model) Text() string {
	m.Folded, m.Cursor, m.listed = nil, Row{}, nil
	rows := m.rows()
	l := m.layout(rows)
	lines := append(append([]term.Line{m.title(), m.totals()}, m.states()...), l.heads())
	m.Height = len(lines) + len(rows) + 1
	lines = append(lines, l.draw(m, rows)...)
	if len(rows) == 0 {
		lines = append(lines, m.nothing()...)
	}
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(l.Cut(m.Width).String(), " ") + "\n")
	}
	return b.String()
}
