package top

import (
	"slices"
	"strings"
	"time"

	"github.com/golvs/lvs"
)

// Press changes the model as a key says, and returns what is to be done.
func (m *Model) Press(key Key) Effect {
	switch {
	case key == KeyInterrupt:
		return Effect{Quit: true}
	case key == KeySuspend:
		return Effect{Suspend: true}
	case key == KeyRedraw:
		return Effect{Redraw: true, Read: true}
	case m.Prompt != nil:
		m.listed = nil // for what the prompt may change
		return m.Prompt.press(m, key)
	case m.Panel != nil:
		return m.Panel.press(m, key)
	}
	m.Notice = ""
	if by, ok := m.moves(key); ok {
		m.move(by)
		return Effect{}
	}
	if action := actions[key]; action != nil {
		m.visible() // the cursor may be on a row that has gone since the last frame
		m.listed = nil
		return action(m)
	}
	if key != KeyEscape {
		m.Notice = "no action for that key; ? lists the keys"
	}
	return Effect{}
}

// moves returns by how many rows a key moves the cursor.
func (m *Model) moves(key Key) (int, bool) {
	const all = 1 << 30
	page := max(1, m.space()-1)
	switch key {
	case KeyUp, "k":
		return -1, true
	case KeyDown, "j":
		return 1, true
	case KeyPageUp:
		return -page, true
	case KeyPageDown, " ":
		return page, true
	case KeyHome, "g":
		return -all, true
	case KeyEnd, "G":
		return all, true
	}
	return 0, false
}

// actions are what keys do besides moving.
var actions map[Key]func(*Model) Effect

func init() { // for one of the actions shows a text about all
	actions = map[Key]func(*Model) Effect{
		"q": func(*Model) Effect { return Effect{Quit: true} },
		"?": help, "h": help,
		"s":      func(m *Model) Effect { m.Sort = (m.Sort + 1) % sorts; return Effect{} },
		"f":      askFilter,
		"/":      askFilter,
		KeyEnter: fold, KeyLeft: fold, KeyRight: fold,
		"F": foldAll,
		"p": pause,
		"+": func(m *Model) Effect { return m.setInterval(m.Interval * 2) },
		"-": func(m *Model) Effect { return m.setInterval(m.Interval / 2) },
		"c": countStates,
		"e": askClient,
		"d": askDrain,
		"u": askUndo,
		"w": askWeight,
	}
}

func (m *Model) setInterval(d time.Duration) Effect {
	m.Interval = min(max(d, MinInterval), MaxInterval)
	return Effect{}
}

// The limits of the interval. The kernel publishes its counters every two seconds.
const (
	MinInterval = 250 * time.Millisecond
	MaxInterval = time.Hour
)

func pause(m *Model) Effect {
	m.Paused = !m.Paused
	return Effect{Read: !m.Paused}
}

func countStates(m *Model) Effect {
	if m.CountStates = !m.CountStates; !m.CountStates {
		m.States, m.StatesErr = nil, nil
	}
	return Effect{Read: m.CountStates}
}

func fold(m *Model) Effect {
	id := m.Cursor.Service
	m.Folded[id] = !m.Folded[id]
	m.Cursor = Row{Service: id}
	return Effect{}
}

// foldAll folds all services, or unfolds all if they are folded.
func foldAll(m *Model) Effect {
	isFolded := func(s Service) bool { return m.Folded[s.ID] }
	all := !slices.ContainsFunc(m.Reading.Services, func(s Service) bool { return !isFolded(s) })
	m.Folded = map[lvs.ServiceID]bool{}
	if !all {
		for _, s := range m.Reading.Services {
			m.Folded[s.ID] = true
		}
		m.Cursor = Row{Service: m.Cursor.Service}
	}
	return Effect{}
}

func askFilter(m *Model) Effect {
	m.Prompt = &Prompt{Text: "Show only what contains: ", Input: []rune(m.Filter), Accept: func(m *Model, input string) Effect {
		m.Filter = strings.TrimSpace(input)
		return Effect{}
	}}
	return Effect{}
}

// press edits the input, and goes on when it is complete.
func (p *Prompt) press(m *Model, key Key) Effect {
	switch {
	case key == KeyEscape:
		m.Prompt, m.Notice = nil, ""
	case p.YesNo:
		m.Prompt = nil
		if key == "y" || key == "Y" {
			return p.Accept(m, "y")
		}
		m.Notice = "not done"
	case key == KeyEnter:
		m.Prompt = nil
		return p.Accept(m, string(p.Input))
	case key == KeyBackspace:
		p.Input = p.Input[:max(0, len(p.Input)-1)]
	case key == KeyErase:
		p.Input = nil
	case len([]rune(key)) == 1 && len(p.Input) < 200:
		p.Input = append(p.Input, []rune(key)...)
	}
	return Effect{}
}

// press scrolls the panel, or closes it.
func (p *Panel) press(m *Model, key Key) Effect {
	if by, ok := m.moves(key); ok {
		p.top = min(max(0, p.top+by), max(0, len(wrap(p.Lines, m.Width))-m.space()))
		return Effect{}
	}
	switch key {
	case KeyEscape, KeyEnter, KeyLeft, "q", "?", "h":
		m.Panel = nil
	case "e":
		m.Panel = nil
		return askClient(m)
	}
	return Effect{}
}
