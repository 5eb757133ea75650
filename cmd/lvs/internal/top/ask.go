package top

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/golvs/lvs"
	"github.com/golvs/lvs/cmd/lvs/internal/term"
)

// askDrain asks whether the server's weight shall be 0.
func askDrain(m *Model) Effect {
	s := m.chosen()
	switch {
	case s == nil:
	case s.Weight == 0:
		m.Notice = "its weight is 0 already; u or w gives it another"
	default:
		m.ask(WeightChange{m.Cursor, 0, s.Weight}, fmt.Sprintf("Drain %s (weight %d to 0; %d connections go on)? y/n ",
			s.Addr, s.Weight, s.conns()))
	}
	return Effect{}
}

// askUndo asks whether the server shall have the weight that it had before its drain.
func askUndo(m *Model) Effect {
	s := m.chosen()
	if s == nil {
		return Effect{}
	}
	was, ok := m.Quiesced[m.Cursor]
	if d := m.drainOf(m.Cursor.Service, s); d != nil && !ok {
		m.Notice = "the program of the state file drains it: lvs undrain takes that back"
		return Effect{}
	}
	if !ok {
		m.Notice = "it was not drained here, so its weight before is not known; w sets one"
		return Effect{}
	}
	m.ask(WeightChange{m.Cursor, was, s.Weight}, fmt.Sprintf("Undo the drain of %s (weight %d to %d)? y/n ", s.Addr, s.Weight, was))
	return Effect{}
}

// askWeight asks for a weight, and then whether it is meant.
func askWeight(m *Model) Effect {
	s := m.chosen()
	if s == nil {
		return Effect{}
	}
	row, addr, was := m.Cursor, s.Addr, s.Weight
	m.Prompt = &Prompt{Text: fmt.Sprintf("Weight of %s (now %d): ", addr, was), Accept: func(m *Model, input string) Effect {
		weight, err := strconv.ParseUint(strings.TrimSpace(input), 10, 31)
		switch {
		case strings.TrimSpace(input) == "":
			m.Notice = "not done"
		case err != nil:
			m.Notice = fmt.Sprintf("%q is not a weight: want a number from 0 to 2147483647", term.Clean(input))
		default:
			m.ask(WeightChange{row, int(weight), was}, fmt.Sprintf("Set the weight of %s from %d to %d? y/n ", addr, was, weight))
		}
		return Effect{}
	}}
	return Effect{}
}

func (m *Model) ask(c WeightChange, question string) {
	m.Prompt = &Prompt{Text: question, YesNo: true, Accept: func(*Model, string) Effect { return Effect{SetWeight: &c} }}
}

// chosen returns the server at the cursor, or says that there is none.
func (m *Model) chosen() *Server {
	r, ok := m.find(m.Cursor)
	if !ok || r.place < 0 {
		m.Notice = "move to a real server first"
		return nil
	}
	return r.server()
}

// WeightSet notes that a weight was set, or why not.
func (m *Model) WeightSet(c WeightChange, err error) {
	if err != nil {
		m.Notice = term.Clean(err.Error())
		return
	}
	m.Notice = fmt.Sprintf("weight of %s set to %d", c.Row.Server, c.Weight)
	if _, kept := m.Reading.Health[c.Row]; kept && m.Reading.HealthErr == nil {
		m.Notice += ", until lvs run undoes it; lvs override lasts"
	}
	if c.Weight == 0 && c.Was > 0 {
		m.Quiesced[c.Row] = c.Was
	} else {
		delete(m.Quiesced, c.Row)
	}
}

// askClient asks for a client whose next packet is explained.
func askClient(m *Model) Effect {
	id := m.Cursor.Service
	if m.Reading.find(id) == nil {
		m.Notice = "the table has no service yet: nothing can be explained"
		return Effect{}
	}
	text := "Explain the client (ADDRESS or ADDRESS:PORT; empty: a sample): "
	if id.FWMark() != 0 {
		text = "Explain CLIENT VIP:PORT: "
	}
	m.Prompt = &Prompt{Text: text, Accept: func(m *Model, input string) Effect {
		flow, err := flowOf(id, input)
		if err != nil {
			m.Notice = err.Error()
			return Effect{}
		}
		m.Panel = &Panel{Title: "Explanation", Lines: []string{"reading the host ..."}}
		return Effect{Explain: &flow}
	}}
	return Effect{}
}

// flowOf returns the flow of a client to a service.
func flowOf(id lvs.ServiceID, input string) (lvs.Flow, error) {
	flow := lvs.Flow{Protocol: id.Protocol(), VIP: id.AddrPort(), FWMark: id.FWMark()}
	words := strings.Fields(input)
	if flow.FWMark != 0 {
		if len(words) != 2 {
			return flow, fmt.Errorf("want a client and the address and port that it connects to, such as 192.0.2.1 198.51.100.1:80")
		}
		vip, err := netip.ParseAddrPort(words[1])
		if err != nil {
			return flow, fmt.Errorf("%q is not an address and a port", term.Clean(words[1]))
		}
		flow.Protocol, flow.VIP, words = lvs.ProtocolTCP, vip, words[:1]
	}
	const port = 40000 // one as clients have
	switch {
	case len(words) > 1:
		return flow, fmt.Errorf("want one client")
	case len(words) == 0 && id.Is6():
		words = []string{"2001:db8::1"}
	case len(words) == 0:
		words = []string{"192.0.2.1"}
	}
	if addr, err := netip.ParseAddr(words[0]); err == nil {
		flow.Client = netip.AddrPortFrom(addr, port)
		return flow, nil
	}
	client, err := netip.ParseAddrPort(words[0])
	if err != nil {
		return flow, fmt.Errorf("%q is not an address: want one such as 192.0.2.1 or 192.0.2.1:40000", term.Clean(words[0]))
	}
	flow.Client = client
	return flow, nil
}

// Explained shows an explanation, or why there is none, unless its panel was closed.
func (m *Model) Explained(x lvs.Explanation, err error) {
	if m.Panel == nil || m.Panel.Title != "Explanation" {
		return
	}
	text := x.String()
	if err != nil {
		text = err.Error()
	}
	m.Panel.Lines = strings.Split(term.CleanLines(text), "\n")
}
