package top

import "strings"

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
  NEW/s        new connections a second; the kernel averages over about 8 s
  B/s PKT/s    bytes and packets a second, in from clients and out to them, or
               both. What dr and tunnel servers send does not pass: OUT is 0
  ..           not read yet; of large tables, only what is shown is read
  SHARE        of the service's new connections in the last minute or less;
               the | in the bar is where the expected share ends
  EXP          expected share by weight and scheduler; ~ if connections last
               equally long on all servers; ? if it cannot be predicted`

func help(m *Model) Effect {
	m.Panel = &Panel{Title: "Help", Lines: strings.Split(helpText, "\n")}
	return Effect{}
}
