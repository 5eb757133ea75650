package simipvs

import (
	"slices"
	"strings"
	"testing"
)

// The kernel's tables of TCP states, as they were read: where a packet leads from
// each of the states NO ES SS SR FW TW CL CW LA LI SA.
const (
	normalStates = `
		IN     syn  SR ES ES SR SR SR SR SR SR SR SR
		IN     fin  CL CW SS TW TW TW CL CW LA LI TW
		IN     ack  ES ES SS ES FW TW CL CW CL LI ES
		IN     rst  CL CL CL SR CL CL CL CL LA LI SR
		OUT    syn  SS ES SS SR SS SS SS SS SS LI SR
		OUT    fin  TW FW SS TW FW TW CL TW LA LI TW
		OUT    ack  ES ES SS ES FW TW CL CW LA ES ES
		OUT    rst  CL CL SS CL CL TW CL CL CL CL CL
		INONLY syn  SR ES ES SR SR SR SR SR SR SR SR
		INONLY fin  CL FW SS TW FW TW CL CW LA LI TW
		INONLY ack  ES ES SS ES FW TW CL CW CL LI ES
		INONLY rst  CL CL CL SR CL CL CL CL LA LI CL`

	secureStates = `
		IN     syn  SR ES ES SR SR SR SR SR SR SR SA
		IN     fin  CL CW SS TW TW TW CL CW LA LI SA
		IN     ack  ES ES SS SR FW TW CL CW CL LI SA
		IN     rst  CL CL CL SR CL CL CL CL LA LI CL
		OUT    syn  SS ES SS SA SS SS SS SS SS LI SA
		INONLY syn  SA ES ES SR SA SA SA SA SA SA SA`
)

func TestStates(t *testing.T) {
	names := strings.Fields("NO ES SS SR FW TW CL CW LA LI SA")
	packets := map[string]uint8{"syn": TCPSyn, "fin": TCPFin, "ack": TCPAck, "rst": TCPRst}
	for _, c := range []struct{ secure, rows string }{{"0", normalStates}, {"3", normalStates}, {"3", secureStates}} {
		k := New(Options{})
		if err := k.WriteFile(vsFolder+"secure_tcp", []byte(c.secure)); err != nil {
			t.Fatal(err)
		}
		for row := range strings.Lines(strings.TrimSpace(c.rows)) {
			words := strings.Fields(row)
			about := words[0] + " " + words[1]
			if c.secure == "3" && c.rows == normalStates && strings.Contains(secureStates, strings.TrimSpace(row)[:11]) {
				continue // it is another one
			}
			for from, want := range words[2:] {
				conn := conn{protocol: protoTCP, state: uint8(from)}
				direction := fromClient
				switch words[0] {
				case "OUT":
					direction = fromServer
				case "INONLY":
					conn.flags = connNoOutput
				}
				k.followTCP(&conn, &Packet{TCP: packets[words[1]]}, direction)
				if got := names[conn.state]; got != want {
					t.Errorf("secure_tcp=%s, %s in %s: %s, want %s", c.secure, about, names[from], got, want)
				}
			}
		}
	}
}

// A packet without any of the four flags closes, and RST goes before SYN, that
// before FIN, and that before ACK.
func TestEvents(t *testing.T) {
	k := New(Options{})
	for flags, want := range map[uint8]State{
		0: tcpClose, TCPRst | TCPSyn | TCPFin | TCPAck: tcpClose, TCPSyn | TCPFin | TCPAck: tcpEstablished,
		TCPFin | TCPAck: tcpCloseWait, TCPAck: tcpEstablished,
	} {
		c := conn{protocol: protoTCP, state: uint8(tcpEstablished)}
		if k.followTCP(&c, &Packet{TCP: flags}, fromClient); State(c.state) != want {
			t.Errorf("flags %#x: %s, want %s", flags, tcpNames[c.state], tcpNames[want])
		}
	}
}

func TestStateTimeouts(t *testing.T) {
	k := New(Options{})
	want := []span{2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120}
	var active []State
	for s := range State(tcpStates) {
		if got := k.tcpTimeout(s); got != want[s]*second {
			t.Errorf("%s: %d ticks, want %d s", tcpNames[s], got, want[s])
		}
		if tcpActive[s] {
			active = append(active, s)
		}
	}
	if !slices.Equal(active, []State{tcpEstablished, tcpSynSent, tcpSynRecv, tcpSynAck}) {
		t.Errorf("active are %v", active)
	}
}
